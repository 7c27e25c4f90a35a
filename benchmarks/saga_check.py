"""Is a peer's schedule one? Checked on plain values, by code that shares nothing with hetero or with SAGA."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

__all__ = ["makespan", "why_invalid"]

TOLERANCE = 1e-9  # of the makespan


def makespan(placed: dict[str, tuple[str, float, float]]) -> float:
    """Seconds until the last task of a schedule ends."""
    return max(end for _, _, end in placed.values())


def why_invalid(problem: dict[str, Any], placed: dict[str, tuple[str, float, float]]) -> str | None:
    """The first rule that a schedule breaks, None where it keeps them all.

    `placed` has node, start and end of each task. The problem is a line of `saga_peers.py`: a task takes its cost
    over its node's speed, an edge between two nodes its size over their link's speed, and a node runs one task at a
    time.
    """
    cost, speed = problem["cost"], problem["speed"]
    if set(placed) != set(cost):
        return f"places {len(placed)} tasks, not the {len(cost)} there are"
    slack = TOLERANCE * makespan(placed)
    for task, (node, start, end) in placed.items():
        if not start >= 0:
            return f"{task} starts at {start}"
        if not abs(end - start - cost[task] / speed[node]) <= slack:
            return f"{task} takes {end - start}, not {cost[task] / speed[node]}"
    link_speed = {pair: rate for a, b, rate in problem["link_speed"] for pair in ((a, b), (b, a))}
    for source, target, size in problem["edges"]:
        (here, _, sent), (there, start, _) = placed[source], placed[target]
        arrival = sent if here == there else sent + size / link_speed[here, there]
        if not start >= arrival - slack:
            return f"{target} starts at {start}, before the data of {source} arrives at {arrival}"
    for node in speed:
        busy = sorted((start, end) for where, start, end in placed.values() if where == node and end > start)
        for (_, end), (start, _) in pairwise(busy):
            if not start >= end - slack:
                return f"{node} runs two tasks at {start}"
    return None
