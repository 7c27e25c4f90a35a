"""A lower bound for chains of segments: the shortest way through them, from processor to processor.

Between two cut tasks (`hetero.schedule.series`) a schedule takes at least as long as the segment alone would, given
where its two ends are. So the makespan is at least the shortest path through a graph whose nodes are the cut tasks'
options and whose arcs are bounds on segments. Arcs are first as long as what can be told at once; then those on the
shortest path are solved, until all on it are or the time is up. Solving only what the path touches is lazy evaluation
of edges, as in C. Dellin, S. Srinivasa, "A unifying formalism for shortest path problems with expensive edge
evaluations via lazy best-first search over paths with edge selectors", ICAPS 2016,
https://doi.org/10.1609/icaps.v26i1.13788.

The critical path lets each task choose anew where its predecessor ran, and lets all that is parallel run at once. On
neural networks on equal accelerators this bound is up to a fifth above it (ADR 0025).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints
from hetero.schedule.bounds import SAFETY, Ends, quick_bound
from hetero.schedule.clock import now
from hetero.schedule.series import Segment, processor_kinds, segments

__all__ = ["series_bound", "staggered_load"]

Solver = Callable[[Arrays, float], float]
"""Gives a proven bound in seconds on the makespan of a part, in about so many seconds of time."""

LEAST_S = 0.05
"""Of time for a segment: with less there is none for a solver."""


def series_bound(arrays: Arrays, ends: Ends, *, target_s: float, until: float, solver: Solver) -> float:
    """A bound in seconds on the makespan, 0 where the graph has no segments.

    `ends` are those of all options. Segments are solved until the bound is `target_s`, or `clock.now()` is `until`.
    """
    parts = segments(arrays)
    if not any(len(part.inside) for part in parts):
        return 0.0
    chain = _Chain(arrays, ends, parts, until)
    while True:
        length_s, arcs = chain.shortest()
        unsolved = [arc for arc in arcs if not chain.is_solved(arc)]
        if length_s >= target_s or not unsolved or until - now() < LEAST_S:
            return length_s * SAFETY
        for left, arc in zip(range(len(unsolved), 0, -1), unsolved, strict=True):
            seconds = until - now()
            if seconds < LEAST_S:
                break
            chain.solve(arc, max(LEAST_S, seconds / left), solver)


@dataclass(frozen=True, slots=True)
class _Arc:
    """A segment with processors for its ends."""

    segment: int
    start: int
    end: int


class _Labels:
    """What paths reach an option of a cut task: when they can start it, and what their present stay holds then.

    None is both later and fuller than another. `option` and `label` say where each comes from.
    """

    def __init__(self, seconds: Floats, nbytes: Floats, option: Ints | int, label: Ints | int) -> None:
        self.seconds, self.nbytes = seconds, nbytes
        self.option, self.label = (
            np.broadcast_to(option, seconds.shape),
            np.broadcast_to(label, seconds.shape),
        )

    @classmethod
    def first(cls, seconds: float, nbytes: float) -> _Labels:
        return cls(np.array([seconds]), np.array([nbytes]), -1, -1)

    @classmethod
    def merged(cls, all_labels: list[_Labels], head: float) -> _Labels:
        seconds = np.maximum(np.concatenate([labels.seconds for labels in all_labels]), head)
        nbytes = np.concatenate([labels.nbytes for labels in all_labels])
        order = np.lexsort((nbytes, seconds))
        order = order[np.isfinite(seconds[order])]
        fullest = np.concatenate([[np.inf], np.minimum.accumulate(nbytes[order])])[:-1]
        kept = order[nbytes[order] < fullest]
        option = np.concatenate([labels.option for labels in all_labels])
        label = np.concatenate([labels.label for labels in all_labels])
        return cls(seconds[kept], nbytes[kept], option[kept], label[kept])

    @property
    def earliest(self) -> float:
        """Labels are in the order of their seconds."""
        return float(self.seconds[0]) if len(self.seconds) else np.inf


class _Chain:
    """Segments with what is known of how long they take, from each processor to each."""

    def __init__(self, arrays: Arrays, ends: Ends, parts: list[Segment], until: float) -> None:
        self._arrays, self._ends, self._parts = arrays, ends, parts
        self._kinds = processor_kinds(arrays)
        self._until = until
        self._room = arrays.memory_capacity * (1 + 1e-9)
        # A copy that is shared may be there already.
        self._bytes = np.where(arrays.key < 0, arrays.memory, 0.0)
        self._solved: set[tuple[int, int, int, bool]] = set()
        self._lengths = [self._at_once(part) for part in parts]

    def shortest(self) -> tuple[float, list[_Arc]]:
        """The length of the shortest path through all segments, and its arcs that are not a mere transfer.

        A stay on a processor ends where its memory is full. That memory is taken to be empty again when the path comes
        back, which only makes the path shorter.
        """
        arrays, ends = self._arrays, self._ends
        layers = [[_Labels.first(ends.head[o], self._bytes[o]) for o in self._options(self._parts[0].first)]]
        for part, lengths in zip(self._parts, self._lengths, strict=True):
            own = self._options(part.first)
            moved = np.array([labels.earliest for labels in layers[-1]])
            moved += arrays.seconds[own]
            layers.append(
                [self._reach(own, layers[-1], moved, lengths, o) for o in self._options(part.last).tolist()]
            )
        last = self._options(self._parts[-1].last)
        totals = np.array([labels.earliest for labels in layers[-1]])
        totals += arrays.seconds[last] + ends.tail[last]
        return float(totals.min()), self._arcs(layers, int(totals.argmin()))

    def _reach(
        self, own: Ints, before: list[_Labels], moved: Floats, lengths: Floats, option: int
    ) -> _Labels:
        """The labels of an option of the next cut task, from all options of the one before."""
        arrays = self._arrays
        there = int(arrays.processor[option])
        places = arrays.processor[own]
        arrival = np.where(places == there, np.inf, moved + lengths[places, there])
        best = int(arrival.argmin())
        found = [_Labels(arrival[best : best + 1], self._bytes[option : option + 1], best, 0)]
        for number in np.flatnonzero(places == there).tolist():
            stay = before[number]
            held = stay.nbytes + self._bytes[option]
            fits = np.flatnonzero(held <= self._room[there])
            seconds = stay.seconds[fits] + (arrays.seconds[own[number]] + lengths[there, there])
            found.append(_Labels(seconds, held[fits], number, fits))
        return _Labels.merged(found, self._ends.head[option])

    def _arcs(self, layers: list[list[_Labels]], chosen: int) -> list[_Arc]:
        """The arcs of the fastest path to an option of the last cut task."""
        arrays, arcs = self._arrays, []
        if not len(layers[-1][chosen].seconds):
            return []
        label = 0  # the earliest
        for number in range(len(self._parts) - 1, -1, -1):
            part, labels = self._parts[number], layers[number + 1][chosen]
            before, label = int(labels.option[label]), int(labels.label[label])
            start, end = (
                int(arrays.processor[self._options(task)[option]])
                for task, option in ((part.first, before), (part.last, chosen))
            )
            if len(part.inside):
                arcs.append(_Arc(number, start, end))
            chosen = before
        return arcs[::-1]

    def is_solved(self, arc: _Arc) -> bool:
        return self._look(arc) in self._solved

    def solve(self, arc: _Arc, seconds: float, solver: Solver) -> None:
        """Raise the length of an arc, and of all that look the same."""
        if self.is_solved(arc):
            return
        self._solved.add(self._look(arc))
        lengths = self._lengths[arc.segment]
        part = self._parts[arc.segment].between(self._arrays, arc.start, arc.end)
        bound = solver(part, seconds)
        alike = self._pairs_like(arc.start, arc.end)
        lengths[alike] = np.maximum(lengths[alike], bound)

    def _look(self, arc: _Arc) -> tuple[int, int, int, bool]:
        kinds = self._kinds
        return arc.segment, int(kinds[arc.start]), int(kinds[arc.end]), arc.start == arc.end

    def _pairs_like(self, start: int, end: int) -> np.ndarray:
        kinds = self._kinds
        alike = (kinds == kinds[start])[:, None] & (kinds == kinds[end])[None, :]
        same: np.ndarray = alike & (np.eye(len(kinds), dtype=bool) == (start == end))
        return same

    def _options(self, task: int) -> Ints:
        return np.arange(self._arrays.first[task], self._arrays.first[task + 1])

    def _at_once(self, part: Segment) -> Floats:
        """p x p: bounds that need no solver, from the end of the first cut task to the start of the last.

        Infinite where one of them has no option, which no path meets; 0 for all that is looked at after `until`.
        """
        arrays = self._arrays
        if len(part.inside) == 0:
            edges = arrays.outgoing[arrays.outgoing_first[part.first] : arrays.outgoing_first[part.first + 1]]
            direct = edges[arrays.target[edges] == part.last]
            delays: Floats = np.max([arrays.delays(edge) for edge in direct.tolist()], axis=0)
            return delays
        lengths = np.full((arrays.processors, arrays.processors), np.nan)
        starts, ends = (
            np.unique(arrays.processor[self._options(task)]).tolist() for task in (part.first, part.last)
        )
        for start in starts:
            for end in ends:
                if np.isnan(lengths[start, end]):
                    lengths[self._pairs_like(start, end)] = self._quick(part, start, end)
        return np.where(np.isnan(lengths), np.inf, lengths)

    def _quick(self, part: Segment, start: int, end: int) -> float:
        if now() > self._until:
            return 0.0
        alone = part.between(self._arrays, start, end)
        known = Ends.of(alone)
        path = quick_bound(alone, known)
        return path if np.isinf(path) else max(path, staggered_load(alone, known))


def staggered_load(arrays: Arrays, ends: Ends) -> float:
    """A bound from what processors can do that begin when data has come, and end so that it still arrives.

    A processor works between the least head of its options and the least tail. Work counts by how fast processors are
    on the whole, so that these weights and the cheapest place of each task give a bound, as in
    `hetero.schedule.load_bounds`.
    """
    timed = (arrays.seconds > 0) & np.isfinite(ends.head) & np.isfinite(ends.tail)
    in_use = np.unique(arrays.processor[timed])
    windows, weight = np.zeros(arrays.processors), np.zeros(arrays.processors)
    for processor in in_use.tolist():
        here = timed & (arrays.processor == processor)
        windows[processor] = ends.head[here].min() + ends.tail[here].min()
        weight[processor] = 1.0 / arrays.seconds[here].mean()
    work = arrays.seconds * arrays.cores * weight[arrays.processor]
    total = float(np.minimum.reduceat(work, arrays.first[:-1]).sum()) if arrays.tasks else 0.0
    if total == 0:
        return 0.0
    in_use = in_use[np.argsort(windows[in_use], kind="stable")]
    rates = np.cumsum(weight[in_use] * arrays.capacity[in_use])
    lost = np.cumsum(weight[in_use] * arrays.capacity[in_use] * windows[in_use])
    # The processors that are done waiting by then: of all numbers of them, the one that is true gives the least.
    return float(((total + lost) / rates).min()) * SAFETY
