"""Samples -> evidence -> candidates -> measurements -> problem -> schedule -> checked plan.

Each step is a function of its own file; here they are in their order, and the loop back: when the outputs of what was
chosen are too far from the reference's, the option that is to blame is taken out and the problem is solved again.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from hetero.cost.contention import core_efficiency
from hetero.cost.correction import Corrections
from hetero.cost.progress import Progress
from hetero.cost.race import QUICK, Effort
from hetero.cost.store import ProfileStore
from hetero.cost.worth import UNMEASURED
from hetero.errors import InfeasibleError, WorkerError
from hetero.graph import Graph
from hetero.machine import Machine
from hetero.planning.apart import is_apart, nothing_beside, too_quick
from hetero.planning.beside import speeds_beside
from hetero.planning.charges import charges_told
from hetero.planning.contention import Contention
from hetero.planning.control import Setting, apart_of, better_for
from hetero.planning.deadline import is_late, seconds_left
from hetero.planning.doubt import ROUNDS, Doubt, doubts, hopeful, told
from hetero.planning.evidence import Evidence, evidence_key, evidence_of, recall, remember
from hetero.planning.gate import Gate, Opener
from hetero.planning.links import with_measured_links
from hetero.planning.measure import Measure, Samples, measure_here
from hetero.planning.options import (
    Candidate,
    batched_candidates,
    candidates_of,
    considered,
    is_charged,
    is_measured,
    repeats,
)
from hetero.planning.pairs import contention_told, speeds_of_pairs
from hetero.planning.prune import hopeless
from hetero.planning.settle import settle
from hetero.plans import Choice, Considered, Plan, Request
from hetero.registry import open_device
from hetero.values import digest_of

__all__ = ["decide"]

Profile: TypeAlias = Callable[[Sequence[Candidate], Effort], Mapping[Candidate, str]]
"""Measures candidates; who failed or was passed over, and why."""

WANTED_S = 0.5
"""For a plan that is only asked what it would take."""

HOPED_S = 3.0
"""The same where the answer is about what overlaps, which a list schedule does not tell: the search is the first thing
that a process solves here, and to load it takes a second of this."""


def decide(
    graph: Graph,
    machine: Machine,
    request: Request,
    samples: Sequence[tuple[Any, ...]],
    store: ProfileStore,
    *,
    evidence: Evidence | None = None,
    deadline: float | None = None,
    progress: Progress | None = None,
    measure: Measure | None = None,
    opener: Opener = open_device,
    effort: Effort = QUICK,
) -> Plan:
    """The plan. ``deadline`` is a time of ``time.perf_counter`` after which nothing more is measured; ``measure``
    measures and ``opener`` opens devices, where that is not for this process alone. ``effort`` is what every way is
    measured with at first.

    Without samples (a saved plan on another machine) it is made from the evidence and from what the store knows.
    """
    seen = Samples(graph, samples, progress)
    key = evidence_key(graph, samples)
    evidence = _seen_evidence(graph, seen, key, store) if evidence is None or samples else evidence
    candidates, refused = candidates_of(
        graph,
        machine,
        evidence,
        store,
        opener,
        key if samples else "",
        lone=request.objective == "latency" and len(list(graph.walk())) == 1,
    )
    singles = [candidate for found in candidates.values() for candidate in found]
    profile = partial(
        _measure,
        evidence=evidence,
        samples=seen,
        key=key,
        store=store,
        deadline=deadline,
        measure=measure or partial(measure_here, deadline=deadline, progress=progress),
        error_limit=_error_limit(request) if math.isfinite(effort.hopeless) else math.inf,
    )
    candidates, failures = _tried(
        candidates, graph, request, evidence, store, profile if samples else None, effort
    )
    corrections = Corrections(store)

    def options_now() -> dict[str, tuple[Considered, ...]]:
        return {
            path: (
                *(_option(c, evidence, store, request, failures, corrections) for c in found),
                *refused[path],
            )
            for path, found in candidates.items()
        }

    options = options_now()
    machine = with_measured_links(machine, store, opener)
    cores = core_efficiency(machine.processors[0], store)
    setting = Setting(
        options, evidence, Contention(cores.speeds), better_for(request.objective), apart=apart_of(machine)
    )
    in_flow = request.objective == "throughput"
    beside = speeds_beside(graph, machine, setting, seen, store, deadline, in_flow=in_flow)
    setting = replace(setting, beside=beside)

    def with_pairs(setting: Setting) -> Setting:
        def chosen(hoped: Setting) -> Plan:
            return settle(graph, machine, request, hoped, None, min(seconds_left(deadline), HOPED_S))

        return replace(
            setting, pairs=speeds_of_pairs(graph, machine, request, setting, chosen, seen, store, deadline)
        )

    setting = with_pairs(setting)
    again: list[str] = []
    for _ in range(ROUNDS if samples else 0):
        doubtful = doubts(candidates, evidence, store)
        wanted = _wanted(graph, machine, request, setting, doubtful, seconds_left(deadline))
        if not wanted or is_late(deadline):
            break
        for closer in dict.fromkeys(chosen[2] for chosen in wanted):
            failures.update(profile([one for one, _, e in wanted if e is closer], closer))
        again += [told(one, doubt) for one, doubt, _ in wanted]
        setting = with_pairs(replace(setting, options=options_now()))
    gate = Gate(graph, machine, seen, key, store, opener, request.metric) if samples else None
    found = settle(graph, machine, request, setting, gate, seconds_left(deadline))
    return replace(
        found,
        samples=seen.values,
        profiles=store.path,
        notes=(
            *_notes(graph, singles, evidence, store, failures, request),
            *_measured_again(again),
            *charges_told(found),
            *contention_told(found, cores.measured_at),
            *found.notes,
        ),
    )


def _seen_evidence(graph: Graph, samples: Samples, key: str, store: ProfileStore) -> Evidence:
    """What the samples tell: from the store, else from running them by the references, once."""
    found = recall(store, key)
    if found is None:
        found = evidence_of(graph, samples.recording)
        remember(store, key, found)
    return found


def _tried(
    candidates: dict[str, tuple[Candidate, ...]],
    graph: Graph,
    request: Request,
    evidence: Evidence,
    store: ProfileStore,
    profile: Profile | None,
    effort: Effort,
) -> tuple[dict[str, tuple[Candidate, ...]], dict[Candidate, str]]:
    """The candidates with their batched forms, and why those are out that are.

    In an order in which each step knows from the one before what need not be measured: in this process, then in
    others, then batches, the small ones first. Without ``profile`` nothing is measured.
    """
    singles = [candidate for found in candidates.values() for candidate in found]
    failures = dict(hopeless(singles, evidence))
    if math.isfinite(effort.hopeless):
        failures.update(nothing_beside(singles, graph, request.objective))

    def measured(found: Sequence[Candidate]) -> Mapping[Candidate, str]:
        return profile(found, effort) if profile is not None and found else {}

    failures.update(
        measured([c for c in singles if c not in failures and not is_apart(c) and not is_charged(c)])
    )
    failures.update(too_quick(singles, evidence, store))
    failures.update(measured([c for c in singles if c not in failures and is_apart(c)]))
    for size in sorted({size for sizes in evidence.batches.values() for size in sizes}):
        batched = batched_candidates(candidates, evidence, store, failures, size)
        failures.update(measured([candidate for found in batched.values() for candidate in found]))
        candidates = {path: (*found, *batched.get(path, ())) for path, found in candidates.items()}
    return candidates, failures


def _wanted(
    graph: Graph,
    machine: Machine,
    request: Request,
    setting: Setting,
    doubtful: Mapping[tuple[str, Choice], Doubt],
    budget_s: float,
) -> list[Doubt]:
    """Of the ways in doubt those that the plan would take if each turned out as good as it may."""
    if not doubtful:
        return []
    best = replace(setting, options=hopeful(setting.options, doubtful))
    try:
        choices = settle(graph, machine, request, best, None, min(budget_s, WANTED_S)).choices
    except InfeasibleError:  # the same is found out, and told, without optimism
        return []
    return [doubtful[taken] for taken in choices.items() if taken in doubtful]


def _error_limit(request: Request) -> float:
    """What a node's own outputs may be off by; anything where they are not what is limited."""
    return request.limits.effective_error if request.metric.of_nodes else math.inf


def _measure(
    candidates: Sequence[Candidate],
    effort: Effort,
    *,
    evidence: Evidence,
    samples: Samples,
    key: str,
    store: ProfileStore,
    deadline: float | None,
    measure: Measure,
    error_limit: float,
) -> Mapping[Candidate, str]:
    """Have measured what the store does not know yet; who failed or was passed over, and why.

    That everything is known is a record of its own: to find out call by call would need the values again.
    """
    ways = [(c.path, c.info.fingerprint(c.processor), str(c.variant)) for c in candidates]
    settled = digest_of(key, ways, repr(effort), repr(error_limit))
    kept = store.get_record("settled", settled)
    if kept is not None and all(_name(c) in kept or is_measured(c, evidence, store) for c in candidates):
        return {c: kept[_name(c)] for c in candidates if _name(c) in kept}
    reached = [c for c in candidates if c.path in evidence.calls]
    failed = measure(reached, samples, store, effort=effort, error_limit=error_limit)
    # Not settled: what the deadline cut short, and a worker that died, which says nothing about the next time.
    if not is_late(deadline) and not any(isinstance(reason, WorkerError) for reason in failed.values()):
        store.put_record("settled", settled, {_name(c): str(reason) for c, reason in failed.items()})
    return {c: str(reason) for c, reason in failed.items()}


def _measured_again(told: Sequence[str]) -> list[str]:
    """A line for the plan's notes, if any."""
    each = "; ".join(dict.fromkeys(told))
    return [f"measured once more, since it could have changed the plan: {each}"] if each else []


def _name(candidate: Candidate) -> str:
    return f"{candidate.path} {candidate.info.name} {candidate.variant}"


def _option(
    candidate: Candidate,
    evidence: Evidence,
    store: ProfileStore,
    request: Request,
    failures: Mapping[Candidate, str],
    corrections: Corrections,
) -> Considered:
    if candidate in failures:
        reason = failures[candidate]
        # What was passed over could run, and who asks for it by name wants to know what it is likely to take.
        known = considered(candidate, evidence, store).estimate if reason.startswith(UNMEASURED) else None
        return Considered(candidate.choice, known, reason)
    option = considered(candidate, evidence, store, corrections)
    if is_charged(candidate) and not request.metric.of_nodes:
        why = f"what it does to {request.metric.name} cannot be told without paid runs: limit the relative error"
        return replace(option, reason=why)
    limit = request.limits.effective_error if request.metric.of_nodes else sys.float_info.max
    if option.estimate is not None and option.estimate.error > limit:
        error = option.estimate.error
        how = (
            "its outputs are not equal to the reference's"
            if math.isinf(error)
            else f"its error is {error:.1e}"
        )
        return replace(option, reason=f"{how}; the limit is {request.limits.effective_error:.1e}")
    return option


def _notes(
    graph: Graph,
    candidates: Sequence[Candidate],
    evidence: Evidence,
    store: ProfileStore,
    failures: Mapping[Candidate, str],
    request: Request,
) -> list[str]:
    notes = []
    unreached = [path for path, _ in graph.walk() if path not in evidence.calls]
    if unreached:
        notes.append(
            f"no sample reached {', '.join(unreached)}: planned from the prior; give calibrate= samples that do"
        )
    guessed = {c.path for c in candidates if c not in failures}
    guessed -= {c.path for c in candidates if is_measured(c, evidence, store)}
    if guessed:
        notes.append(
            f"planned from priors, not from measurements: {', '.join(sorted(guessed))}; give more budget_s="
        )
    limit = request.limits.effective_error
    fickle = {c.path for c in candidates if not repeats(c, evidence, store, limit)}
    if fickle:
        notes.append(
            f"run again on the same inputs, {', '.join(sorted(fickle))} gave other outputs: random, comparable by "
            "identity only, or its inputs were changed in place (by whom has to copy them); taken as they are"
        )
    return notes
