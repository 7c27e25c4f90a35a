"""Progress of long work as a bar on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Shown
    from rich.progress import TaskID

    from hetero.cost.progress import Progress, Steps

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """Shows a bar for each piece of work that begins; it goes away at the end. Silent where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[step]}", style="dim"),
    )
    console = Console(stderr=True)
    # A bar that is redrawn is noise in a file; what it would show is in the result anyway.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:

        def begin(total: int) -> Steps:
            return _Bar(shown, shown.add_task(what, total=total, step=""))

        yield begin


class _Bar:
    """One row: a step counts as done when the next one begins, so the last one is never seen as done too early."""

    def __init__(self, shown: Shown, task: TaskID) -> None:
        self._shown, self._task, self._begun = shown, task, 0

    def advance(self, text: str) -> None:
        self._shown.update(self._task, completed=self._begun, step=text)
        self._begun += 1
