"""Is a way of running a node worth its first run, or another one? Judged by what is known of the others.

Compiling a model and running it for the first time is most of what a profile costs, and most ways lose plainly. What
can be told beforehand, from the cheapest to the surest:

- a variant computes as one of the same engine and precision did, whose error was over the limit;
- more threads divide the time by their number at best;
- the engine's rates, fitted on what was measured of it (``hetero.cost.roofline``), predict a time, at best so much less
  as the fit was wrong on what it was fitted on.

The best that a way may reach is held against what others do with as many threads or fewer. One that leaves cores free
gets more than its due, since it might run beside itself where its rival serves one call at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hetero.cost.contender import Candidate
from hetero.device import Variant

__all__ = ["Bar", "Peer", "Skipped", "optimistic"]

CLOSE = 1.15
"""A way may be so many times as slow as another and still be measured further: a few runs do not tell more."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a candidate was not measured."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Peer:
    """Another candidate of the same node, on the same shapes."""

    candidate: Candidate
    seconds: float
    error: float | None


def optimistic(seconds: float, spread: float) -> float:
    """The least that a prediction leaves possible; ``spread`` is relative to it.

    >>> optimistic(1.0, 0.5)
    0.5
    """
    return seconds / (1 + 2 * spread)


@dataclass(frozen=True)
class Bar:
    """What a candidate has to reach.

    ``error_limit`` is what an output may be off by. ``prior`` tells the least seconds of a candidate that was not run;
    0 where nothing is known. ``hopeless`` is how many times the seconds of the fastest are too many for whatever
    reason; where it is infinite, everything is measured.
    """

    known: Sequence[Peer] = ()
    error_limit: float = math.inf
    prior: Callable[[Candidate], float] = lambda candidate: 0.0
    hopeless: float = 3.0

    def promise_s(self, candidate: Candidate, begun: Iterable[Peer]) -> float:
        """The least that the candidate may take, as far as is known."""
        threads = candidate.variant.threads
        divided = [
            peer.seconds * peer.candidate.variant.threads / threads
            for peer in (*self.known, *begun)
            if _alike(peer.candidate, candidate) and peer.candidate.variant.threads < threads
        ]
        return max(self.prior(candidate), max(divided, default=0.0))

    def most_s(self, candidate: Candidate, begun: Sequence[Peer]) -> float:
        """From how many seconds on the candidate has lost."""
        if math.isinf(self.hopeless):
            return math.inf
        others = [p for p in (*self.known, *begun) if p.candidate is not candidate and self.is_right(p)]
        # What is inexact may still be taken out for the pipeline's final result, and then what is exact is needed.
        peers = [p for p in others if p.candidate.variant.exact or not candidate.variant.exact]
        fastest = min((p.seconds for p in peers), default=math.inf)
        rivals = [p.seconds for p in peers if p.candidate.variant.threads <= candidate.variant.threads]
        copies = max(1, candidate.processor.cores // candidate.variant.threads)
        return min(self.hopeless * fastest, max(CLOSE, float(copies)) * min(rivals, default=math.inf))

    def is_right(self, peer: Peer) -> bool:
        return peer.error is None or peer.error <= self.error_limit

    def skip(self, candidate: Candidate, begun: Sequence[Peer]) -> str:
        """Why it is not worth a run; empty where it is."""
        if math.isinf(self.hopeless):
            return ""
        for peer in (*self.known, *begun):
            if (
                peer.candidate is not candidate
                and _alike(peer.candidate, candidate)
                and not self.is_right(peer)
            ):
                return (
                    f"not measured: {peer.candidate.variant} computes alike, and its error is {peer.error:.1e}; the "
                    f"limit is {self.error_limit:.1e}"
                )
        least, most = self.promise_s(candidate, begun), self.most_s(candidate, begun)
        if least > most:
            return f"not measured: it takes {least:.2g} s at best, and {most:.2g} s would be too many here"
        return ""


def _alike(a: Candidate, b: Candidate) -> bool:
    """The same but for the number of threads."""
    return a.device.info.name == b.device.info.name and _but_threads(a.variant) == _but_threads(b.variant)


def _but_threads(variant: Variant) -> tuple[object, ...]:
    return variant.precision, sorted((key, repr(value)) for key, value in variant.settings.items())
