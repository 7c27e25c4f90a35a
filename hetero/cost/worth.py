"""Is a way of running a node worth its first run, or another one? Judged by what is known of the others.

Compiling a model and running it for the first time is most of what a profile costs, and most ways lose plainly. What
can be told beforehand, from the cheapest to the surest:

- numbers of a low precision are further from the reference than the limit allows, whatever is computed with them;
- a variant computes as another did, whose error was over the limit: the same engine and precision with other threads,
  or far over the limit on other inputs of the same op;
- an engine that lost plainly on other shapes of the op will not be far ahead on these;
- more threads divide the time by their number at best;
- the engine's rates, fitted on what was measured of it (``hetero.cost.roofline``), predict a time, at best so much less
  as the fit was wrong on what it was fitted on.

The best that a way may reach is held against what others do with as many threads or fewer. One that leaves cores free
gets more than its due, since it might run beside itself where its rival serves one call at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hetero import show
from hetero.cost.contender import Candidate
from hetero.device import Variant

__all__ = ["UNMEASURED", "Bar", "Memory", "Peer", "Skipped", "lost_unmeasured", "optimistic"]

ELSEWHERE = 1.5
"""How far the ratio of two engines on one shape may be from that on another shape of the same op."""

LEAST_ERRORS = {"bf16": 2.0**-9 / 8, "fp16": 2.0**-12 / 8, "int8": 2.0**-8 / 8}
"""The unit roundoff of each precision, divided by what averaging over an output may win at best: bf16 was off by 3e-4
at least on whatever model was tried, and 2.4e-4 stands here. (Higham, Accuracy and Stability of Numerical Algorithms,
2nd ed., 2002, chapter 2.)"""

FAR = 10.0
"""How many times the limit an error has to be that it is over it on other inputs, too."""

UNMEASURED = "not measured"
"""What the reason of a way begins with that was not worth a run, though it could run."""

_TOO_LONG = "would be too long here"

CLOSE = 1.15
"""A way may be so many times as slow as another and still be measured further: a few runs do not tell more."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a candidate was not measured."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def lost_unmeasured(reason: str) -> bool:
    """Whether a way was not run only since others are quicker: without those it may be the best.

    >>> lost_unmeasured("not measured: it takes 3 ms at best, and 1 ms would be too long here")
    True
    >>> lost_unmeasured("not measured: int8 is off by 4.9e-04 at the very least, and the limit is 1.0e-04")
    False
    """
    return reason.startswith(UNMEASURED) and reason.endswith(_TOO_LONG)


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


@dataclass
class Memory:
    """What the nodes measured so far tell of the same ops elsewhere in a pipeline."""

    ratios: dict[tuple[str, ...], float] = field(default_factory=dict)
    """By op, device and variant: the least that it took relative to the best way, on whatever shapes."""
    wrong: dict[tuple[str, ...], Peer] = field(default_factory=dict)
    """By what decides an op's rounding: one whose error was far over the limit."""

    def note(self, peers: Sequence[Peer], bar: Bar) -> None:
        """Learn from a node's candidates that have been run."""
        fastest = min((peer.seconds for peer in peers if bar.is_right(peer)), default=math.inf)
        for peer in peers:
            if peer.error is not None and peer.error > FAR * bar.error_limit:
                self.wrong.setdefault(_rounding(peer.candidate), peer)
            elif bar.is_right(peer) and math.isfinite(fastest):
                name = _name(peer.candidate)
                self.ratios[name] = min(self.ratios.get(name, math.inf), peer.seconds / fastest)

    def ratio(self, candidate: Candidate) -> float | None:
        """How many times the best way's seconds a candidate took elsewhere; None where it was not run."""
        return self.ratios.get(_name(candidate))

    def like(self, candidate: Candidate) -> Peer | None:
        """One that computes alike and was wrong."""
        return self.wrong.get(_rounding(candidate)) if candidate.op.kind != "function" else None


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
    memory: Memory = field(default_factory=Memory)
    exact: bool = False
    """Whether there is a way that is right without question: where there is none, no other is given up unmeasured."""

    def order(self, candidate: Candidate, begun: Sequence[Peer]) -> tuple[float, float]:
        """Who goes first: what was best elsewhere; else few threads, since they bound what more can reach."""
        ratio = self.memory.ratio(candidate)
        return (candidate.variant.threads if ratio is None else ratio, self.promise_s(candidate, begun))

    def promise_s(self, candidate: Candidate, begun: Sequence[Peer]) -> float:
        """The least that the candidate may take, as far as is known."""
        threads = candidate.variant.threads
        divided = [
            peer.seconds * peer.candidate.variant.threads / threads
            for peer in (*self.known, *begun)
            if _alike(peer.candidate, candidate) and peer.candidate.variant.threads < threads
        ]
        fastest = min((p.seconds for p in (*self.known, *begun) if self.is_right(p)), default=0.0)
        elsewhere = (self.memory.ratio(candidate) or 0.0) * fastest / ELSEWHERE
        return max(self.prior(candidate), elsewhere, *divided)

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

    def is_wrong(self, candidate: Candidate, error: float | None) -> bool:
        """Whether it is known to be off by too much; a Python function is its own reference, random or not."""
        return candidate.op.kind != "function" and error is not None and error > self.error_limit

    def skip(self, candidate: Candidate, begun: Sequence[Peer]) -> str:
        """Why it is not worth a run; empty where it is."""
        if math.isinf(self.hopeless):
            return ""
        variant = candidate.variant
        least_error = 0.0 if variant.exact else LEAST_ERRORS.get(variant.precision, 0.0)
        if self.exact and least_error > self.error_limit:
            return (
                f"{UNMEASURED}: {variant.precision} is off by {least_error:.1e} at the very least, and the limit is "
                f"{self.error_limit:.1e}"
            )
        peers = [p for p in (*self.known, *begun) if p.candidate is not candidate and not self.is_right(p)]
        wrong = next((p for p in peers if _alike(p.candidate, candidate)), self.memory.like(candidate))
        if wrong is not None and candidate.op.kind != "function":
            return (
                f"{UNMEASURED}: {wrong.candidate} computes alike, and its error is {wrong.error:.1e}; the limit is "
                f"{self.error_limit:.1e}"
            )
        least, most = self.promise_s(candidate, begun), self.most_s(candidate, begun)
        if least > most:
            times = f"{show.seconds(least)} at best, and {show.seconds(most)}"
            return f"{UNMEASURED}: it takes {times} {_TOO_LONG}"
        return ""


def _alike(a: Candidate, b: Candidate) -> bool:
    """The same but for threads and streams."""
    return a.device.info.name == b.device.info.name and _settings(a.variant) == _settings(b.variant)


def _settings(variant: Variant, *without: str) -> tuple[object, ...]:
    kept = ((key, repr(value)) for key, value in variant.settings.items() if key not in ("streams", *without))
    return variant.precision, sorted(kept)


def _name(candidate: Candidate) -> tuple[str, ...]:
    variant = candidate.variant
    ways = (variant.threads, variant.settings.get("streams", 1), _settings(variant, "calibration"))
    return candidate.op.digest, candidate.device.info.name, repr(ways)


def _rounding(candidate: Candidate) -> tuple[str, ...]:
    """A quantised model is the same file for every engine; its calibration moves the error, not to another order."""
    engine = "" if "quantised" in candidate.variant.settings else candidate.device.info.name
    return candidate.op.digest, engine, repr(_settings(candidate.variant, "calibration"))
