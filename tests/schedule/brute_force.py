"""The optimum of a tiny problem by trying everything: slow, short and sharing no code with hetero's solvers.

Every choice of options with every topological order, each task at its earliest fit: among these schedules
(the active ones) there is always an optimal one.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

from hetero.schedule import Limits, Option, Problem


def optimum(problem: Problem, objective: str, limits: Limits | None = None) -> float | None:
    """The least objective value of any schedule within limits; None where there is none."""
    limits = limits or problem.limits
    best = math.inf
    for choice in itertools.product(*(range(len(task.options)) for task in problem.tasks)):
        chosen = {task.name: task.options[i] for task, i in zip(problem.tasks, choice, strict=True)}
        if not _fits(problem, chosen, limits):
            continue
        value = {
            "latency": lambda chosen=chosen: 0.0,
            "energy": lambda chosen=chosen: sum(o.joules for o in chosen.values()),
            "cost": lambda chosen=chosen: sum(o.dollars for o in chosen.values()),
            "throughput": lambda chosen=chosen: _period(problem, chosen),
        }[objective]()
        if value >= best:
            continue
        if objective == "latency" or limits.seconds is not None:
            cap = best if objective == "latency" else math.inf
            makespan = _makespan(problem, chosen, cap)
            if limits.seconds is not None and makespan > limits.seconds * (1 + 1e-12):
                continue
            value = makespan if objective == "latency" else value
        best = min(best, value)
    return None if math.isinf(best) else best


def _fits(problem: Problem, chosen: dict[str, Option], limits: Limits) -> bool:
    memory: dict[str, float] = defaultdict(float)
    shared: dict[tuple[str, str], float] = {}
    for option in chosen.values():
        if option.resident is None:
            memory[option.processor] += option.memory_bytes
        else:
            key = (option.processor, option.resident)
            shared[key] = max(shared.get(key, 0.0), option.memory_bytes)
    for (processor, _), size in shared.items():
        memory[processor] += size
    capacity = {p.name: p for p in problem.processors}
    links = {(k.source, k.target) for k in problem.links}
    return (
        all(o.cores <= capacity[o.processor].cores or o.seconds == 0 for o in chosen.values())
        and all(
            capacity[name].memory_bytes is None or used <= capacity[name].memory_bytes
            for name, used in memory.items()
        )
        and all(
            e.nbytes == 0
            or chosen[e.source].processor == chosen[e.target].processor
            or (chosen[e.source].processor, chosen[e.target].processor) in links
            for e in problem.edges
        )
        and _within(sum(memory.values()), limits.memory_bytes)
        and _within(sum(o.joules for o in chosen.values()), limits.joules)
        and _within(sum(o.dollars for o in chosen.values()), limits.dollars)
        and _within(sum(o.error for o in chosen.values()), limits.error)
    )


def _within(value: float, limit: float | None) -> bool:
    return limit is None or value <= limit * (1 + 1e-12)


def _period(problem: Problem, chosen: dict[str, Option]) -> float:
    busy = {p.name: 0.0 for p in problem.processors}
    cores = {p.name: p.cores for p in problem.processors}
    for option in chosen.values():
        busy[option.processor] += option.seconds * option.cores / cores[option.processor]
    sent: dict[tuple[str, str], float] = defaultdict(float)
    seen = set()
    for edge in problem.edges:
        pair = chosen[edge.source].processor, chosen[edge.target].processor
        if pair[0] != pair[1] and edge.nbytes > 0 and (edge.source, edge.nbytes, pair) not in seen:
            seen.add((edge.source, edge.nbytes, pair))
            sent[pair] += edge.nbytes
    rate = {(k.source, k.target): k.bytes_per_s for k in problem.links}
    return max([0.0, *busy.values(), *(nbytes / rate[pair] for pair, nbytes in sent.items())])


def _makespan(problem: Problem, chosen: dict[str, Option], best: float) -> float:
    """The shortest makespan of a choice, or anything >= `best` where it is not shorter than that."""
    links = {(k.source, k.target): k for k in problem.links}
    cores = {p.name: p.cores for p in problem.processors}
    inputs = {
        task.name: [(e.source, _delay(e, chosen, links)) for e in problem.edges if e.target == task.name]
        for task in problem.tasks
    }

    def extend(placed: dict[str, tuple[float, float]], latest: float, best: float) -> float:
        if latest >= best:
            return best
        if len(placed) == len(problem.tasks):
            return latest
        for task in problem.tasks:
            if task.name in placed or any(source not in placed for source, _ in inputs[task.name]):
                continue
            option = chosen[task.name]
            ready = max((placed[source][1] + delay for source, delay in inputs[task.name]), default=0.0)
            rivals = [
                (*times, chosen[name].cores)
                for name, times in placed.items()
                if chosen[name].processor == option.processor and chosen[name].seconds > 0
            ]
            start = _earliest(ready, option, rivals, cores[option.processor])
            end = start + option.seconds
            best = extend({**placed, task.name: (start, end)}, max(latest, end), best)
        return best

    return extend({}, 0.0, best)


def _delay(edge, chosen, links) -> float:  # type: ignore[no-untyped-def]
    source, target = chosen[edge.source].processor, chosen[edge.target].processor
    if source == target or edge.nbytes == 0:
        return 0.0
    link = links[source, target]
    return float(link.latency_s + edge.nbytes / link.bytes_per_s)


def _earliest(ready: float, option: Option, rivals: list[tuple[float, float, int]], capacity: int) -> float:
    if option.seconds == 0:
        return ready
    for start in sorted({ready, *(end for _, end, _ in rivals if end > ready)}):
        moments = [
            start,
            *(begin for begin, _, _ in rivals if start < begin < start + option.seconds - 1e-12),
        ]
        if all(
            option.cores + sum(c for begin, end, c in rivals if begin <= moment < end - 1e-12) <= capacity
            for moment in moments
        ):
            return start
    raise AssertionError("after the last rival's end there is always room")
