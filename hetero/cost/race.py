"""Candidates of one node take turns under the clock until each is known well enough, or is plainly
hopeless."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    those of the next do. It is hopeless, and not refined, where its best run of the first block takes over
    ``hopeless`` times the median of the best. A block lasts ``block_s``, at most ``block_runs`` runs; before
    another engine's block there is a pause of ``pause_s``. Of a node with many calls (a map's item) up to
    ``shapes`` are measured.
    """

    tolerance: float = 0.03
    candidate_s: float = 0.6
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
    running: list[Contender] = []
    for contender, call in entries:
        if late():
            break
        try:
            begin_turn(contender)
            _first_block(contender, call, effort, best_s)
        except DeviceError as error:
            yield contender, error
            continue
        if min(contender.seconds) > effort.hopeless * best_s:
            yield contender, "hopeless"
            continue
        best_s = min(best_s, contender.timing.seconds)
        running.append(contender)
    while running:
        for contender in tuple(running):
            if late() or effort.enough(contender.timing, contender.turns, contender.spent_s):
                running.remove(contender)
                yield contender, "measured"
                continue
            try:
                begin_turn(contender)
                contender.block(effort.block_s, effort.block_runs)
            except DeviceError as error:
                running.remove(contender)
                yield contender, error
        running.reverse()  # there and back again: a steady drift then averages out


def _first_block(contender: Contender, call: Call, effort: Effort, best_s: float) -> None:
    """The cold run, a second one, and a block unless the second run was hopeless already."""
    second_s = contender.begin(call)
    hopeless = second_s > effort.hopeless * best_s
    # A long run needs no warm-up beyond the cold one and counts; a short one was the warm-up.
    if hopeless or second_s > effort.block_s:
        contender.keep(second_s)
    if not hopeless:
        contender.block(effort.block_s, effort.block_runs)
