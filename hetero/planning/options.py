"""For every node all the ways it could run, each with its estimate or the reason why not."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hetero.cost import energy, price, roofline
from hetero.cost.caches import EVICTING_NBYTES
from hetero.cost.changes import changes_a_request
from hetero.cost.correction import Corrections
from hetero.cost.estimate import Estimate, Source
from hetero.cost.interpolate import Point, interpolate, sizes_of
from hetero.cost.ledger import change_seconds_of
from hetero.cost.measurement import ProfileKey, specs_text
from hetero.cost.store import ProfileStore
from hetero.device import SPINS_ON, Device, DeviceInfo, Offers, Refusal, Variant
from hetero.errors import HeteroError, InfeasibleError
from hetero.graph import Graph, Node
from hetero.machine import Machine, Processor
from hetero.ops.base import Op
from hetero.planning.calibrate import calibrated
from hetero.planning.charges import without_charged
from hetero.planning.evidence import Evidence, SeenCall
from hetero.plans import Choice, Considered
from hetero.rewrite.batch import alone, batched
from hetero.values import Specs, digest_of

__all__ = [
    "BY_REFERENCE",
    "CORRECTED",
    "Candidate",
    "batched_candidates",
    "candidates_of",
    "considered",
    "is_charged",
    "is_measured",
    "leaves",
    "repeats",
]


BY_REFERENCE = ("reference", "python")
"""Engines whose run of an op is the op's reference run: right by definition."""

CORRECTED: Source = "corrected by runs"

OFFERS = 2
"""To be counted up whenever a device of hetero's offers other ways than before: old stores hold its old answers."""

NEAR = 2.0
"""Batches help engines unequally, but hardly ever by more than this."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run the node at ``path``, before anything is known of its cost."""

    path: str
    op: Op
    info: DeviceInfo
    processor: Processor
    variant: Variant

    @property
    def choice(self) -> Choice:
        return Choice(self.info.name, self.variant)

    @property
    def built(self) -> Variant:
        """What its device builds; a batch is a matter of who calls it."""
        return alone(self.variant)

    def calls(self, evidence: Evidence) -> tuple[SeenCall, ...]:
        """The calls that it would get on the samples."""
        return evidence.calls_as(self.path, self.variant)

    def key(self, specs: Specs) -> ProfileKey:
        return ProfileKey.of(self.op, self.info, self.processor, self.built, specs)


def leaves(graph: Graph) -> Iterator[tuple[str, Node]]:
    """Every node that a device runs: not the maps and branches, but what is inside them."""
    return ((path, node) for path, node in graph.walk() if not node.op.subgraphs)


def candidates_of(
    graph: Graph,
    machine: Machine,
    evidence: Evidence,
    store: ProfileStore,
    open_device: Callable[[DeviceInfo], Device],
    calibration: str = "",
    *,
    lone: bool = False,
) -> tuple[dict[str, tuple[Candidate, ...]], dict[str, tuple[Considered, ...]]]:
    """What the devices offer for every leaf, and what they refuse with the reason. ``calibration`` is what the samples
    are known by, where there are any; ``lone`` says that nothing else runs while requests come one after the other.

    Raises:
        InfeasibleError: no device offers a node at all; says what each of them answered.
    """
    found: dict[str, tuple[Candidate, ...]] = {}
    refused: dict[str, tuple[Considered, ...]] = {}
    at_the_top = {node.name for node in graph}
    for path, node in leaves(graph):
        specs = _largest(evidence.calls.get(path, ())) or node.op.example_specs()
        mine: list[Candidate] = []
        no: list[Considered] = []
        for info in machine.devices:
            if node.op.kind not in info.kinds:
                continue
            processor = machine.processor(info.processor)
            offers = _offers(node.op, specs, info, processor, store, open_device)
            if path not in at_the_top:
                offers = without_charged(offers)
            here = [calibrated(one, calibration, path) for one in offers.calibrated] if calibration else []
            fit = [one for one in (*offers.variants, *here) if lone or not one.settings.get(SPINS_ON)]
            mine += [Candidate(path, node.op, info, processor, one) for one in fit]
            no += [
                Considered(Choice(info.name, refusal.variant or Variant()), None, refusal.reason)
                for refusal in offers.refusals
            ]
        if not mine:
            said = "; ".join(f"{c.choice.device}: {c.reason}" for c in no)
            tried = ", ".join(device.name for device in machine.devices)
            raise InfeasibleError(
                f"no allowed device can run node {path!r} ({node.op.kind}); devices: {tried}"
                + (f"; {said}" if said else "")
            )
        found[path], refused[path] = tuple(mine), tuple(no)
    return found, refused


def _offers(
    op: Op,
    specs: Specs,
    info: DeviceInfo,
    processor: Processor,
    store: ProfileStore,
    open_device: Callable[[DeviceInfo], Device],
) -> Offers:
    """A device's answer, from the store where it was asked before: asking loads its engine."""
    able = (info.max_threads, list(info.precisions), OFFERS)
    key = digest_of(op.digest, op.effects, info.name, info.fingerprint(processor), *able, specs_text(specs))
    kept = store.get_record("offers", key)
    if kept is not None:
        return Offers(
            tuple(map(Variant.from_dict, kept["variants"])),
            tuple(
                Refusal(r["reason"], r["variant"] and Variant.from_dict(r["variant"]))
                for r in kept["refusals"]
            ),
            tuple(map(Variant.from_dict, kept["calibrated"])),
        )
    try:
        offers = open_device(info).variants(op, specs)
    except (
        HeteroError
    ) as error:  # a device that cannot even be opened refuses everything; not kept: it may come back
        return Offers(refusals=(Refusal(str(error)),))
    store.put_record(
        "offers",
        key,
        {
            "variants": [variant.to_dict() for variant in offers.variants],
            "refusals": [
                {"reason": r.reason, "variant": r.variant and r.variant.to_dict()} for r in offers.refusals
            ],
            "calibrated": [variant.to_dict() for variant in offers.calibrated],
        },
    )
    return offers


def _largest(calls: Sequence[SeenCall]) -> Specs | None:
    return max(calls, key=lambda call: call.nbytes).inputs if calls else None


def batched_candidates(
    candidates: Mapping[str, Sequence[Candidate]],
    evidence: Evidence,
    store: ProfileStore,
    failures: Container[Candidate],
    size: int,
) -> dict[str, tuple[Candidate, ...]]:
    """The ways to run so many items of a map together, of the engines that are quick enough with fewer.

    An engine that takes over ``NEAR`` times the best one's time on single items with as many threads is not asked again
    for batches; nor is one whose arrays would have to be stacked in a memory of its own. ``candidates`` has the smaller
    batches too: where the largest of them does not gain on what is smaller still, a larger one would not either.
    """
    found: dict[str, tuple[Candidate, ...]] = {}
    for path, sizes in evidence.batches.items():
        known: dict[Candidate, float] = {}
        for one in candidates.get(path, ()):
            here = one.info.memory_space == "host" and one.info.engine not in BY_REFERENCE
            here = here and not is_charged(one)
            if here and one not in failures and is_measured(one, evidence, store):
                known[one] = _time(one, one.calls(evidence), evidence.samples, store, 0.0)[0]
        single = {one: seconds for one, seconds in known.items() if one.variant == one.built}
        for one, seconds in single.items() if size in sizes else ():
            best = min(s for other, s in single.items() if other.variant.threads == one.variant.threads)
            smaller = [
                replace(one, variant=batched(one.variant, other)) for other in sorted(sizes) if other < size
            ]
            if seconds <= NEAR * best and _still_gains([one, *smaller], known):
                way = replace(one, variant=batched(one.variant, size))
                found[path] = (*found.get(path, ()), way)
    return found


def _still_gains(ways: Sequence[Candidate], known: Mapping[Candidate, float]) -> bool:
    """Whether the last of some ways, each for more items than the one before, takes less time than all before it."""
    *before, last = (known.get(way, math.inf) for way in ways)
    return not before or last < min(before)


def is_charged(candidate: Candidate) -> bool:
    """Whether each run of it is paid for, so that nothing of it is tried out."""
    return candidate.variant.charged_dollars is not None


def repeats(candidate: Candidate, evidence: Evidence, store: ProfileStore, limit: float) -> bool:
    """Whether the reference's own run gave the same outputs when it was measured; True where it was not."""
    if candidate.info.engine not in BY_REFERENCE:
        return True
    found = [store.get(candidate.key(call.inputs)) for call in candidate.calls(evidence)]
    return all(m is None or m.error is None or m.error <= limit for m in found)


def is_measured(candidate: Candidate, evidence: Evidence, store: ProfileStore) -> bool:
    """Whether the store knows the candidate on any of its calls; one that is never called, or is charged for, needs no
    measurement."""
    calls = candidate.calls(evidence)
    if not calls or is_charged(candidate):
        return True
    return any(store.get(candidate.key(call.inputs)) is not None for call in calls)


def considered(
    candidate: Candidate, evidence: Evidence, store: ProfileStore, corrections: Corrections | None = None
) -> Considered:
    """The candidate with its estimate for one request: the mean over the samples of all its calls."""
    calls = candidate.calls(evidence)
    if is_charged(candidate):
        return Considered(candidate.choice, _declared(candidate, calls, evidence.samples))
    pressure = min(1.0, evidence.moved_by_others(candidate.path) / EVICTING_NBYTES)
    seconds, spread, error, source = _time(candidate, calls, evidence.samples, store, pressure, corrections)
    if candidate.info.engine in BY_REFERENCE:
        error = None  # it is what all others are compared with
    core_seconds = seconds * min(candidate.variant.threads, candidate.processor.cores)
    joules = energy.joules(candidate.processor, core_seconds, 0.0)
    dollars = price.dollars(candidate.processor, core_seconds / candidate.processor.cores, joules)
    estimate = Estimate(
        seconds=seconds,
        joules=joules,
        dollars=dollars,
        error=error if error is not None else 0.0,
        memory_bytes=float(candidate.op.weights_nbytes),
        spread={"seconds": spread},
        sources={
            "seconds": source,
            "joules": "modelled",
            "dollars": "modelled",
            "error": "measured" if error is not None else "declared",
            "memory_bytes": "modelled",
        },
    )
    found = Considered(candidate.choice, estimate)
    if error is None and not (candidate.variant.exact and candidate.variant == candidate.built):
        return replace(found, reason="its error was not measured, and it is not exact")
    return found


def _declared(candidate: Candidate, calls: Sequence[SeenCall], samples: int) -> Estimate:
    """By what its device declares of a run alone: nothing is tried that is charged for. Its energy is its owner's."""
    variant, runs = candidate.variant, sum(call.count for call in calls) / samples
    assert variant.declared_seconds is not None, f"{candidate.choice} is charged for and declares no seconds"
    assert variant.charged_dollars is not None, "the caller has asked"
    return Estimate(
        seconds=variant.declared_seconds * runs,
        dollars=variant.charged_dollars * runs,
        error=math.inf if variant.declared_error is None else variant.declared_error,
        spread={"seconds": 0.0},
        sources=dict.fromkeys(("seconds", "joules", "dollars", "error", "memory_bytes"), "declared"),
    )


def _time(
    candidate: Candidate,
    calls: Sequence[SeenCall],
    samples: int,
    store: ProfileStore,
    pressure: float,
    corrections: Corrections | None = None,
) -> tuple[float, float, float | None, Source]:
    """Seconds and spread for one request, the largest error seen, and where the numbers come from.

    ``pressure`` says how much of the caches the other nodes fill between two runs: 0 nothing, 1 all.
    """
    measured = {call.inputs: store.get(candidate.key(call.inputs)) for call in calls}
    known = {inputs: m for inputs, m in measured.items() if m is not None}
    error = max((m.error for m in known.values() if m.error is not None), default=None)
    declared = candidate.variant.declared_seconds
    if declared is not None:
        return declared * sum(call.count for call in calls) / samples, 0.0, error, "declared"
    if not known:
        shapes = [(call.count, call.inputs) for call in calls] or [(1, candidate.op.example_specs())]
        where = (candidate.info, candidate.processor, candidate.variant)
        prior = [(count, *roofline.prior(candidate.op, *where, specs)) for count, specs in shapes]
        share = samples if calls else 1
        return (
            sum(n * s for n, s, _ in prior) / share,
            sum(n * d for n, _, d in prior) / share,
            None,
            "prior",
        )
    sizes = dict(zip(measured, sizes_of(candidate.op, list(measured)), strict=True))
    points = {
        inputs: Point(sizes[inputs], m.seconds + pressure * (m.among_others_s - m.seconds), m.spread_s)
        for inputs, m in known.items()
    }
    source: Source = "measured"
    for inputs, m in known.items():
        if corrections and (correction := corrections.of(candidate.key(inputs), m)):
            points[inputs] = Point(sizes[inputs], correction.alone_s, correction.spread_s)
            source = CORRECTED
    seconds = spread = 0.0
    for call in calls:
        own = points.get(call.inputs)
        point = own if own is not None else interpolate(list(points.values()), sizes[call.inputs])
        seconds += call.count * point.seconds
        spread += call.count * point.spread_s
    changes = changes_a_request([call.count for call in calls], samples)
    if changes:
        seconds += samples * changes * change_seconds_of(store, candidate.key(calls[0].inputs))
    return seconds / samples, spread / samples, error, source
