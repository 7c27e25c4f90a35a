"""Which two nodes are measured beside each other, and how fast they are: only those that the plan would run so.

What the machine's general factor says of two models may be far off, to either side. So a plan is made in which every
pair that was not measured overlaps at no loss; the pairs that even this plan runs side by side are measured, each once,
and the question is asked again. It ends where that plan overlaps nothing but what is known: no other pair could change
the decision (the value of information, as for single nodes in ``hetero.planning.doubt``).

A pair is measured against what it has to beat: each of its nodes by itself, run the fastest way. Two profiles that were
taken minutes apart differ by as much as is to be gained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from hetero.cost.beside import Side, speeds_of_pair
from hetero.cost.measurement import ProfileKey
from hetero.cost.record import Call
from hetero.cost.store import ProfileStore
from hetero.errors import DeviceError, InfeasibleError
from hetero.graph import Graph
from hetero.machine import Machine
from hetero.planning.contention import Contention, overlaps
from hetero.planning.control import Setting
from hetero.planning.deadline import is_late
from hetero.planning.measure import Samples
from hetero.planning.options import Candidate
from hetero.plans import CONTROL, Choice, Pair, Plan, Request
from hetero.registry import open_device
from hetero.values import digest_of, specs_of

__all__ = ["MOST", "contention_told", "speeds_of_pairs"]

MOST = 8
"""Pairs that are measured for one plan. Each takes about a second."""

TOLD = 4
_KIND = "pair side by side"


def speeds_of_pairs(
    graph: Graph,
    machine: Machine,
    request: Request,
    setting: Setting,
    chosen: Callable[[Setting], Plan],
    samples: Samples,
    store: ProfileStore,
    deadline: float | None,
) -> Mapping[Pair, float]:
    """The speeds of all pairs that could decide, added to those that are known; measured once, then kept in the store.

    ``chosen`` is the plan that a setting leads to. Of throughput, energy and cost no pair decides. What holds the
    interpreter lock, runs inside a map or on another computer is not measured: the model stands for it.
    """
    found: dict[Pair, float] = {}
    passed: set[Pair] = set()
    if request.objective != "latency" or len(list(graph)) < 2:
        return found

    def look(pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            speeds = _speeds(pair, graph, machine, setting, samples, store, deadline)
            if speeds is None:
                passed.add(pair)
                continue
            a, mine, b, other = pair
            found[pair], found[b, other, a, mine] = speeds

    look([*setting.pairs][::2])  # what is known of them is relative to estimates, which may be others by now
    while len(found) // 2 < MOST:
        try:
            plan = chosen(replace(setting, contention=Contention({}), pairs=found))
        except InfeasibleError:  # the same is found out, and told, without optimism
            break
        asked = [pair for pair in _together(plan) if pair not in found and pair not in passed]
        if not asked:
            break
        look(asked[: MOST - len(found) // 2])
    return found


def _together(plan: Plan) -> Iterator[Pair]:
    for a, b in overlaps(plan.problem, plan.schedule):
        yield a.name, plan.choices[a.name], b.name, plan.choices[b.name]


def _speeds(
    pair: Pair,
    graph: Graph,
    machine: Machine,
    setting: Setting,
    samples: Samples,
    store: ProfileStore,
    deadline: float | None,
) -> tuple[float, float] | None:
    """What the store knows, or the clock says; None where neither is to be asked."""
    a, mine, b, other = pair
    ways = []
    for path, choice in ((a, mine), (b, other)):
        if (
            choice.device == CONTROL
            or graph[path].op.kind == "function"
            or path not in setting.evidence.calls
        ):
            return None
        ways.append(_candidate(path, choice, graph, machine))
    found = [(way, _rival(way, graph, machine, setting)) for way in ways]
    names = [repr([_key(one, setting) for one in (way, rival)]) for way, (rival, _) in found]
    first, second = sorted((0, 1), key=lambda i: names[i])
    name = digest_of(names[first], names[second])
    kept = store.get_record(_KIND, name)
    if kept is None:
        if is_late(deadline) or not samples.values or ways[0].processor.name != "cpu":
            return None
        sides = [_side(found[i][0], samples) for i in (first, second)]
        rivals = [_side(found[i][1][0], samples) for i in (first, second)]
        try:
            speeds = speeds_of_pair((sides[0], sides[1]), (rivals[0], rivals[1]))
        except DeviceError:  # each did run alone: what fails beside the other is not run so
            speeds = (0.5, 0.5)
        kept = {"speeds": list(speeds), "at": time.time()}
        store.put_record(_KIND, name, kept)
    speeds = float(kept["speeds"][0]), float(kept["speeds"][1])
    return speeds[first] * found[0][1][1], speeds[second] * found[1][1][1]


def _side(way: Candidate, samples: Samples) -> Side:
    return Side(open_device(way.info), way.op, way.built, _largest(way, samples))


def _candidate(path: str, choice: Choice, graph: Graph, machine: Machine) -> Candidate:
    info = machine.device(choice.device)
    return Candidate(path, graph[path].op, info, machine.processor(info.processor), choice.variant)


def _rival(way: Candidate, graph: Graph, machine: Machine, setting: Setting) -> tuple[Candidate, float]:
    """The fastest way to run the node with nothing beside it on this processor, and how many times as fast it is."""
    seconds = {
        option.choice: option.estimate.seconds
        for option in setting.options[way.path]
        if option.estimate is not None and option.usable
        if machine.device(option.choice.device).processor == way.processor.name
    }
    fastest = min(seconds, key=seconds.__getitem__)
    faster = seconds[way.choice] / seconds[fastest] if fastest != way.choice else 1.0
    return _candidate(way.path, fastest, graph, machine), faster


def _key(way: Candidate, setting: Setting) -> ProfileKey:
    return way.key(max(way.calls(setting.evidence), key=lambda call: call.nbytes).inputs)


def _largest(way: Candidate, samples: Samples) -> Call:
    return max(samples.calls_as(way), key=lambda call: sum(spec.nbytes for spec in specs_of(call.inputs)))


def contention_told(plan: Plan, measured_at: float) -> list[str]:
    """Lines for the plan's notes: of what runs side by side, and whether its contention is measured or modelled.

    ``measured_at`` is when the speed of busy cores was measured, in seconds since the epoch.
    """
    together = list(_together(plan))
    known = plan.speeds.pairs
    chosen = {pair for pair in together if pair in known}
    chosen |= {(b, other, a, mine) for a, mine, b, other in chosen}
    apart = [pair for pair in list(known)[::2] if pair not in chosen]
    modelled = [f"{a} and {b}" for a, mine, b, other in together if (a, mine, b, other) not in known]
    say = partial(_speeds_told, known)
    day = time.strftime("%Y-%m-%d", time.gmtime(measured_at))
    return [
        line
        for line, any_of in (
            (f"side by side, contention measured: {_some([say(p) for p in together if p in known])}", chosen),
            (f"measured side by side, and not run so: {_some([say(pair) for pair in apart])}", apart),
            (
                f"side by side, contention modelled from the speed of busy cores of {day}: {_some(modelled)}",
                modelled,
            ),
        )
        if any_of
    ]


def _speeds_told(known: Mapping[Pair, float], pair: Pair) -> str:
    a, mine, b, other = pair
    return (
        f"{a} on {mine} and {b} on {other} at {known[pair]:.2f} and {known[b, other, a, mine]:.2f} "
        "of their speed alone"
    )


def _some(told: list[str]) -> str:
    more = len(told) - TOLD
    return "; ".join(told[:TOLD]) + (f"; and {more} more" if more > 0 else "")
