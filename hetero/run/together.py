"""Figures of nodes that run in several processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hetero.run.timing import NodeStats

__all__ = ["together"]


def together(found: Iterable[Mapping[str, NodeStats]]) -> dict[str, NodeStats]:
    """The figures of several processes that run the same nodes, as one: p50 is the mean by calls, p99 the largest.

    >>> both = together([{"a": NodeStats(1, 1.0, 2.0)}, {"a": NodeStats(3, 2.0, 3.0)}])
    >>> both["a"].calls, both["a"].p50_s, both["a"].p99_s
    (4, 1.75, 3.0)
    """
    merged: dict[str, NodeStats] = {}
    for path, new in ((path, stats) for part in found for path, stats in part.items()):
        old = merged.get(path, NodeStats(0, 0.0, 0.0))
        calls = old.calls + new.calls
        p50_s = (old.p50_s * old.calls + new.p50_s * new.calls) / calls if calls else 0.0
        merged[path] = NodeStats(
            calls,
            p50_s,
            max(old.p99_s, new.p99_s),
            old.nbytes + new.nbytes,
            timed=old.timed + new.timed,
            outliers=old.outliers + new.outliers,
            spread_s=max(old.spread_s, new.spread_s),
            shapes=(*old.shapes, *new.shapes),
        )
    return merged
