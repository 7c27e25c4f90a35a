"""One run of CP-SAT on a finished model, and the schedule that its solution stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hetero.schedule.draft import Draft, start_in_order
from hetero.schedule.effort import Effort, Outcome
from hetero.schedule.exact.model import Model
from hetero.schedule.ticks import Ticks

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

__all__ = ["hint", "run"]

LEAST_SECONDS = 0.15
"""Where nothing valid is known yet, a budget that is spent must not keep a tiny problem from being solved."""

PROVERS = ("default_lp", "lb_tree_search")
"""CP-SAT's workers where mostly the proof is missing: one learns from conflicts, the other raises the bound."""


def hint(model: Model, draft: Draft) -> None:
    """Let the solver begin with a draft."""
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


def run(
    model: Model, effort: Effort, method: str, *, unit: Ticks, prove: bool = False, propagate: bool = False
) -> Outcome:
    """Solve; `unit` are the ticks of the objective.

    By itself CP-SAT keeps all but one of few workers busy with the search for better solutions; with `prove`, the
    solutions are taken to be good, and two workers look for the proof. To ``propagate`` only is quicker where little is
    left to choose.
    """
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = effort.workers
    solver.parameters.cp_model_presolve = effort.presolve
    # In CP-SAT 9.15 this detection, and the presolve rules that look for constraints included in others, cut off
    # optima of models like ours (tests/schedule/test_schedule_exact.py keeps cases); neither is missed.
    solver.parameters.auto_detect_greater_than_at_least_one_of = False
    solver.parameters.presolve_inclusion_work_limit = 0
    if prove and effort.workers == len(PROVERS):
        solver.parameters.subsolvers.extend(PROVERS)
        solver.parameters.num_full_subsolvers = len(PROVERS)
    if propagate:
        solver.parameters.linearization_level = 0
        solver.parameters.symmetry_level = 0
        solver.parameters.cp_model_probing_level = 1
    solver.parameters.random_seed = effort.seed
    solver.parameters.max_time_in_seconds = max(LEAST_SECONDS, effort.left)
    if effort.deterministic is not None:
        # Only a guard: propagation over very long horizons can go on without the deterministic clock moving.
        guard_s = 60.0 + 60.0 * effort.deterministic
        solver.parameters.max_time_in_seconds = min(max(LEAST_SECONDS, effort.left), guard_s)
        solver.parameters.max_deterministic_time = effort.deterministic
    status = solver.solve(model.cp)
    assert status != cp_model.MODEL_INVALID, model.cp.validate()
    if status == cp_model.INFEASIBLE:
        return Outcome(None, 0.0, infeasible=True)
    bound = unit.value(max(0.0, solver.best_objective_bound))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Outcome(None, bound)
    return Outcome(_draft(model, solver, method), bound)


def _draft(model: Model, solver: cp_model.CpSolver, method: str) -> Draft:
    arrays = model.arrays
    taken = np.array([solver.boolean_value(variable) for variable in model.taken], dtype=bool)
    option = np.flatnonzero(taken)
    if not model.start:
        return Draft.of(arrays, option, np.zeros(arrays.tasks), method)
    begins = np.array([solver.value(variable) for variable in model.start], dtype=np.int64)
    ends = np.array([solver.value(variable) for variable in model.end], dtype=np.int64)
    return start_in_order(arrays, option, begins, ends, method)
