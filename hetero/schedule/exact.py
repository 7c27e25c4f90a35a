"""CP-SAT: the best schedule for small problems with its proof, and a good one for larger ones.

The model is the usual one of optional intervals: a Boolean for each option, one interval for each option
that takes time, cumulative cores for each processor, and a transfer time on an edge that depends on where
its two ends run. Times are whole ticks, rounded down (see `hetero.schedule.ticks`), so that the solver's
bound holds for the true problem; the schedule is rebuilt from the solution in exact seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints
from hetero.schedule.draft import Draft, start_in_order
from hetero.schedule.effort import Effort, Outcome
from hetero.schedule.problem import Limits
from hetero.schedule.ticks import Ticks, all_delays, ticks_for, time_ticks

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

__all__ = ["least_overflow", "minimise_makespan", "minimise_period", "minimise_sum"]


MOST_PAIRS = 5000
"""Of intervals on one processor that are said never to overlap; more would slow the solver down."""

LEAST_SECONDS = 0.15
"""Where nothing valid is known yet, a budget that is spent must not keep a tiny problem from being solved."""


@dataclass(slots=True, eq=False)
class _Model:
    """A CP-SAT model under construction, with the variables that later constraints refer to."""

    cp: cp_model.CpModel
    arrays: Arrays
    ticks: Ticks
    taken: list[cp_model.IntVar]  # a Boolean for each option
    start: list[cp_model.IntVar]
    end: list[cp_model.IntVar]
    makespan: cp_model.IntVar | None = None
    horizon_s: float = np.inf

    def whole(self, seconds: Floats) -> Ints:
        """Times in ticks, all that is longer than the horizon cut to one length that is too long as well.

        Uncut, an option of seconds beside a schedule of microseconds would overflow the solver's integers.
        """
        return self.ticks.whole(np.minimum(seconds, 2 * self.horizon_s + 1 / self.ticks.per_unit))


def minimise_makespan(
    arrays: Arrays,
    limits: Limits,
    *,
    incumbent: Draft | None,
    horizon_s: float,
    lower_s: float,
    effort: Effort,
) -> Outcome:
    """The shortest schedule, starting from a valid one where there is one.

    `horizon_s` is a makespan that need not be exceeded; `lower_s` a bound already proven.
    """
    model = _timed_model(arrays, limits, horizon_s)
    assert model.makespan is not None
    model.cp.add(model.makespan >= model.ticks.at_least(lower_s))
    model.cp.minimize(model.makespan)
    if incumbent is not None:
        _hint(model, incumbent)
    return _solve(model, effort, "cp-sat", unit=model.ticks)


def minimise_sum(
    arrays: Arrays,
    limits: Limits,
    quantity: Floats,
    *,
    incumbent: Draft | None,
    horizon_s: float,
    effort: Effort,
) -> Outcome:
    """The choice of options with the smallest sum of `quantity`, within limits.

    Without a limit on seconds the order of tasks does not matter and is left out of the model.
    """
    timed = limits.seconds is not None
    model = _timed_model(arrays, limits, horizon_s) if timed else _untimed_model(arrays, limits)
    unit = ticks_for(quantity, _largest_sum(arrays, quantity))
    model.cp.minimize(_weighted(model, unit.whole(quantity)))
    if incumbent is not None:
        _hint(model, incumbent)
    return _solve(model, effort, "cp-sat", unit=unit)


def minimise_period(
    arrays: Arrays,
    limits: Limits,
    *,
    incumbent: Draft | None,
    horizon_s: float,
    lower_s: float,
    upper_s: float,
    effort: Effort,
) -> Outcome:
    """The choice of options that keeps the busiest processor or link least busy, within limits.

    ``upper_s`` is a period that is known to be reached, else infinite: time is counted in parts of it, so that options
    which take far longer, and cannot be chosen, do not make the parts coarse.
    """
    timed = limits.seconds is not None
    model = _timed_model(arrays, limits, horizon_s) if timed else _untimed_model(arrays, limits)
    share = arrays.seconds * arrays.cores / arrays.capacity[arrays.processor]
    transfers = all_delays(arrays, with_latency=False)
    most = (
        _largest_sum(arrays, share) + float(transfers[np.isfinite(transfers)].max(initial=0)) * arrays.edges
    )
    most = min(most, upper_s)
    share, transfers = np.minimum(share, 2 * most), np.minimum(transfers, 2 * most)
    unit = ticks_for(np.concatenate([share, transfers]), most)
    period = model.cp.new_int_var(unit.at_least(lower_s), unit.at_most(most) + 1, "period")
    _bound_processors(model, unit.whole(share), period)
    _bound_links(model, unit, period, 2 * most)
    model.cp.minimize(period)
    if incumbent is not None:
        _hint(model, incumbent)
    return _solve(model, effort, "cp-sat", unit=unit)


def least_overflow(arrays: Arrays, limits: Limits, seconds: float = 2.0) -> float | None:
    """The least bytes that are missing, summed over processors; None where that could not be proven."""
    model = _untimed_model(arrays, Limits(), memory=False)
    over = _limit_memory(model, limits, overflow=True)
    if over is None:
        return 0.0
    unit, missing = over
    model.cp.minimize(sum(missing))
    outcome = _solve(model, Effort(seconds), "cp-sat", unit=unit)
    return None if outcome.draft is None else outcome.bound


def _bound_processors(model: _Model, share: Ints, period: cp_model.IntVar) -> None:
    arrays = model.arrays
    for processor in range(arrays.processors):
        here = np.flatnonzero(arrays.processor == processor).tolist()
        model.cp.add(sum(int(share[option]) * model.taken[option] for option in here) <= period)


def _bound_links(model: _Model, unit: Ticks, period: cp_model.IntVar, longest_s: float) -> None:
    """A tensor, known by its source and size, goes once over each link that it needs."""
    cp, arrays = model.cp, model.arrays
    tensors: dict[tuple[int, float], list[int]] = {}
    for edge in np.flatnonzero(arrays.nbytes > 0).tolist():
        tensors.setdefault((int(arrays.source[edge]), float(arrays.nbytes[edge])), []).append(edge)
    places = [_on_processor(model, task) for task in range(arrays.tasks)]
    terms: dict[tuple[int, int], list[cp_model.LinearExprT]] = {}
    for (source, nbytes), edges in tensors.items():
        wanted: dict[int, list[cp_model.IntVar]] = {}
        for edge in edges:
            for there, on_there in places[arrays.target[edge]].items():
                wanted.setdefault(there, []).append(on_there)
        for here, on_here in places[source].items():
            for there, arriving in wanted.items():
                if here == there or not np.isfinite(arrays.latency[here, there]):
                    continue
                sent = cp.new_bool_var(f"sent{source}from{here}to{there}")
                for on_there in arriving:
                    cp.add_bool_or(on_here.negated(), on_there.negated(), sent)
                ticks = unit.whole(np.array([min(nbytes / arrays.rate[here, there], longest_s)]))
                terms.setdefault((here, there), []).append(int(ticks[0]) * sent)
    for pair in terms.values():
        cp.add(sum(pair) <= period)


def _untimed_model(arrays: Arrays, limits: Limits, *, memory: bool = True) -> _Model:
    from ortools.sat.python import cp_model

    cp = cp_model.CpModel()
    taken = [cp.new_bool_var(f"taken{option}") for option in range(arrays.options)]
    for task in range(arrays.tasks):
        cp.add_exactly_one(taken[arrays.first[task] : arrays.first[task + 1]])
    model = _Model(cp, arrays, Ticks(1.0, exact=True), taken, [], [])
    if memory:
        _limit_memory(model, limits)
    _limit_sums(model, limits)
    _forbid_missing_links(model)
    return model


def _timed_model(arrays: Arrays, limits: Limits, horizon_s: float) -> _Model:
    if limits.seconds is not None:
        horizon_s = min(horizon_s, limits.seconds)
    model = _untimed_model(arrays, limits)
    model.ticks, model.horizon_s = time_ticks(arrays, horizon_s), horizon_s
    horizon = model.ticks.at_most(horizon_s)
    model.start = [model.cp.new_int_var(0, horizon, f"start{task}") for task in range(arrays.tasks)]
    model.end = [model.cp.new_int_var(0, horizon, f"end{task}") for task in range(arrays.tasks)]
    model.makespan = model.cp.new_int_var(0, horizon, "makespan")
    _add_intervals(model)
    _add_transfers(model)
    seconds = model.whole(arrays.seconds)
    for task, end in enumerate(model.end):
        model.cp.add(end <= model.makespan)
        for option in range(arrays.first[task], arrays.first[task + 1]):
            done = model.start[task] + int(seconds[option])
            model.cp.add(done <= model.makespan).only_enforce_if(model.taken[option])
    return model


def _add_intervals(model: _Model) -> None:
    from ortools.sat.python import cp_model

    cp, arrays = model.cp, model.arrays
    seconds = model.whole(arrays.seconds)
    by_processor: list[list[tuple[cp_model.IntervalVar, int]]] = [[] for _ in range(arrays.processors)]
    for task in range(arrays.tasks):
        options = range(arrays.first[task], arrays.first[task + 1])
        start, end = model.start[task], model.end[task]
        # The end as a sum over options, and intervals with ends of their own: with one end variable in
        # all of a task's optional intervals, CP-SAT 9.15 has cut off optima (tests/schedule/
        # test_schedule_exact.py keeps the case).
        length = cp_model.LinearExpr.weighted_sum(
            model.taken[options.start : options.stop], seconds[options.start : options.stop].tolist()
        )
        cp.add(end == start + length)
        for option in options:
            taken, duration = model.taken[option], int(seconds[option])
            if duration == 0:  # holds no cores
                continue
            interval = cp.new_optional_fixed_size_interval_var(start, duration, taken, f"run{option}")
            by_processor[arrays.processor[option]].append((interval, int(arrays.cores[option])))
    for processor, entries in enumerate(by_processor):
        capacity = int(arrays.capacity[processor])
        intervals = [interval for interval, _ in entries]
        cores = [count for _, count in entries]
        if 2 * min(cores, default=1) > capacity:
            cp.add_no_overlap(intervals)
        elif intervals:
            cp.add_cumulative(intervals, cores, capacity)
            _say_which_never_overlap(model, entries, capacity)


def _say_which_never_overlap(
    model: _Model, entries: list[tuple[cp_model.IntervalVar, int]], capacity: int
) -> None:
    """Pairs too wide to run at once, said apart, so that the solver can branch on their order.

    The cumulative constraint implies it, but from that alone CP-SAT has raised bounds tick by tick.
    """
    pairs = [
        (first, second)
        for position, (first, cores) in enumerate(entries)
        for second, others in entries[:position]
        if cores + others > capacity
    ]
    if len(pairs) <= MOST_PAIRS:
        for pair in pairs:
            model.cp.add_no_overlap(pair)


def _on_processor(model: _Model, task: int) -> dict[int, cp_model.IntVar]:
    """For each processor that a task can use, a Boolean that says whether it does."""
    arrays = model.arrays
    groups: dict[int, list[cp_model.IntVar]] = {}
    for option in range(arrays.first[task], arrays.first[task + 1]):
        groups.setdefault(int(arrays.processor[option]), []).append(model.taken[option])
    result = {}
    for processor, taken in groups.items():
        if len(taken) == 1:
            result[processor] = taken[0]
        else:
            result[processor] = model.cp.new_bool_var(f"task{task}on{processor}")
            model.cp.add(sum(taken) == result[processor])
    return result


def _add_transfers(model: _Model) -> None:
    """A target starts after its source has ended and the data is there, for each option of the source.

    Said of the source's start plus its duration, not of its end: that propagates several times better
    where the end depends on the option.
    """
    cp, arrays = model.cp, model.arrays
    seconds = model.whole(arrays.seconds)
    places = [_on_processor(model, task) for task in range(arrays.tasks)]
    for edge in range(arrays.edges):
        source, target = int(arrays.source[edge]), int(arrays.target[edge])
        begin, start = model.start[source], model.start[target]
        cp.add(start >= model.end[source])
        delays = arrays.delays(edge)
        ticks = model.whole(delays)
        for option in range(arrays.first[source], arrays.first[source + 1]):
            taken, here, done = (
                model.taken[option],
                int(arrays.processor[option]),
                begin + int(seconds[option]),
            )
            cp.add(start >= done).only_enforce_if(taken)
            away = [there for there in places[target] if there != here and np.isfinite(delays[here, there])]
            least = min((int(ticks[here, there]) for there in away), default=0)
            if least > 0:
                # One constraint says "leaving here takes at least this", instead of one for each pair.
                stays = [places[target][here].negated()] if here in places[target] else []
                cp.add(start >= done + least).only_enforce_if(taken, *stays)
            for there in away:
                delay = int(ticks[here, there])
                if delay > least:
                    cp.add(start >= done + delay).only_enforce_if(taken, places[target][there])


def _forbid_missing_links(model: _Model) -> None:
    arrays = model.arrays
    options = [range(arrays.first[task], arrays.first[task + 1]) for task in range(arrays.tasks)]
    for edge in np.flatnonzero(arrays.nbytes > 0).tolist():
        for first in options[arrays.source[edge]]:
            blocked = [
                second
                for second in options[arrays.target[edge]]
                if not np.isfinite(arrays.latency[arrays.processor[first], arrays.processor[second]])
            ]
            for second in blocked:
                model.cp.add_bool_or(model.taken[first].negated(), model.taken[second].negated())


def _limit_memory(
    model: _Model, limits: Limits, *, overflow: bool = False
) -> tuple[Ticks, list[cp_model.IntVar]] | None:
    """Keep memory within capacity; with `overflow`, count what is missing instead, in the ticks returned."""
    arrays = model.arrays
    everywhere = limits.memory_bytes is not None
    most = np.bincount(arrays.processor, arrays.memory, minlength=arrays.processors)
    binding = arrays.memory_capacity < most
    limited = [p for p in range(arrays.processors) if everywhere or binding[p]]
    if not limited:
        return None
    capacities = arrays.memory_capacity[binding]
    sizes = np.concatenate([arrays.memory, capacities])
    unit = ticks_for(sizes, max(1.0, _largest_sum(arrays, arrays.memory)))
    terms = {processor: _memory_terms(model, processor, unit) for processor in limited}
    rows = [(terms[p], float(arrays.memory_capacity[p])) for p in limited if binding[p]]
    if limits.memory_bytes is not None:
        rows.append(([term for processor in limited for term in terms[processor]], limits.memory_bytes))
    missing: list[cp_model.IntVar] = []
    for used, capacity in rows:
        allowed = unit.at_most(capacity)
        if overflow:
            missing.append(model.cp.new_int_var(0, 1 << 45, f"missing{len(missing)}"))
            model.cp.add(sum(used) <= allowed + missing[-1])
        else:
            model.cp.add(sum(used) <= allowed)
    return unit, missing


def _memory_terms(model: _Model, processor: int, unit: Ticks) -> list[cp_model.LinearExprT]:
    """What to sum for the resident memory of a processor; a shared copy is paid for in steps of size."""
    arrays = model.arrays
    sizes = unit.whole(arrays.memory)
    here = np.flatnonzero((arrays.processor == processor) & (sizes > 0))
    terms: list[cp_model.LinearExprT] = [
        int(sizes[o]) * model.taken[o] for o in here.tolist() if arrays.key[o] < 0
    ]
    for key in np.unique(arrays.key[here[arrays.key[here] >= 0]]).tolist():
        sharing = here[arrays.key[here] == key]
        paid = 0
        for size in np.unique(sizes[sharing]).tolist():
            resident = model.cp.new_bool_var(f"resident{key}at{size}")
            for option in sharing[sizes[sharing] >= size].tolist():
                model.cp.add_implication(model.taken[option], resident)
            terms.append((size - paid) * resident)
            paid = size
    return terms


def _limit_sums(model: _Model, limits: Limits) -> None:
    arrays = model.arrays
    for values, limit in (
        (arrays.joules, limits.joules),
        (arrays.dollars, limits.dollars),
        (arrays.error, limits.error),
    ):
        if limit is not None:
            unit = ticks_for(np.append(values, limit), max(limit, _largest_sum(arrays, values)))
            model.cp.add(_weighted(model, unit.whole(values)) <= unit.at_most(limit))


def _weighted(model: _Model, weights: Ints) -> cp_model.LinearExprT:
    from ortools.sat.python import cp_model

    return cp_model.LinearExpr.weighted_sum(model.taken, weights.tolist())


def _largest_sum(arrays: Arrays, values: Floats) -> float:
    if arrays.tasks == 0:
        return 0.0
    return float(np.maximum.reduceat(values, arrays.first[:-1]).sum())


def _hint(model: _Model, draft: Draft) -> None:
    chosen = set(draft.option.tolist())
    for option, taken in enumerate(model.taken):
        model.cp.add_hint(taken, option in chosen)
    if model.start:
        starts = model.ticks.whole(draft.start_s)
        durations = model.ticks.whole(model.arrays.seconds[draft.option])
        for task in range(model.arrays.tasks):
            model.cp.add_hint(model.start[task], int(starts[task]))
            model.cp.add_hint(model.end[task], int(starts[task] + durations[task]))
        if model.makespan is not None:
            model.cp.add_hint(model.makespan, int((starts + durations).max(initial=0)))


def _solve(model: _Model, effort: Effort, method: str, *, unit: Ticks) -> Outcome:
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = effort.workers
    solver.parameters.cp_model_presolve = effort.presolve
    # In CP-SAT 9.15 this detection cuts off optima of models like ours (tests/schedule/test_schedule_exact.py
    # keeps a case); its propagators are not missed.
    solver.parameters.auto_detect_greater_than_at_least_one_of = False
    solver.parameters.random_seed = effort.seed
    solver.parameters.max_time_in_seconds = max(LEAST_SECONDS, effort.seconds)
    if effort.deterministic is not None:
        # Only a guard: propagation over very long horizons can go on without the deterministic clock moving.
        solver.parameters.max_time_in_seconds = 60.0 + 60.0 * effort.deterministic
        solver.parameters.max_deterministic_time = effort.deterministic
    status = solver.solve(model.cp)
    assert status != cp_model.MODEL_INVALID, model.cp.validate()
    if status == cp_model.INFEASIBLE:
        return Outcome(None, 0.0, infeasible=True)
    bound = unit.value(max(0.0, solver.best_objective_bound))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Outcome(None, bound)
    return Outcome(_draft(model, solver, method), bound)


def _draft(model: _Model, solver: cp_model.CpSolver, method: str) -> Draft:
    arrays = model.arrays
    taken = np.array([solver.boolean_value(variable) for variable in model.taken], dtype=bool)
    option = np.flatnonzero(taken)
    if not model.start:
        return Draft.of(arrays, option, np.zeros(arrays.tasks), method)
    begins = np.array([solver.value(variable) for variable in model.start], dtype=np.int64)
    ends = np.array([solver.value(variable) for variable in model.end], dtype=np.int64)
    return start_in_order(arrays, option, begins, ends, method)
