"""Solve, compare with the reference, and where that fails take out the option that is to blame and solve again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import partial

from hetero.cost.accuracy import PipelineError
from hetero.cost.estimate import Estimate, Source
from hetero.cost.metrics import Metric
from hetero.errors import InfeasibleError
from hetero.graph import Graph
from hetero.limits import Limits
from hetero.machine import Machine
from hetero.planning.alone import handovers_s, overhead_s
from hetero.planning.contention import (
    Contention,
    Locks,
    chained,
    contended_makespan,
    holders,
    in_turn,
    overlaps,
    retimed,
    taking_turns,
    weighted,
)
from hetero.planning.control import Setting
from hetero.planning.flow import flows, in_flow, period_s
from hetero.planning.formulate import Formulated, formulate
from hetero.planning.gate import Gate
from hetero.planning.solving_time import SolvingTime
from hetero.planning.whole import Solved, keeping_limits, whole_of
from hetero.plans import CONTROL, Choice, Considered, Plan, Request, Speeds
from hetero.rewrite.batch import batch_of
from hetero.schedule.infeasible import NothingFitsError
from hetero.schedule.problem import Limits as ProblemLimits
from hetero.schedule.problem import Option, Problem
from hetero.schedule.schedule import Schedule
from hetero.schedule.solve import solve

__all__ = ["settle"]

_NOISE = 0.05
"""A gain under this over one task after the other is none: no measurement here is steadier."""


def settle(
    graph: Graph, machine: Machine, request: Request, setting: Setting, gate: Gate | None, budget_s: float
) -> Plan:
    """The best plan whose outputs the gate accepts; without a gate (no samples at hand) the best one.

    Each round takes at least one option out, so that it ends.

    Raises:
        InfeasibleError: nothing satisfies the limits, or no combination of options keeps the outputs.
    """
    options = dict(setting.options)
    notes: list[str] = []
    time = SolvingTime(budget_s)
    while True:
        _require_usable(options, notes)
        setting = replace(setting, options=options)
        formulated = formulate(graph, machine, _problem_limits(request), setting)
        try:
            locks = _locks(graph, formulated, setting)
            posed = _posed(formulated, graph, request, setting)
            contention = _contention(formulated, setting)

            def solved(problem: Problem, objective: str) -> Solved:
                asked = replace(request, objective=objective)
                return _solve(problem, asked, contention, locks, time)  # noqa: B023 - called in this round

            problem, schedule, seconds = keeping_limits(
                posed,
                request.objective,
                request.limits,
                machine,
                partial(overhead_s, graph),
                solved,
                lambda: time.over,
            )
        except InfeasibleError as error:
            raise NothingFitsError(partial(_none_keeps, formulated, graph, request.limits, error)) from error
        choices = formulated.choices({task.name: task.option for task in schedule.tasks})
        verdict = None if gate is None else gate.check(choices)
        if verdict is None or verdict.error <= request.limits.effective_error:
            break
        path = _to_blame(verdict, choices, options)
        notes.append(
            f"{path} does not stay on {choices[path]}: with it the final outputs are off by {_error_text(verdict)} "
            f"and the limit is {request.limits.effective_error:.1e}"
        )
        options[path] = _without(options[path], choices[path], verdict)
    if request.objective == "throughput":  # the latency of one request that has the machine to itself
        seconds = contended_makespan(formulated.problem, schedule, contention, holders(schedule, locks))
    in_stream_s = period_s(flows(graph, machine, choices, setting), machine, setting)
    estimate = _estimate(
        graph, machine, formulated, schedule, seconds, in_stream_s, verdict, setting, request.metric
    )
    _require_within(estimate, request.limits)
    return Plan(
        graph=graph,
        machine=machine,
        request=request,
        choices=choices,
        problem=problem,
        schedule=schedule,
        estimate=estimate,
        options={**options, **{k: v for k, v in formulated.considered.items() if k not in options}},
        evidence=setting.evidence,
        speeds=Speeds(setting.contention.efficiency, setting.beside, setting.pairs),
        notes=tuple(notes),
    )


def _locks(graph: Graph, formulated: Formulated, setting: Setting) -> Locks:
    """For each Python function which of its options hold the interpreter lock."""
    return {
        node.name: frozenset(
            number
            for number, choices in enumerate(formulated.meaning[node.name])
            if setting.holds_lock(node, choices[node.name].device)
        )
        for node in graph
        if node.op.kind == "function"
    }


def _contention(formulated: Formulated, setting: Setting) -> Contention:
    """What is known of speeds side by side, for the options by their numbers."""
    numbers = {
        (name, choices[name]): number
        for name, meanings in formulated.meaning.items()
        for number, choices in enumerate(meanings)
    }
    return replace(
        setting.contention,
        pairs={
            ((a, numbers[a, mine]), (b, numbers[b, other])): speed
            for (a, mine, b, other), speed in setting.pairs.items()
            if (a, mine) in numbers and (b, other) in numbers
        },
    )


def _posed(formulated: Formulated, graph: Graph, request: Request, setting: Setting) -> Problem:
    """The problem as it is, or as it is with other requests on the cores beside."""
    if request.objective != "throughput":
        return formulated.problem
    return in_flow(formulated.problem, formulated.meaning, graph, setting)


def _solve(
    problem: Problem, request: Request, contention: Contention, locks: Locks, time: SolvingTime
) -> tuple[Problem, Schedule, float]:
    """The problem that was solved in the end, its schedule, and the schedule's makespan under contention.

    What overlaps slows down, which the problem does not know. So more careful problems are solved: one in which
    everything that could overlap is slower, and one in which functions that take turns for the interpreter lock take as
    long as their turns do, whose schedules are then taken with the durations measured alone; and one in which functions
    that hold the lock run in the order that the first schedule gave them. The best under the simulation is taken, but
    what gains less than noise over one task after the other is not run side by side.
    """
    objective = request.objective
    schedule = solve(problem, objective=objective, budget_seconds=time.part())  # type: ignore[arg-type]
    locked = holders(schedule, locks)
    seconds = contended_makespan(problem, schedule, contention, locked)
    best = problem, schedule, seconds
    if objective != "latency":
        return best
    harder_ones: list[tuple[Problem, Problem]] = []
    if seconds > schedule.makespan_s * (1 + 1e-9):
        harder_ones = [
            (problem, weighted(problem, contention)),
            *((problem, turned) for turned in taking_turns(problem, schedule, locks)),
            (chain := chained(problem, schedule, locked), chain),
        ]
    for posed, harder in harder_ones:
        if time.over:
            break
        try:
            careful = solve(harder, objective="latency", budget_seconds=time.part())
        except InfeasibleError:  # only where more is slowed down than really happens
            continue
        if posed is problem:
            careful = retimed(
                problem, replace(careful, lower_bound=schedule.lower_bound, proven_optimal=False)
            )
        careful_s = contended_makespan(posed, careful, contention, holders(careful, locks))
        if careful_s < best[2]:
            best = posed, careful, careful_s
    if request.limits.joules is None and request.limits.dollars is None:  # both are less in less time
        return _in_turn_if_as_good(problem, best, schedule.lower_bound, contention, locks, time)
    return best


def _in_turn_if_as_good(
    problem: Problem, best: Solved, bound: float, contention: Contention, locks: Locks, time: SolvingTime
) -> Solved:
    """The best schedule, or one without overlap on any processor where that takes hardly longer."""
    if time.over or not overlaps(best[0], best[1]):
        return best
    least_s = sum(min(o.seconds for o in task.options) for task in problem.tasks) / len(problem.processors)
    longest_s = (best[2] + handovers_s(best[1])) * (1 + _NOISE)
    if least_s > longest_s:
        return best
    try:
        found = solve(in_turn(problem), objective="latency", budget_seconds=time.part())
    except InfeasibleError:  # within a limit on the seconds that overlap keeps
        return best
    proven = found.makespan_s <= bound * (1 + 1e-9)
    found = retimed(problem, replace(found, lower_bound=bound, proven_optimal=proven))
    seconds = contended_makespan(problem, found, contention, holders(found, locks))
    return (problem, found, seconds) if seconds <= longest_s else best


def _stated(limits: Limits) -> str:
    """The limits by the names that they were given under."""
    given = [(field.name, getattr(limits, field.name)) for field in fields(limits)]
    stated = [f"{name}={value:.4g}" for name, value in given if value is not None]
    if limits.error is None:
        stated.append(f"error={limits.effective_error:.0e} (where none is given)")
    return f"Limits({', '.join(stated)})"


def _problem_limits(request: Request) -> ProblemLimits:
    """Those that limit anything. Of the errors only the nodes' own can be added up; another metric is left to the
    gate."""
    limits = request.limits
    asked = {
        "seconds": limits.latency_s,
        "joules": limits.joules,
        "dollars": limits.dollars,
        "error": limits.effective_error if request.metric.of_nodes else None,
        "memory_bytes": limits.memory_bytes,
    }
    return ProblemLimits(
        **{name: most for name, most in asked.items() if most is not None and most < math.inf}
    )


def _none_keeps(formulated: Formulated, graph: Graph, limits: Limits, error: InfeasibleError) -> str:
    return f"no plan of {graph.name!r} keeps {_stated(limits)}: {formulated.in_its_words(error)}"


def _require_usable(options: Mapping[str, tuple[Considered, ...]], notes: list[str]) -> None:
    for path, found in options.items():
        if not any(option.usable for option in found):
            reasons = "; ".join(f"{option.choice}: {option.reason}" for option in found)
            raise InfeasibleError(f"node {path!r} has no option left: {reasons}")


def _to_blame(
    verdict: PipelineError, choices: Mapping[str, Choice], options: Mapping[str, tuple[Considered, ...]]
) -> str:
    """The node whose choice is taken out: the first suspect that has another option, else the one of largest error."""
    for culprit in verdict.culprits:
        chosen = choices[culprit.path]
        if any(option.usable and option.choice != chosen for option in options.get(culprit.path, ())):
            return culprit.path
    measured = {
        path: option.estimate.error
        for path, choice in choices.items()
        if choice.device != CONTROL
        for option in options[path]
        if option.choice == choice and option.estimate is not None
    }
    return max(measured, key=lambda path: measured[path])


def _without(
    options: tuple[Considered, ...], choice: Choice, verdict: PipelineError
) -> tuple[Considered, ...]:
    """The options without those that compute as the choice does: the same device in the same precision, in batches or
    not.

    The number of threads may change the order of a sum, so where nothing else is left only the variant itself goes.
    """
    reason = f"with it the pipeline's final outputs are off by {_error_text(verdict)}"

    def like(other: Considered) -> bool:
        return other.choice.device == choice.device and _computes(other.choice) == _computes(choice)

    whole = tuple(replace(o, reason=reason) if o.usable and like(o) else o for o in options)
    if any(option.usable for option in whole):
        return whole
    return tuple(replace(o, reason=reason) if o.choice == choice else o for o in options)


def _computes(choice: Choice) -> tuple[object, ...]:
    """What of a variant decides the rounding."""
    return choice.variant.precision, batch_of(choice.variant) > 1


def _error_text(verdict: PipelineError) -> str:
    return "values that are not equal" if math.isinf(verdict.error) else f"{verdict.error:.1e}"


def _estimate(
    graph: Graph,
    machine: Machine,
    formulated: Formulated,
    schedule: Schedule,
    seconds: float,
    in_stream_s: float,
    verdict: PipelineError | None,
    setting: Setting,
    metric: Metric,
) -> Estimate:
    """What one request takes under this schedule, and how soon the next one follows in steady state."""
    tasks = {task.name: task for task in formulated.problem.tasks}
    chosen = {p.name: tasks[p.name].options[p.option] for p in schedule.tasks}
    considered = {p.name: formulated.considered[p.name][p.option] for p in schedule.tasks}
    estimates = [one.estimate for one in considered.values() if one.estimate is not None]
    total = seconds + overhead_s(graph, schedule)
    whole = whole_of(formulated.problem, schedule, total, machine)
    resident: dict[tuple[str, str], float] = {}
    for name, option in chosen.items():
        shared = (option.processor, option.resident or name)
        resident[shared] = max(resident.get(shared, 0.0), option.memory_bytes)
    time_sources = {estimate.sources.get("seconds", "prior") for estimate in estimates}
    source: Source = "prior" if "prior" in time_sources else "modelled"
    error, chance_error = _error(verdict, chosen.values(), metric), _chance_error(graph)
    return Estimate(
        seconds=total,
        joules=whole.joules,
        # The machine is paid for while the request is served, whatever its cores do meanwhile.
        dollars=whole.dollars,
        error=max(error, chance_error),
        memory_bytes=sum(resident.values()),
        period_s=min(in_stream_s, total),
        spread={
            "seconds": sum(e.spread.get("seconds", 0.0) for e in estimates),
            "joules": 0.0,
            "dollars": 0.0,
            "error": 0.0,
            "memory_bytes": 0.0,
            "period_s": 0.0,
        },
        sources={
            "seconds": source,
            "joules": "modelled",
            "dollars": "modelled",
            "error": "modelled" if chance_error > error else _error_source(verdict, estimates),
            "memory_bytes": "modelled",
            "period_s": source,
        },
    )


def _error(verdict: PipelineError | None, chosen: Iterable[Option], metric: Metric) -> float:
    """The samples may happen to hide what the nodes' own errors show: the larger of the two is what is stated, where
    both are the same kind of difference."""
    if verdict is not None and not metric.of_nodes:
        return verdict.error
    return max(verdict.error if verdict else 0.0, sum(option.error for option in chosen))


def _error_source(verdict: PipelineError | None, chosen: Iterable[Estimate]) -> Source:
    if any(e.error and e.sources.get("error") == "declared" for e in chosen):
        return "declared"
    return "measured" if verdict else "modelled"


def _chance_error(graph: Graph) -> float:
    """What outputs are off by because they are samples, where the size of the samples was left to the planner."""
    return max((node.op.chance_error for _, node in graph.walk()), default=0.0)


def _require_within(estimate: Estimate, limits: Limits) -> None:
    """The limits on the whole, which the problem sees only in part: contention and idle power are added here."""
    for name, limit, value in (
        ("latency_s", limits.latency_s, estimate.seconds),
        ("joules", limits.joules, estimate.joules),
        ("dollars", limits.dollars, estimate.dollars),
    ):
        if limit is not None and value > limit:
            raise InfeasibleError(
                f"limit {name}={limit:.4g} cannot be kept: the best plan found takes {value:.4g} "
                f"({value / limit:.2f} times as much)"
                if limit
                else f"limit {name}=0 cannot be kept"
            )
