"""Candidates of one node take turns under the clock until each is known well enough, or is plainly
hopeless."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from hetero.cost.contender import Contender
from hetero.cost.record import Call
from hetero.cost.timing import Timing
from hetero.errors import DeviceError

__all__ = ["DEFAULT_EFFORT", "Effort", "Verdict", "race"]

Verdict: TypeAlias = Literal["measured", "hopeless"] | DeviceError


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    A candidate is done once its median is known to within ``tolerance`` (95% confidence) or after
    ``candidate_s`` of runs, but not before ``turns`` turns: runs of one turn resemble each other more than
    those of the next do. It is hopeless, and not refined, where its best run of the first two turns takes
    over ``hopeless`` times the median of the best. A block lasts ``block_s``, at most ``block_runs`` runs;
    before another engine's block there is a pause of ``pause_s``. Of a node with many calls (a map's item) up
    to ``shapes`` are measured, which share the ``candidate_s``.
    """

    tolerance: float = 0.03
    candidate_s: float = 0.8
    turns: int = 3
    hopeless: float = 3.0
    block_s: float = 0.06
    block_runs: int = 20
    pause_s: float = 0.05
    shapes: int = 3

    def enough(self, timing: Timing, turns: int, spent_s: float) -> bool:
        if turns < self.turns:
            return False
        # Under six runs even the extremes do not hold the median with 95% confidence.
        return spent_s >= self.candidate_s or (timing.repetitions >= 6 and timing.narrow(self.tolerance))


DEFAULT_EFFORT = Effort()


def race(
    entries: Sequence[tuple[Contender, Call]],
    effort: Effort,
    best_s: float,
    begin_turn: Callable[[Contender], None],
    late: Callable[[], bool],
) -> Iterator[tuple[Contender, Verdict]]:
    """Run the contenders on their calls; each comes out with its verdict as soon as it is settled.

    ``best_s`` is the median of the best that is known already (infinite if none is). ``begin_turn`` is called
    before each turn, ``late`` says whether the time is up: then the rest come out with the timings they have,
    and those that have none do not come out at all.
    """

    def attempt(contender: Contender, action: Callable[[], None]) -> DeviceError | None:
        try:
            begin_turn(contender)
            action()
        except DeviceError as error:
            return error
        return None

    def block(contender: Contender) -> DeviceError | None:
        return attempt(contender, partial(contender.block, effort.block_s, effort.block_runs))

    begun: list[Contender] = []
    for contender, call in entries:
        if late():
            break
        failure = attempt(contender, partial(_first_turn, contender, call, effort, best_s))
        if failure is not None:
            yield contender, failure
            continue
        best_s = min(best_s, contender.timing.seconds)
        begun.append(contender)

    running: list[Contender] = []
    for contender in begun:
        failure = None
        if _is_hopeless(contender, effort, best_s) and min(contender.seconds) <= effort.candidate_s:
            # A second chance, some time after the first: a neighbour on the machine may have been busy then.
            failure = None if late() else block(contender)
        if failure is not None:
            yield contender, failure
        elif _is_hopeless(contender, effort, best_s):
            yield contender, "hopeless"
        else:
            running.append(contender)

    while running:
        for contender in tuple(running):
            if late() or effort.enough(contender.timing, contender.turns, contender.spent_s):
                running.remove(contender)
                failure = None if late() else attempt(contender, contender.time_evicted)
                yield contender, failure or "measured"
            elif (failure := block(contender)) is not None:
                running.remove(contender)
                yield contender, failure
        running.reverse()  # there and back again: a steady drift then averages out


def _first_turn(contender: Contender, call: Call, effort: Effort, best_s: float) -> None:
    """The cold run, a second one, and a block unless one more run would be long and hopeless."""
    second_s = contender.begin(call)
    give_up = second_s > max(effort.hopeless * best_s, effort.candidate_s)
    # A long run needs no warm-up beyond the cold one and counts; a short one was the warm-up.
    if give_up or second_s > effort.block_s:
        contender.keep(second_s)
    if not give_up:
        contender.block(effort.block_s, effort.block_runs)


def _is_hopeless(contender: Contender, effort: Effort, best_s: float) -> bool:
    return min(contender.seconds) > effort.hopeless * best_s
