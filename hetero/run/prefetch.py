"""Which copies between memory spaces are begun before somebody waits for them.

A copy that is begun early is made by a thread of its own while nodes compute. The hand-over costs what two threads take
to wake one another, so it pays for copies that take longer, and only where the schedule has something to do meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hetero.graph import INPUT, Ref
from hetero.plans import Plan
from hetero.run.lanes import Interval, Seat
from hetero.run.sites import site_of

__all__ = ["WORTH_S", "Prefetch", "covered_s"]

WORTH_S = 100e-6
"""A copy is begun early where that hides at least so much of it: a few hand-overs between threads."""


class Prefetch:
    """Decides for each copy of a plan when it is begun, from the schedule's times, the links and the bytes seen.

    What is not known is not guessed: without evidence or a link a copy is made where its value is. So is every copy of
    a plan over several computers, since what is under way cannot be handed on to another one.
    """

    def __init__(self, plan: Plan, intervals: Sequence[Interval], seats: Mapping[str, Seat]) -> None:
        self._plan = plan
        self._tasks = {task.name: task for task in intervals}
        self._before = {task.name: (*task.parents, *seats[task.name].after) for task in intervals}
        self._here = not any(site_of(task.processor) for task in intervals)

    def begun_with(
        self, ref: Ref, taker: str, spaces: tuple[str, str], *, returned: bool = False
    ) -> str | None:
        """The node with which the copy of a value is begun: its maker, or for an input of the pipeline the first of the
        nodes that its taker waits for. None: it is not begun early.

        Args:
            returned: the caller takes it, once the node ``taker`` has ended.
        """
        before = self._all_before(taker)
        if ref.node == INPUT:
            begin = min(before, key=lambda task: task.start_s, default=None)
            begin_s = begin.start_s if begin else 0.0
        else:  # a taker that need not wait for the maker must not be made to
            begin = next((task for task in before if task.name == ref.node), None)
            begin_s = begin.end_s if begin else 0.0
        if begin is None or not self._here:
            return None
        end_s = self._tasks[taker].end_s if returned else self._tasks[taker].start_s
        hidden_s = min(self._copy_s(ref, taker, spaces), covered_s(self._tasks.values(), begin_s, end_s))
        return begin.name if hidden_s >= WORTH_S else None

    def _all_before(self, name: str) -> list[Interval]:
        """Everything that has ended when this node starts, whatever the clock says."""
        found: dict[str, None] = {}
        ahead = [*self._before[name]]
        while ahead:
            if (task := ahead.pop()) not in found:
                found[task] = None
                ahead += self._before[task]
        return [self._tasks[task] for task in found]

    def _copy_s(self, ref: Ref, taker: str, spaces: tuple[str, str]) -> float:
        link, evidence = self._plan.machine.link(*spaces), self._plan.evidence
        if link is None or evidence is None:
            return 0.0
        if ref.node != INPUT:
            return link.seconds(evidence.output_nbytes(ref.node, ref.output))
        args = self._plan.graph[taker].args
        places = [i for i, arg in enumerate(args) if arg == ref]
        calls = evidence.calls.get(taker, ())
        sizes = [call.inputs[i].nbytes for call in calls for i in places[:1]]
        return link.seconds(sum(sizes) / len(sizes)) if sizes else 0.0


def covered_s(tasks: Iterable[Interval], begin_s: float, end_s: float) -> float:
    """Seconds between two times in which some task runs.

    >>> covered_s([Interval("a", "cpu", 1, 0.0, 2.0), Interval("b", "cpu", 1, 1.0, 3.0)], 0.5, 9.0)
    2.5
    """
    seconds = 0.0
    for task in sorted(tasks, key=lambda one: one.start_s):
        from_s, until_s = max(task.start_s, begin_s), min(task.end_s, end_s)
        if until_s > from_s:
            seconds += until_s - from_s
            begin_s = until_s
    return seconds
