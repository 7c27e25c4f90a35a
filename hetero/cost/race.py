"""Candidates of one node take turns under the clock until each is known well enough, or is plainly
hopeless."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from hetero.cost.contender import LONG_S, Contender
from hetero.cost.measurement import Measurement
from hetero.cost.record import Call
from hetero.cost.timing import Timing
from hetero.cost.worth import Bar, Peer, Skipped
from hetero.errors import DeviceError

__all__ = ["DEFAULT_EFFORT", "QUICK", "THOROUGH", "Effort", "Verdict", "race"]

Verdict: TypeAlias = Literal["measured", "hopeless", "wrong"] | Skipped | DeviceError
"""``wrong``: its outputs are off by more than the limit."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    A candidate is done once its median is known to within ``tolerance`` (95% confidence) or after
    ``candidate_s`` of runs, but not before ``turns`` turns: runs of one turn resemble each other more than
    those of the next do. It is hopeless, and not refined, where its best run of the first two turns takes
    over ``hopeless`` times the median of the best, or has lost plainly otherwise (``hetero.cost.worth``). Runs that
    find the caches filled by others are timed where ``evicted`` says so. A block lasts ``block_s``, at most
    ``block_runs`` runs; before another engine's block there is a pause of ``pause_s``. Of a node with many calls (a
    map's item) up to ``shapes`` are measured, which share the ``candidate_s``.
    """

    tolerance: float = 0.03
    candidate_s: float = 0.8
    turns: int = 3
    hopeless: float = 3.0
    block_s: float = 0.06
    block_runs: int = 20
    pause_s: float = 0.05
    shapes: int = 3
    evicted: bool = True

    def knows(self, found: Measurement) -> bool:
        """Whether a measurement is as good as this effort would make it, or nearly: nothing is measured for ever."""
        evicted = not self.evicted or found.evicted_s is not None or found.seconds > LONG_S
        if found.repetitions < self.turns or not evicted:
            return False
        timing = Timing(found.seconds, found.spread_s, found.low_s, found.high_s, found.repetitions)
        spent_s = found.repetitions * found.seconds
        return timing.narrow(1.5 * self.tolerance) or spent_s >= self.candidate_s / (2 * self.shapes)

    def enough(self, timing: Timing, turns: int, spent_s: float) -> bool:
        if turns < self.turns:
            return False
        # Under six runs even the extremes do not hold the median with 95% confidence.
        return spent_s >= self.candidate_s or (timing.repetitions >= 6 and timing.narrow(self.tolerance))


DEFAULT_EFFORT = Effort()

QUICK = Effort(tolerance=0.1, candidate_s=0.2, turns=2, shapes=2, evicted=False)
"""Enough to see who may win."""

THOROUGH = Effort(hopeless=math.inf)
"""Everything, whether or not it may win: what the others are compared with in benchmarks."""


def race(
    entries: Sequence[tuple[Contender, Call]],
    effort: Effort,
    bar: Bar,
    begin_turn: Callable[[Contender], None],
    late: Callable[[], bool],
) -> Iterator[tuple[Contender, Verdict]]:
    """Run the contenders on their calls; each comes out with its verdict as soon as it is settled.

    ``bar`` is what they have to reach. ``begin_turn`` is called before each turn, ``late`` says whether the time is up:
    then the rest come out with the timings they have, and those that have none do not come out at all.
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
    pending = list(entries)
    while pending and not late():
        peers = _peers(begun)
        entry = min(pending, key=partial(_order, bar, peers))
        pending.remove(entry)
        contender, call = entry
        if reason := bar.skip(contender.candidate, peers):
            yield contender, Skipped(reason)
            continue
        most_s = bar.most_s(contender.candidate, peers)
        failure = attempt(contender, partial(_first_turn, contender, call, effort, bar, most_s))
        if failure is not None:
            yield contender, failure
        elif bar.is_wrong(contender.candidate, contender.error):
            begun.append(contender)  # it bars those that compute alike
            yield contender, "wrong"
        else:
            begun.append(contender)

    bar.memory.note(_peers(begun), bar)
    running: list[Contender] = []
    for contender in begun:
        if bar.is_wrong(contender.candidate, contender.error):
            continue
        failure = None
        most_s = bar.most_s(contender.candidate, _peers(begun))
        if min(contender.seconds) > most_s and min(contender.seconds) <= effort.candidate_s:
            # A second chance, some time after the first: a neighbour on the machine may have been busy then.
            failure = None if late() else block(contender)
        if failure is not None:
            yield contender, failure
        elif min(contender.seconds) > bar.most_s(contender.candidate, _peers(begun)):
            yield contender, "hopeless"
        else:
            running.append(contender)

    while running:
        for contender in tuple(running):
            if late() or effort.enough(contender.timing, contender.turns, contender.spent_s):
                running.remove(contender)
                failure = None
                quick_anyway = contender.candidate.op.kind == "function"
                if (effort.evicted or quick_anyway) and not late():
                    failure = attempt(contender, contender.time_evicted)
                yield contender, failure or "measured"
            elif (failure := block(contender)) is not None:
                running.remove(contender)
                yield contender, failure
        running.reverse()  # there and back again: a steady drift then averages out


def _first_turn(contender: Contender, call: Call, effort: Effort, bar: Bar, most_s: float) -> None:
    """The cold run, a second one, and a block unless one more run would be long and hopeless, or for nothing."""
    second_s = contender.begin(call)
    give_up = second_s > max(most_s, effort.candidate_s) or bar.is_wrong(contender.candidate, contender.error)
    # A long run needs no warm-up beyond the cold one and counts; a short one was the warm-up.
    if give_up or second_s > effort.block_s:
        contender.keep(second_s)
    if not give_up:
        contender.block(effort.block_s, effort.block_runs)


def _peers(begun: Sequence[Contender]) -> list[Peer]:
    return [Peer(c.candidate, c.timing.seconds, c.error) for c in begun]


def _order(bar: Bar, peers: Sequence[Peer], entry: tuple[Contender, Call]) -> tuple[float, float]:
    return bar.order(entry[0].candidate, peers)
