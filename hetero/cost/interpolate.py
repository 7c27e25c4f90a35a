"""Seconds on shapes that were not measured, from those that were: straight lines over the amount of work."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hetero.ops.base import Op
from hetero.values import Specs

__all__ = ["Point", "interpolate", "representatives", "sizes_of"]

_K = TypeVar("_K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Point:
    """Seconds and their spread at an amount of work (FLOP, or bytes: the unit cancels)."""

    size: float
    seconds: float
    spread_s: float


def sizes_of(op: Op, specs: Sequence[Specs]) -> tuple[float, ...]:
    """How much work each call is, in one unit for all of them: FLOP where the op knows, else bytes of its
    inputs."""
    work = {one: op.work(one) for one in dict.fromkeys(specs)}
    flops = [w.flops for one in specs if (w := work[one]) is not None and w.flops > 0]
    if len(flops) == len(specs):
        return tuple(flops)
    return tuple(float(sum(spec.nbytes for spec in one)) for one in specs)


def representatives(sizes: Sequence[float], keys: Sequence[_K], count: int) -> tuple[int, ...]:
    """Which calls to measure so that the others lie between them: up to ``count``, of different keys, by
    quantiles of size, the smallest and the largest among them.

    >>> representatives([5, 1, 3, 3, 9], "abccd", 3)
    (1, 3, 4)
    """
    order = sorted(range(len(sizes)), key=lambda i: sizes[i])
    steps = max(min(count, len(order)) - 1, 1)
    wanted = [order[round(step * (len(order) - 1) / steps)] for step in range(min(count, len(order)))]
    return tuple({keys[i]: i for i in reversed(wanted)}.values())[::-1]


def interpolate(points: Sequence[Point], size: float) -> Point:
    """The value at a size: on the line between its neighbours; beyond the last one, on with the last line's
    slope; from one point alone, in proportion.

    The spread is that of the points plus how much the answer hangs on the line: zero at a measured point,
    largest halfway between two that differ, growing with the distance beyond the last.

    >>> interpolate([Point(10, 1.0, 0.0), Point(20, 2.0, 0.0)], 15)
    Point(size=15, seconds=1.5, spread_s=0.25)
    """
    known = _merged(points)
    if len(known) == 1:
        return _in_proportion(known[0], size)
    above = next((i for i, point in enumerate(known) if point.size >= size), len(known) - 1)
    a, b = known[max(above, 1) - 1], known[max(above, 1)]
    weight = (size - a.size) / (b.size - a.size)
    seconds = a.seconds + weight * (b.seconds - a.seconds)
    inside = 0.0 <= weight <= 1.0
    nearest = a if weight < 0.5 else b
    doubt = (
        weight * (1 - weight) * abs(b.seconds - a.seconds) if inside else abs(seconds - nearest.seconds) / 2
    )
    measured = a.spread_s + weight * (b.spread_s - a.spread_s) if inside else nearest.spread_s
    # A falling line may cross zero beyond the points; no run takes less than nothing.
    return Point(size, max(seconds, nearest.seconds / 10), measured + doubt)


def _in_proportion(point: Point, size: float) -> Point:
    seconds = point.seconds * size / point.size if point.size > 0 else point.seconds
    return Point(size, seconds, point.spread_s + abs(seconds - point.seconds) / 2)


def _merged(points: Sequence[Point]) -> list[Point]:
    """One point a size, sorted: different shapes may be the same amount of work."""
    by_size: dict[float, list[Point]] = {}
    for point in points:
        by_size.setdefault(point.size, []).append(point)
    return [
        Point(
            size,
            sum(p.seconds for p in same) / len(same),
            max(p.spread_s for p in same) + (max(p.seconds for p in same) - min(p.seconds for p in same)) / 2,
        )
        for size, same in sorted(by_size.items())
    ]
