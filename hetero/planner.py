"""The planner's doors: pipeline + samples -> plan. The steps themselves are in ``hetero.planning``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from difflib import get_close_matches
from inspect import Parameter, signature
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hetero.arguments import Args
from hetero.cost.metrics import Metric, metric_of
from hetero.cost.progress import Progress
from hetero.cost.store import ProfileStore
from hetero.errors import ArgumentError, UnknownNameError
from hetero.graph import Graph
from hetero.limits import Limits
from hetero.machine import Machine
from hetero.planning.decide import decide
from hetero.planning.merging import merged_where_it_pays
from hetero.planning.selection import Selection, known_words, needs_of, select
from hetero.plans import Plan, Request
from hetero.progress_bar import progress_bar
from hetero.registry import Row, detect_machine, devices, rows
from hetero.rewrite.circuits import with_small_circuits
from hetero.rewrite.unused import without_unused
from hetero.schedule.schedule import OBJECTIVES
from hetero.tracing import Callee, Pipeline
from hetero.values import to_host

__all__ = ["frontier", "load_plan", "plan"]


def plan(
    pipeline: Pipeline | Callee | Graph,
    /,
    *sample: Any,
    objective: str = "latency",
    limits: Limits | None = None,
    allow: str | Iterable[str] | None = None,
    deny: str | Iterable[str] | None = None,
    machine: Machine | None = None,
    calibrate: Sequence[Any] = (),
    metric: str | Metric | Callable[[Any, Any], float] = "relative",
    budget_s: float | None = None,
    progress: Progress | None = None,
    store: ProfileStore | None = None,
    **named: Any,
) -> Plan:
    """Decide where and how every node of a pipeline runs, from measurements, with a proven bound.

    Options are measured on the sample (and kept: planning the same again measures nothing), then one scheduling
    problem is solved, and the outputs of what it chose are compared with the reference's.

    Args:
        pipeline: a pipeline, a single node, or a graph.
        sample: one call's arguments; further ones may be given by name. It fixes dtypes, ranks and costs, not sizes.
        objective: ``latency`` (seconds of one request), ``throughput`` (seconds between results in steady state),
            ``energy`` or ``cost``.
        limits: upper limits on one request; an error limit of 1e-4 holds where none is given.
        allow, deny: names of devices, engines, processors, vendors or suppliers.
        machine: instead of this one.
        calibrate: more samples, each one input or an ``ht.args(...)``; errors and the lengths of maps are learned on
            them too, and costs are the mean over all samples.
        metric: what the error limit is about, on the pipeline's result: ``relative`` (L2), ``max_abs``, ``cosine``
            (1 - cosine), ``top1`` (share of rows with another winner), ``exact`` (share of samples in which anything
            that is no float differs), or a function of the reference's result and the found one, of which the worst
            sample counts; a ``hetero.cost.metrics.Metric`` says that the mean does. With all but the
            first the nodes' own errors limit nothing: what was chosen is run on the samples, and its result decides.
        budget_s: seconds for measuring and solving; what is not measured by then is taken from the prior, and the
            plan says so. Not bounded by it: running the sample once by the references, and once as planned to compare.
        progress: is told how far measuring is; without it a bar is shown where a person watches standard error.
        store: the profile store; the one in the user's cache directory without it.

    Raises:
        InfeasibleError: no choice satisfies the limits; names the limit that binds and by how much.
        SpecError: the sample does not fit a node; names node, input, found and expected.
        UnknownNameError: a word of ``allow`` or ``deny`` that nothing has, or an unknown metric; lists all.

    >>> import hetero as ht
    >>> @ht.node
    ... def double(x):
    ...     return 2 * x
    >>> with ht.plan(double, 1) as plan:
    ...     plan(21)
    42
    """
    started = time.perf_counter()
    request = Request(_objective(objective), _limits(limits), Selection.of(allow, deny), metric_of(metric))
    graph, left_out = without_unused(graph_of(pipeline))
    graph, reduced = with_small_circuits(graph, request.limits.error)
    _require(Machine | None, "machine", machine, "an ht.Machine; ht.Machine.load(path) reads one")
    _require(ProfileStore | None, "store", store, "a hetero.cost.store.ProfileStore(path)")
    deadline = None if budget_s is None else started + _seconds("budget_s", budget_s)
    samples = _samples(graph, sample, named, calibrate)
    usable = usable_machine(machine, request.selection, needs_of(graph))
    with _using(store) as opened, _shown(progress) as shown:

        def planned(form: Graph) -> Plan:
            return decide(form, usable, request, samples, opened, deadline=deadline, progress=shown)

        found = merged_where_it_pays(planned(graph), planned)
    return replace(found, notes=(*left_out, *reduced, *found.notes))


def _shown(progress: Progress | None) -> AbstractContextManager[Progress | None]:
    """The caller's progress; else what a person sees who watches standard error."""
    return progress_bar("planning") if progress is None else nullcontext(progress)


def usable_machine(
    machine: Machine | None, selection: Selection, needs: Mapping[str, str] = MappingProxyType({})
) -> Machine:
    """The devices to choose from: those of the machine (this one without it) that the selection leaves.

    Teaching devices are there for whoever names them.
    """
    known = rows()
    statuses = devices()
    found = machine if machine is not None else _detected(known, frozenset(selection.allow or ()))
    return select(found, selection, known_words(found, known, statuses), statuses, needs)


def _detected(known: Sequence[Row], named: Set[str]) -> Machine:
    """This machine with the teaching devices that are named, and no others: a processor's name names all on it."""
    unnamed = {row.engine for row in known if row.teaching and not {row.engine, row.device} & named}
    teaching = any(row.teaching and row.engine not in unnamed for row in known)
    machine = detect_machine(teaching=teaching)
    return replace(machine, devices=tuple(d for d in machine.devices if d.engine not in unnamed))


def graph_of(pipeline: object) -> Graph:
    """The graph of what a user hands in: a pipeline is traced, a single node becomes a pipeline of itself.

    Raises:
        ArgumentError: it is none of these.
    """
    if isinstance(pipeline, Graph):
        return pipeline
    if isinstance(pipeline, Callee):
        return _alone(pipeline)
    if isinstance(pipeline, Pipeline):
        return pipeline.trace()
    hint = "; decorate it with @ht.pipeline" if callable(pipeline) else ""
    raise ArgumentError(f"expected a pipeline, a node or a graph, found {type(pipeline).__name__}{hint}")


def _alone(callee: Callee) -> Graph:
    from hetero.graph import INPUT, REQUIRED, Input, Node, Pack, Ref

    op = callee.op
    inputs = tuple(Input(name, op.defaults.get(name, REQUIRED)) for name in op.inputs)
    node = Node(op.name, op, tuple(Ref(INPUT, i) for i in range(len(inputs))))
    outputs = tuple(Ref(op.name, i) for i in range(len(op.outputs)))
    return Graph(op.name, inputs, (node,), outputs[0] if len(outputs) == 1 else Pack("tuple", outputs))


def _objective(objective: str) -> str:
    if objective not in OBJECTIVES:
        raise UnknownNameError("objective", str(objective), OBJECTIVES)
    return objective


def _limits(limits: Limits | None) -> Limits:
    _require(
        Limits | None, "limits", limits, "ht.Limits(latency_s=, joules=, dollars=, error=, memory_bytes=)"
    )
    return Limits() if limits is None else limits


def _require(kind: Any, option: str, value: object, expected: str) -> None:
    if not isinstance(value, kind):
        raise ArgumentError(f"{option}={value!r}: expected {expected}")


def _require_no_typo(graph: Graph, named: Iterable[str]) -> None:
    """An option that is misspelt would be told to be no parameter of the pipeline, which helps nobody."""
    options = [p.name for p in signature(plan).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
    for name in set(named) - {i.name for i in graph.inputs}:
        if close := get_close_matches(name, options, n=1):
            raise ArgumentError(
                f"{name}= is neither an option of ht.plan nor a parameter of {graph.name!r}; did you mean {close[0]}=? "
                f"options: {', '.join(options)}"
            )


def _seconds(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ArgumentError(f"{name}={value!r}: expected a number of seconds >= 0")
    return float(value)


def _samples(
    graph: Graph, sample: Sequence[Any], named: dict[str, Any], calibrate: Sequence[Any]
) -> tuple[tuple[Any, ...], ...]:
    """All samples as values of the graph's inputs: the first is the call's own."""
    _require_no_typo(graph, named)
    first = sample[0] if len(sample) == 1 and isinstance(sample[0], Args) else Args(tuple(sample), named)
    if isinstance(calibrate, str | bytes) or not isinstance(calibrate, Iterable):
        raise ArgumentError(f"calibrate={calibrate!r}: expected a list of inputs")
    calls = [first, *(item if isinstance(item, Args) else Args((item,), {}) for item in calibrate)]
    return tuple(tuple(map(to_host, graph.bind(call.args, call.kwargs))) for call in calls)


class _using:  # noqa: N801 - a context manager that reads as a word
    """The caller's store, left open; or a new one, closed at the end."""

    def __init__(self, store: ProfileStore | None) -> None:
        self._own = store is None
        self._store = store if store is not None else ProfileStore()

    def __enter__(self) -> ProfileStore:
        return self._store

    def __exit__(self, *exception: object) -> None:
        if self._own:
            self._store.close()


def load_plan(path: str | Path, pipeline: Pipeline | Callee | Graph, *, replan: bool = False) -> Plan:
    """Read a plan that was saved, for the same pipeline on the same machine.

    Args:
        replan: on a different machine, solve again with what is known of it instead of refusing.

    Raises:
        PlanMismatchError: the file is no plan, or its pipeline or machine differs; names the difference.
    """
    from hetero.plan_files import read_plan

    return read_plan(path, without_unused(graph_of(pipeline))[0], replan=replan)


def frontier(
    pipeline: Pipeline | Callee | Graph,
    /,
    *sample: Any,
    over: tuple[str, str] = ("latency", "energy"),
    points: int = 8,
    limits: Limits | None = None,
    **options: Any,
) -> tuple[Plan, ...]:
    """Plans that no other found plan beats in both objectives, fastest in the first one first.

    The second objective is minimised under limits on the first one, spread over what it can reach (the epsilon
    constraint method); everything is measured once.

    Raises:
        ArgumentError: ``over`` is not two different objectives of latency, energy and cost.
    """
    from hetero.planning.frontier import sweep

    limit_of = {"latency": "latency_s", "energy": "joules", "cost": "dollars"}
    if not isinstance(over, tuple | list) or len(set(over)) != 2 or not set(over) <= set(limit_of):
        raise ArgumentError(f"over={over!r}: expected two different objectives of {', '.join(limit_of)}")

    def solve(objective: str, bound: float | None) -> Plan:
        bounded = _limits(limits) if bound is None else replace(_limits(limits), **{limit_of[over[0]]: bound})
        return plan(pipeline, *sample, objective=objective, limits=bounded, **options)

    return sweep(solve, over, points)
