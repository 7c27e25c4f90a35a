"""A folder of inputs through a plan, wherever it runs: results written as they come, the rest done when run again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hetero import show
from hetero.arguments import call_arguments
from hetero.callee import Callee
from hetero.errors import ArgumentError, ClosedError, HeteroError, NodeError, UnavailableError
from hetero.graph import Graph
from hetero.planner import graph_of
from hetero.plans import Plan
from hetero.run.journal import Journal, Key
from hetero.run.load import FEWEST
from hetero.run.streams import as_they_end
from hetero.tracing import Pipeline

__all__ = ["Item", "Progress", "files_in", "resume", "run_batch"]

Load: TypeAlias = Callable[[str], Iterable[Any]]
"""From a path to the calls that it stands for: inputs of the pipeline, or ``ht.args(...)``."""


@dataclass(frozen=True, slots=True)
class Item:
    """An input that is loaded when its turn comes, not before: a folder may hold more than fits into memory."""

    key: Key
    load: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is. ``before`` were done when it began; ``done`` counts them too."""

    total: int
    before: int
    done: int
    failed: int
    seconds: float

    @property
    def left(self) -> int:
        return self.total - self.done - self.failed

    def __str__(self) -> str:
        """
        >>> print(Progress(total=100, before=40, done=58, failed=2, seconds=10.0))
        60 of 100 (40 from before, 2 failed), 2 a second, about 20 s left
        >>> print(Progress(total=100, before=0, done=2, failed=0, seconds=10.0))  # too few for a rate
        2 of 100, in 10.00 s
        """
        ended = self.done + self.failed - self.before
        aside = [f"{self.before} from before"] if self.before else []
        aside += [f"{self.failed} failed"] if self.failed else []
        text = f"{self.done + self.failed} of {self.total}" + (f" ({', '.join(aside)})" if aside else "")
        if ended < FEWEST or not self.seconds > 0:
            return f"{text}, in {show.seconds(self.seconds)}" if ended else text
        per_second = ended / self.seconds
        left = f", about {self.left / per_second:.0f} s left" if self.left else ""
        return f"{text}, {show.rate(per_second)} a second{left}"


Report: TypeAlias = Callable[[Progress], None]


def files_in(
    path: str | Path, load: Load, match: str | None = None, suffixes: tuple[str, ...] = ()
) -> tuple[Item, ...]:
    """The file at ``path``, or each file directly in the folder ``path`` whose name matches, in the order of names.

    Without ``match`` those that end in one of the ``suffixes``, in small or capital letters; all where there are none.

    Hidden files are left out. An item's digest is that of the file's bytes.

    Raises:
        ArgumentError: there is none.
    """
    path = Path(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [f for f in files if f.is_file() and not f.name.startswith(".")]
    if match is not None:
        found = [f for f in found if fnmatch(f.name, match)]
    elif suffixes and path.is_dir():
        found = [f for f in found if f.suffix.lower() in suffixes]
    if not found:
        wanted = ", ".join(suffixes) or "anything" if match is None else repr(match)
        raise ArgumentError(f"no file at {path} whose name matches {wanted}")
    return tuple(Item((f.name, _digest(f)), partial(_only, load, f)) for f in found)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").hexdigest()[:32]


def _only(load: Load, file: Path) -> Any:
    calls = list(load(str(file)))
    if len(calls) != 1:
        raise ArgumentError(
            f"{file.name} holds {len(calls)} inputs; in a folder with results each file is one: split it"
        )
    return calls[0]


def resume(
    pipeline: Pipeline | Callee | Graph,
    items: Sequence[Item],
    results: str | Path,
    make_plan: Callable[[list[Any]], Plan],
    report: Report,
    trace: Path | None = None,
) -> Progress:
    """Run what the file of results does not have yet; the whole way of a job, from the first line or the last one.

    Args:
        make_plan: makes a plan on the first inputs that are to be done, here or on a cluster; not called where all are.
        report: is told every few seconds how far it is.
        trace: the file for a trace of what runs; left as it is where nothing does.

    Raises:
        ArgumentError: the file holds the results of another pipeline, or another run writes it.
    """
    with Journal(results, graph_of(pipeline).digest) as journal:
        todo = waiting(items, journal)
        if not todo:
            progress = Progress(len(items), len(items), len(items), 0, 0.0)
            report(progress)
            return progress
        with plan_on_first(todo, make_plan) as plan, plan.session.traced(trace) if trace else nullcontext():
            return run_batch(plan, items, journal, report)


def waiting(items: Sequence[Item], journal: Journal) -> tuple[Item, ...]:
    """The items that the journal does not have."""
    return tuple(item for item in items if item.key not in journal.done)


def plan_on_first(items: Sequence[Item], make_plan: Callable[[list[Any]], Plan], count: int = 8) -> Plan:
    """A plan made on the first inputs that can be loaded; where a node raises on one of them, on the first one alone
    on which none does.

    Raises:
        ArgumentError: none of the first inputs can be loaded; names the first.
        NodeError: a node raises on each of them.
    """
    calls, errors = _loaded(items[: 2 * count])
    if not calls:
        raise ArgumentError(f"no input can be loaded; the first: {errors[0]}") from errors[0]
    try:
        return make_plan(calls[:count])
    except NodeError:
        for call in calls[:-1]:
            with suppress(NodeError):  # it will be filed as failed when its turn comes
                return make_plan([call])
        return make_plan(calls[-1:])


def _loaded(items: Sequence[Item]) -> tuple[list[Any], list[Exception]]:
    calls: list[Any] = []
    errors: list[Exception] = []
    for item in items:
        try:
            calls.append(item.load())
        except (HeteroError, OSError, ValueError) as error:
            errors.append(error)
    return calls, errors


def run_batch(
    plan: Plan, items: Sequence[Item], journal: Journal, report: Report, every_s: float = 5.0
) -> Progress:
    """Run every item that the journal does not have, and file each result when it comes.

    What fails for its own sake (a file that is no picture, a node that raises on it) is filed as failed and the others
    go on; a plan that cannot run at all ends the batch. Requests that were under way when a run was cut short are run
    again, so a node with effects outside of the pipeline may see an input twice; the file has each result once.

    Args:
        report: is told every ``every_s`` seconds how far it is, and at the end.

    Raises:
        ArgumentError: two items have the same name, or a result cannot be written as JSON.
        UnavailableError: what the plan runs on is gone, and nothing else can do its work.
    """
    _require_distinct(items)
    todo = waiting(items, journal)
    before = len(items) - len(todo)
    started_s = told_s = time.monotonic()
    progress = Progress(len(items), before, before, 0, 0.0)
    report(progress)
    for key, outcome in _outcomes(plan, todo):
        error = outcome.exception()
        if isinstance(error, UnavailableError | ClosedError):
            raise error
        if error is None:
            journal.add(key, outcome.result())
        else:
            journal.add_error(key, error)
        now_s = time.monotonic()
        progress = replace(
            progress,
            done=progress.done + (error is None),
            failed=progress.failed + (error is not None),
            seconds=now_s - started_s,
        )
        if now_s - told_s >= every_s and progress.left:
            report(progress)
            told_s = now_s
    if todo:
        report(progress)
    return progress


def _outcomes(plan: Plan, items: Sequence[Item]) -> Iterator[tuple[Key, Future[Any]]]:
    """Each item with how it ended, in the order in which they end: a long one holds up nobody's result."""
    names: dict[Future[Any], Key] = {}

    def started() -> Iterator[Future[Any]]:
        for item in items:
            future = _start(plan, item)
            names[future] = item.key
            yield future

    return as_they_end(started(), plan.session.window, lambda future: (names.pop(future), future))


def _start(plan: Plan, item: Item) -> Future[Any]:
    try:
        args, kwargs = call_arguments(item.load())
        return plan.session.submit(args, kwargs, patient=True)
    except (UnavailableError, ClosedError):
        raise
    except (HeteroError, OSError, ValueError) as error:  # this one input's; the others go on
        failed: Future[Any] = Future()
        failed.set_exception(error)
        return failed


def _require_distinct(items: Sequence[Item]) -> None:
    seen: set[str] = set()
    for item in items:
        name, _ = item.key
        if name in seen:
            raise ArgumentError(f"two inputs are called {name!r}: results are told apart by names")
        seen.add(name)
