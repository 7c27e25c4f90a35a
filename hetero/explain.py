"""Why a plan is what it is, as text: what runs where, what lost and by how much, the bound, predicted and measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hetero import show
from hetero.bill import Bill, bills, total
from hetero.constraint_costs import HEADERS, rows_of
from hetero.planning.alone import alone, overhead_s
from hetero.plans import CONTROL, Considered, Plan
from hetero.schedule.critical import Step, critical_path

__all__ = ["bound_of", "chosen_option", "explain", "path_text", "times_the_chosen", "unit_of"]

_LOSERS = 3
_REASON = 100
_SAME_LENGTH = 0.05
_SEEN = 1e-3
"""The least part of the latency that is told by itself."""
_QUICKER = (
    "Below 1x: quicker by itself, but no gain in the plan: it takes cores, lanes or energy that others use, or nobody "
    "waits for it."
)


def explain(plan: Plan) -> str:
    """The whole story of a plan as readable text."""
    parts = [
        _headline(plan),
        _nodes(plan),
        _bound(plan),
        *_constraints(plan),
        *_refusals(plan),
        *_notes(plan),
    ]
    return "\n\n".join(parts)


def _headline(plan: Plan) -> str:
    e = plan.estimate
    bill = total(bills(plan, e.seconds))
    spread = e.spread.get("seconds", 0.0)
    lines = [
        f"plan of {plan.graph.name!r} for {plan.objective}",
        f"  latency   {show.seconds(e.seconds)} +- {show.seconds(spread)}  ({e.sources.get('seconds')})",
        f"  energy    {e.joules:.3g} J  ({e.sources.get('joules')})",
        f"  cost      ${e.dollars * 1000:.3g} per 1,000 queries  ({_cost_parts(bill)}; {e.sources.get('dollars')})",
        f"  carbon    {_carbon(bill)}",
        f"  error     {e.error:.1e}  ({e.sources.get('error')}, {plan.request.metric.name})",
        f"  memory    {show.nbytes(e.memory_bytes)} of weights  ({e.sources.get('memory_bytes')})",
    ]
    if e.period_s:
        most = show.rate(1 / e.period_s)
        lines.insert(2, f"  in flow   at most {most} results a second  ({e.sources.get('period_s')})")
    return "\n".join(lines)


def _cost_parts(bill: Bill) -> str:
    """A part of nothing is one that has no price of its own: a rent holds energy and overhead."""
    cost = bill.cost
    parts = {"hardware": cost.hardware, "energy": cost.energy, "overhead": cost.overhead}
    priced = " + ".join(f"{name} {1000 * dollars:.3g}" for name, dollars in parts.items() if dollars)
    without = " or ".join(name for name, dollars in parts.items() if not dollars)
    return ", ".join(filter(None, (priced, without and f"no price of its own for {without}")))


def _carbon(bill: Bill) -> str:
    if bill.grams is None:
        return "unknown  (the grid of a processor is not declared)"
    return f"{1000 * bill.grams:.3g} g CO2 per 1,000 queries  (modelled from energy, cooling and the grid)"


def _nodes(plan: Plan) -> str:
    """One row a node: where it runs, for how long, what was measured since, and who lost."""
    stats = plan.stats()
    rows = []
    for path, node in plan.graph.walk():
        choice = plan.choices[path]
        option = chosen_option(plan, path)
        estimate = option.estimate if option else None
        measured = stats.get(path)
        depth = path.count("/") - node.name.count("/")
        rows.append(
            [
                "  " * depth + node.name,
                choice.device,
                str(choice.variant),
                show.seconds(estimate.seconds) if estimate else "?",
                _measured(plan, path, measured),
                "; ".join(_losers(plan, path)),
            ]
        )
    table = show.text_table(["node", "device", "variant", "predicted", "measured", "lost"], rows)
    quicker = any(factor < 0.995 for path in plan.choices for factor, _ in _losing(plan, path))
    notes = [_QUICKER] if quicker else []
    return "\n".join([table, *notes, *_own_times(plan), *_other_lengths(plan, stats)])


def _own_times(plan: Plan) -> Iterator[str]:
    """What maps of one lane take beside the nodes in them; in several lanes the nodes' times overlap."""
    reached = plan.evidence.calls if plan.evidence else {}
    for path, node in plan.graph.walk():
        known = _predicted_s(plan, path)
        if plan.choices[path].variant.settings.get("lanes") != 1 or known is None:
            continue
        inside = [f"{path}/{inner.name}" for graph in node.op.subgraphs.values() for inner in graph]
        nodes_s = [_predicted_s(plan, each) for each in inside if each in reached]
        own_s = known - sum(seconds or 0.0 for seconds in nodes_s)
        if None not in nodes_s and own_s > _SEEN * known:
            yield f"{path}: {show.seconds(own_s)} are its own: items handed out, stacked into batches, collected."


def _predicted_s(plan: Plan, path: str) -> float | None:
    option = chosen_option(plan, path)
    return option.estimate.seconds if option and option.estimate else None


def _other_lengths(plan: Plan, stats: Mapping[str, Any]) -> Iterator[str]:
    """Maps that ran over more or fewer items than the samples have: their times, and those of their nodes, are then not
    of the same request. One line a map."""
    evidence, told = plan.evidence, set()
    for path, node in plan.graph.walk():
        outer = path.removesuffix(f"/{node.name}")
        runs, calls = (stats[each].calls if each in stats else 0 for each in (outer, path))
        if evidence is None or outer == path or outer in told or not runs or not calls:
            continue
        seen = calls / runs
        sampled = evidence.per_request(path, plan.choices[path].variant) / (
            evidence.per_request(outer) or 1.0
        )
        if abs(seen - sampled) > _SAME_LENGTH * sampled:
            told.add(outer)
            yield (
                f"Measured: {outer} is the median of its own runs, with {seen:.3g} calls of {node.name} each on "
                f"average; {node.name} is for the sample's {sampled:.3g}."
            )


def chosen_option(plan: Plan, path: str) -> Considered | None:
    """The option that the plan takes for a node; None where it was not among those considered."""
    return next((o for o in plan.options.get(path, ()) if o.choice == plan.choices[path]), None)


def _measured(plan: Plan, path: str, stats: object | None) -> str:
    """Seconds for one request: the median of one call times the calls of a request."""
    if stats is None or not getattr(stats, "calls", 0):
        return "-"
    per_request = plan.evidence.per_request(path, plan.choices[path].variant) if plan.evidence else 1.0
    return show.seconds(stats.p50_s * per_request)  # type: ignore[attr-defined]


def times_the_chosen(plan: Plan, path: str, option: Considered) -> float | None:
    """How many times the cost of the chosen option a measured one has: its seconds, or, in a map of several lanes, its
    core-seconds, since a lane that takes all cores leaves none to the others. None where nothing can be said."""
    chosen = chosen_option(plan, path)
    if chosen is None or chosen.estimate is None or option.estimate is None or chosen.estimate.seconds <= 0:
        return None
    factor = option.estimate.seconds / chosen.estimate.seconds
    if _in_lanes(plan, path):
        factor *= option.choice.variant.threads / chosen.choice.variant.threads
    return factor


def _in_lanes(plan: Plan, path: str) -> bool:
    """Whether a map around the node runs several items at once."""
    outer = [other for other in plan.choices if path.startswith(f"{other}/")]
    return any(int(plan.choices[other].variant.settings.get("lanes", 1)) > 1 for other in outer)


def _losing(plan: Plan, path: str) -> list[tuple[float, Considered]]:
    """The measured options that were not taken, the nearest first, each with its factor."""
    chosen = chosen_option(plan, path)
    others = [
        (factor, option)
        for option in plan.options.get(path, ())
        if option.usable
        and option is not chosen
        and (factor := times_the_chosen(plan, path, option)) is not None
    ]
    return sorted(others, key=lambda one: one[0])


def _losers(plan: Plan, path: str) -> Iterator[str]:
    others = _losing(plan, path)
    for factor, option in others[:_LOSERS]:
        name = "" if option.choice.device == CONTROL else f"{option.choice.device} "
        yield f"{name}{option.choice.variant} {factor:.2f}x"
    if len(others) > _LOSERS:
        yield f"{len(others) - _LOSERS} more"


def _bound(plan: Plan) -> str:
    schedule = plan.schedule
    unit = unit_of(plan)
    value, bound = schedule.objective_value, schedule.lower_bound
    gap = f"at most {schedule.gap:.1%} above the optimum"
    verdict = "proven optimal" if schedule.proven_optimal else gap
    lines = [
        f"schedule: {value:.6g} {unit}, no schedule of these options is below {bound:.6g} {unit}: {verdict} "
        f"({schedule.method}).",
        bound_of(plan),
        _makespan(plan),
    ]
    if path := path_text(plan):
        lines.append(f"critical path: {path}")
    return "\n".join(lines)


def _makespan(plan: Plan) -> str:
    """With what makes the latency of it."""
    makespan_s, own_s = alone(plan)[1].makespan_s, overhead_s(plan.graph, plan.schedule)
    beside_s = plan.estimate.seconds - makespan_s - own_s
    parts = [f"makespan {show.seconds(makespan_s)}", f"the program's own {show.seconds(own_s)}"]
    if beside_s > _SEEN * plan.estimate.seconds:
        parts.append(f"{show.seconds(beside_s)} lost by nodes that run side by side")
    head = "gap" if plan.objective == "latency" else f"gap of the {plan.objective}"
    return f"latency = {' + '.join(parts)}; {head} {plan.schedule.gap:.2%}"


def unit_of(plan: Plan) -> str:
    """Of the objective's value and its bound."""
    return {"energy": "J", "cost": "$"}.get(plan.objective, "s")


def bound_of(plan: Plan) -> str:
    """What the bound is of, and is not."""
    if plan.objective in ("energy", "cost"):
        return "The bound is of the tasks alone; idle power and rent, with which the plan was chosen, come on top."
    if plan.objective == "throughput":
        return (
            "These are seconds between results, each task as one block that holds its cores. The rate in flow is "
            "another model: node by node, with engines and the interpreter lock; it may be above or below."
        )
    return "The bound is of the model without contention between nodes that share a processor."


def path_text(plan: Plan) -> str:
    """The chain of tasks, transfers and waits that one request's makespan is made of; empty where nothing takes
    any time.

    A name after ``->`` waited for the data of the one before it, after ``|`` for its cores.
    """
    steps = [step for step in critical_path(*alone(plan)) if step.seconds > 0]
    return "".join(_step_text(step, first=number == 0) for number, step in enumerate(steps))


def _step_text(step: Step, *, first: bool) -> str:
    joint = "" if first else " | " if step.because == "cores" else " -> "
    if step.transfer_s > 0:
        joint = f" -> transfer {show.seconds(step.transfer_s)} -> "
    return f"{joint}{step.name} {show.seconds(step.seconds)}"


def _constraints(plan: Plan) -> Iterator[str]:
    rows = rows_of(plan)
    if rows:
        yield f"what each constraint costs, computed from what this plan knows:\n{show.text_table(HEADERS, rows)}"


def _refusals(plan: Plan) -> Iterator[str]:
    """What could not be chosen, and why: one line for a node's variants on a device that have a reason in common."""
    alike: dict[tuple[str, str, str, str], list[Considered]] = {}
    for path, options in plan.options.items():
        for option in options:
            if option.reason:
                same = path, option.choice.device, option.choice.variant.precision, option.reason
                alike.setdefault(same, []).append(option)
    lines = [
        f"  {path}: {found[0].choice if len(found) == 1 else f'{device} {precision}, {len(found)} variants'}: "
        f"{_short(reason)}"
        for (path, device, precision, reason), found in alike.items()
    ]
    if lines:
        yield "\n".join(["not chosen, because:", *lines])


def _notes(plan: Plan) -> Iterator[str]:
    if plan.notes:
        yield "\n".join(["notes:", *(f"  {note}" for note in plan.notes)])


def _short(reason: str) -> str:
    return show.cut(" ".join(reason.split()), _REASON)
