"""The shortest schedule: list schedulers first, then search, each only as long as a gap is left.

By the clock, local search gets a share of the budget and CP-SAT, which also proves, the rest. In steps,
the two take turns in rounds that double: a run of more steps then begins with exactly the rounds of a run
of fewer, so that it can never end worse.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property, partial

from hetero.schedule.arrays import Arrays
from hetero.schedule.bounds import Ends, load, quick_bound
from hetero.schedule.budget import SECONDS_PER_STEP, Budget
from hetero.schedule.clock import now
from hetero.schedule.draft import Draft
from hetero.schedule.effort import Effort, Outcome
from hetero.schedule.infeasible import NothingFitsError, explain, missing_bytes
from hetero.schedule.load_bounds import load_bound
from hetero.schedule.loading import (
    LINEAR_PROGRAMS,
    SMALL_KERNEL,
    loading_s,
    model_size,
    time_for_model,
)
from hetero.schedule.local_search import begin_search, kernel_of, search_until
from hetero.schedule.neighbourhoods import SECONDS_EACH, Neighbourhoods, worth_while
from hetero.schedule.pooling import pooled
from hetero.schedule.pricing import guided_by, prices_of
from hetero.schedule.problem import Limits, Problem
from hetero.schedule.repair import packed_by_solver, starting_draft
from hetero.schedule.series_bound import series_bound
from hetero.schedule.small import is_small, shortest_small
from hetero.schedule.ticks import time_ticks
from hetero.schedule.tradeoff import Multipliers

__all__ = ["shortest"]

SEARCH_FROM_TASKS = 30
"""Below, CP-SAT alone is faster than loading Numba."""

TURNS = ((0.05, 0.15), (0.5, 1.0))
"""Shares of the time that is left for local search, then CP-SAT: a short turn each, which is enough for
most problems, then a long one."""

PROVABLE_TASKS = range(SEARCH_FROM_TASKS, 61)
"""So few that local search soon finds the best schedule and only the proof is missing.

Of fewer tasks CP-SAT has to find schedules as well. With two provers alone one of 1,500 tiny problems stayed unsolved:
the bound crept up tick by tick, and nobody looked for a schedule.
"""

PROOF_TURNS = ((0.1, 0.65), (1.0, 0.0))
"""For them one long proof, since what CP-SAT has learnt goes with its turn; then search again, if it was in vain."""

PART_TURNS = ((0.1, 0.15), (0.6, 1.0))
"""Where large neighbourhoods search, which gain most when they begin with a good schedule."""

SINGLE_MOVES_SHARE = 0.3
"""Of a turn of search, before large neighbourhoods take over."""

FITTED_OPTIONS_PER_SECOND = 15_000
"""For the load bound with fitted weights, half of what it does: its linear programs do not look at the clock."""

ENDS_UP_TO = 10_000
"""Options up to which heads and tails take some tens of milliseconds."""

SMALL_NODES = 40_000
NODES_PER_SECOND = 500_000
NODES_PER_STEP = 500
"""Of the branch and bound for small problems: some 40 ms, in which it is done or CP-SAT is better."""

EXACT_UP_TO_SIZE = 6000
"""Beyond so many transfer constraints CP-SAT is still presolving when the budget ends."""

FORCED_SIZE = 3000
"""Up to which a model is built whatever time is left where nothing valid is known yet."""

SERIES_SHARE = 0.25
"""Of the time, for the bound by segments: most of them are solved in milliseconds, and the rest hardly gets better."""

PACKING_SHARE = 0.3
"""Of the time, for a first schedule where list scheduling and repair find none."""

ITERATIONS_PER_STEP = 10
FIRST_ROUND_STEPS = 50


def shortest(problem: Problem, arrays: Arrays, limits: Limits, budget: Budget) -> tuple[Draft, float]:
    """The best draft found within limits, and a bound on its makespan."""
    pool = pooled(arrays) if limits.memory_bytes is None else None
    if pool is None:
        return _Solve(problem, arrays, limits, budget).run()
    draft, bound = _Solve(problem, pool.arrays, limits, budget).run()
    return pool.unpool(draft), bound


def met(value: float, bound: float) -> bool:
    """Whether nothing better than `value` can exist, up to rounding."""
    return value <= bound * (1 + 1e-12)


class _Solve:
    """One solve: the best draft so far and the bound so far, improved by one method after another."""

    def __init__(self, problem: Problem, arrays: Arrays, limits: Limits, budget: Budget) -> None:
        self._problem, self._arrays, self._limits, self._budget = problem, arrays, limits, budget
        self._bound = quick_bound(arrays, self._ends) if self._time_for_ends else load(arrays)
        if math.isinf(self._bound) or missing_bytes(arrays, limits) > 0:
            raise NothingFitsError(partial(explain, problem, arrays, limits, budget))
        self._best: Draft | None = starting_draft(arrays, limits, quick=budget.left == 0, until=budget.until)
        self._impossible = False
        if self._time_for_ends:
            self._raise_bound(load_bound(arrays, self._ends, fit=False))

    @property
    def _time_for_ends(self) -> bool:
        """Without any budget, bounds that take longer than the list schedule of a large problem are left out."""
        return self._budget.left > 0 or self._arrays.options <= ENDS_UP_TO

    @cached_property
    def _ends(self) -> Ends:
        return Ends.of(self._arrays)

    def run(self) -> tuple[Draft, float]:
        if self._best is None and self._arrays.tasks >= SEARCH_FROM_TASKS:
            self._pack()
        if self._budget.steps is None:
            self._by_the_clock()
        else:
            self._in_steps(self._budget.steps)
        best, limit = self._best, self._limits.seconds
        if best is None or (limit is not None and best.makespan_s > limit * (1 + 1e-9)):
            why = partial(
                explain, self._problem, self._arrays, self._limits, self._budget, proven=self._impossible
            )
            raise NothingFitsError(why, proven=self._impossible)
        return best, min(self._bound, best.makespan_s)

    def _by_the_clock(self) -> None:
        if self._done or (self._budget.left == 0 and self._valid):
            return
        self._follow_prices()
        if not self._done and (not self._valid or self._budget.left > loading_s(SMALL_KERNEL)):
            self._small(int(self._budget.left * NODES_PER_SECOND))
        turns: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
        if self._arrays.tasks >= SEARCH_FROM_TASKS:
            fitting_s = self._budget.left - loading_s(LINEAR_PROGRAMS)
            if self._arrays.options <= fitting_s * FITTED_OPTIONS_PER_SECOND:
                self._raise_bound(load_bound(self._arrays, self._ends))
            turns = PROOF_TURNS if self._arrays.tasks in PROVABLE_TASKS else TURNS
            if worth_while(self._arrays):
                turns = PART_TURNS
            if model_size(self._arrays) > EXACT_UP_TO_SIZE:
                turns = ((1.0, 0.0),)
            if self._arrays.tasks not in PROVABLE_TASKS:
                self._divide()
        for search_share, exact_share in turns:
            if search_share > 0 and not self._done:
                self._search(now() + search_share * self._budget.left)
            wanted = exact_share > 0 and self._time_for_exact
            if not self._done and (wanted or (not self._valid and model_size(self._arrays) <= FORCED_SIZE)):
                self._exact(self._budget.effort(exact_share))

    def _divide(self) -> None:
        """Bound a graph that is too large for a proof by its segments, where it has any."""
        if self._done or self._arrays.options > ENDS_UP_TO:
            return

        def bound(part: Arrays, seconds: float) -> float:
            alone = _Solve(self._problem, part, Limits(), Budget(seconds, None, self._budget.seed))
            try:
                return alone.run()[1]
            except NothingFitsError:
                return 0.0  # links may be missing: then no schedule has it so, and nothing is claimed

        target_s = math.inf if self._best is None else self._best.makespan_s
        until = now() + SERIES_SHARE * self._budget.left
        self._raise_bound(
            series_bound(self._arrays, self._ends, target_s=target_s, until=until, solver=bound)
        )

    @property
    def _time_for_exact(self) -> bool:
        return time_for_model(model_size(self._arrays), self._budget.left)

    def _in_steps(self, steps: int) -> None:
        size = FIRST_ROUND_STEPS
        if steps == 0 and not self._valid:
            self._exact_steps(FIRST_ROUND_STEPS)
        if steps > 0 and not self._done:
            self._follow_prices()
        if steps > 0 and not self._done:
            self._small(steps * NODES_PER_STEP)
        if steps > 0 and not self._done and self._arrays.tasks >= SEARCH_FROM_TASKS:
            self._raise_bound(load_bound(self._arrays, self._ends))
        while steps > 0 and not self._done:
            for method in (self._search_steps, self._exact_steps):
                turn = min(steps, size)
                if turn > 0 and not self._done:
                    method(turn)
                    steps -= turn
            size *= 2

    def _pack(self) -> None:
        """Find anything that keeps the limits, or that there is nothing, before time is spent on order."""
        if self._budget.steps is None:
            effort = self._budget.effort(PACKING_SHARE)
        else:
            effort = replace(self._budget, steps=FIRST_ROUND_STEPS).effort()
        outcome = packed_by_solver(self._arrays, self._limits, effort)
        self._keep(outcome.draft)
        self._impossible = outcome.infeasible

    def _follow_prices(self) -> None:
        prices = self._prices
        if prices is None:
            return
        self._raise_bound(prices.bound(self._arrays))
        if not self._done:
            self._keep(
                guided_by(prices, self._arrays, self._limits, self._budget, lambda draft: draft.makespan_s)
            )

    @cached_property
    def _prices(self) -> Multipliers | None:
        """Of chains, load and limits together: they bound by themselves, and guide the branch and bound."""
        return prices_of(self._arrays, self._limits, self._budget)

    def _small(self, nodes: int) -> None:
        if not is_small(self._arrays, self._limits):
            return
        horizon_s = self._horizon_s
        outcome = shortest_small(
            self._arrays,
            self._limits,
            incumbent=self._best if self._valid else None,
            horizon_s=horizon_s,
            bound_s=self._bound,
            ticks=time_ticks(self._arrays, horizon_s),
            tails=self._ends.tail,
            prices=self._prices,
            most_nodes=min(nodes, SMALL_NODES),
        )
        self._keep(outcome.draft)
        self._impossible = outcome.infeasible
        self._raise_bound(outcome.bound)

    @property
    def _horizon_s(self) -> float:
        """A makespan that no better schedule exceeds."""
        return worst_case(self._arrays) if self._best is None else self._best.makespan_s

    @property
    def _valid(self) -> bool:
        limit = self._limits.seconds
        return self._best is not None and (limit is None or self._best.makespan_s <= limit)

    @property
    def _done(self) -> bool:
        return self._impossible or (
            self._best is not None and self._valid and met(self._best.makespan_s, self._bound)
        )

    def _keep(self, draft: Draft | None) -> None:
        if draft is not None and (self._best is None or draft.makespan_s < self._best.makespan_s):
            self._best = draft

    def _search(self, deadline: float) -> None:
        if self._best is None or self._budget.left < loading_s(kernel_of(self._arrays)):
            return
        parts = worth_while(self._arrays) and self._time_for_exact
        share = SINGLE_MOVES_SHARE if parts else 1.0
        search = begin_search(self._arrays, self._limits, self._best, self._budget.seed)
        search_until(search, now() + share * (deadline - now()), self._bound)
        self._keep(search.best)
        if parts:
            made = Neighbourhoods(self._arrays, self._limits, self._best, self._budget.seed)
            made.search_until(deadline, self._bound)
            self._keep(made.best)

    def _search_steps(self, steps: int) -> None:
        if self._best is None or self._arrays.tasks < SEARCH_FROM_TASKS:
            return
        search = begin_search(self._arrays, self._limits, self._best, self._budget.seed)
        search.iterate(steps * ITERATIONS_PER_STEP, self._bound)
        self._keep(search.best)
        if worth_while(self._arrays):
            made = Neighbourhoods(self._arrays, self._limits, self._best, self._budget.seed)
            made.iterate(round(steps * SECONDS_PER_STEP / SECONDS_EACH), self._bound)
            self._keep(made.best)

    def _exact_steps(self, steps: int) -> None:
        self._exact(replace(self._budget, steps=steps).effort())

    def _exact(self, effort: Effort) -> None:
        outcome = self._run_exact(effort)
        if self._contradicts(outcome):
            # A schedule in the hand is worth more than a proof that there is none.
            outcome = self._run_exact(replace(effort, presolve=False))
            if self._contradicts(outcome):
                return
        self._keep(outcome.draft)
        self._impossible = outcome.infeasible
        self._raise_bound(outcome.bound)

    def _run_exact(self, effort: Effort) -> Outcome:
        from hetero.schedule.exact import minimise_makespan

        return minimise_makespan(
            self._arrays,
            self._limits,
            incumbent=self._best,
            horizon_s=self._horizon_s,
            lower_s=self._bound,
            effort=effort,
            prove=self._best is not None and self._arrays.tasks in PROVABLE_TASKS,
        )

    def _contradicts(self, outcome: Outcome) -> bool:
        """Whether CP-SAT denies the valid schedule that is already known (its presolve once did)."""
        if self._best is None or not self._valid:
            return False
        return outcome.infeasible or outcome.bound > self._best.makespan_s * (1 + 1e-9)

    def _raise_bound(self, bound: float) -> None:
        """Where all times are multiples of one tick, so is every makespan, and the bound may be too."""
        if self._best is not None and bound > 0:
            ticks = time_ticks(self._arrays, max(bound, self._best.makespan_s))
            if ticks.exact:
                bound = ticks.value(ticks.at_least(bound))
        self._bound = max(self._bound, bound)


def worst_case(arrays: Arrays) -> float:
    """A makespan that no schedule without idle waiting exceeds: everything one after the other."""
    total = 0.0
    for task in range(arrays.tasks):
        total += float(arrays.seconds[arrays.first[task] : arrays.first[task + 1]].max())
    for edge in range(arrays.edges):
        delays = arrays.delays(edge)
        total += float(delays[delays < math.inf].max(initial=0.0))
    return total
