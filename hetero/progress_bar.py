"""Progress of long work on standard error, for whoever watches: what is done, since when, and how far it is.

It goes away at the end, and is silent where nobody watches: a line that is redrawn is noise in a file or pipe, and what
it would show is in the result anyway.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Shown
    from rich.progress import TaskID

    from hetero.cost.progress import Progress, Steps

__all__ = ["progress_bar", "under_way"]

REDRAWN_PER_S = 4
"""Seldom, since what is watched is often measured meanwhile."""


@contextmanager
def under_way(what: str) -> Iterator[None]:
    """Shows what goes on and for how long already."""
    with _shown(what):
        yield


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """As ``under_way``, and a bar for each piece of work that begins, of which the number of steps is known."""
    with _shown(what) as shown:

        def begin(total: int) -> Steps:
            if shown is None:
                from hetero.cost.progress import silent

                return silent(total)
            return _Bar(shown, shown.add_task("", total=total, count=f"0/{total}", step=""), total)

        yield begin


@contextmanager
def _shown(what: str) -> Iterator[Shown | None]:
    if not sys.stderr.isatty():
        yield None
        return
    # rich is loaded only where its bar is seen: that takes longer than the rest of a short command.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[step]}", style="dim"),
    )
    shown = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=REDRAWN_PER_S,
        redirect_stdout=sys.stdout.isatty(),  # else what a user's code prints would miss the file that it is for
    )
    with shown:
        shown.add_task(what, total=None, count="", step="")
        yield shown


class _Bar:
    """One row: a step counts as done when the next one begins, so the last one is never seen as done too early."""

    def __init__(self, shown: Shown, task: TaskID, total: int) -> None:
        self._shown, self._task, self._total, self._begun = shown, task, total, 0

    def advance(self, text: str) -> None:
        self._shown.update(self._task, completed=self._begun, count=f"{self._begun}/{self._total}", step=text)
        self._begun += 1
