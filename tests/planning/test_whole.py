"""Limits on what a whole request takes: idle power and rent are not a sum over tasks, and are limited all the same."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planning.made import first, info, option, second, setting
from schedule.brute_force import optimum

import hetero as ht
from hetero.errors import InfeasibleError
from hetero.limits import Limits
from hetero.machine import Link, Machine, Processor
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.planning.whole import Solved, keeping_limits, whole_of
from hetero.plans import Plan, Request
from hetero.schedule import Edge, Option, Problem, Schedule, Task, solve
from hetero.schedule import Limits as ProblemLimits
from hetero.schedule import Link as ProblemLink
from hetero.schedule import Processor as ProblemProcessor

CHAIN = ht.pipeline(lambda x: second(first(x))).trace()
IDLE_W, RENT = 10.0, 3600.0
WHERE = Machine(
    (Processor("cpu", cores=2, idle_watts=IDLE_W, dollars_per_hour=RENT),), (info("cpu/a"), info("cpu/b"))
)


def settled(limits: Limits, objective: str = "latency") -> Plan:
    """Either node is fast and hungry (1 s, 30 J) or slow and frugal (2 s, 5 J); idle power is 10 W."""
    both = (option("cpu/a", 1.0, joules=30.0), option("cpu/b", 2.0, joules=5.0))
    request = Request(objective, limits, Selection())
    return settle(CHAIN, WHERE, request, setting(CHAIN, {"first": both, "second": both}), None, 1.0)


@pytest.mark.parametrize(("joules", "seconds"), [(81.0, 2.0), (66.0, 3.0), (51.0, 4.0)])
def test_a_limit_on_energy_counts_idle_power_while_solving(joules: float, seconds: float) -> None:
    """80 J in 2 s, 65 J in 3 s, 50 J in 4 s: the fastest that keeps the limit, not a refusal."""
    plan = settled(Limits(joules=joules))
    assert plan.estimate.seconds == pytest.approx(seconds, rel=1e-3)
    assert plan.estimate.joules <= joules
    assert plan.schedule.proven_optimal


def test_a_limit_that_nothing_keeps_names_the_least_that_was_found() -> None:
    """50 J is the least there is."""
    with pytest.raises(InfeasibleError, match=r"joules=49 cannot be kept: the best plan found takes 50"):
        settled(Limits(joules=49.0))


def test_a_limit_on_dollars_is_one_on_time() -> None:
    """A dollar a second: what takes longer costs more, whatever its tasks' shares are."""
    assert settled(Limits(dollars=2.1)).estimate.dollars <= 2.1
    with pytest.raises(InfeasibleError, match=r"dollars=1\.9"):
        settled(Limits(dollars=1.9))


@pytest.mark.parametrize("objective", ["energy", "cost", "throughput"])
def test_other_objectives_keep_the_limits_on_the_whole_too(objective: str) -> None:
    """Where the best in the objective breaks one, a faster or more frugal plan is found."""
    plan = settled(Limits(joules=66.0, dollars=3.1), objective)
    assert plan.schedule.objective == objective
    assert plan.estimate.joules <= 66.0
    assert plan.estimate.dollars <= 3.1


def test_the_most_frugal_plan_is_so_with_its_idle_power() -> None:
    """Task by task the slow options take least: 10 J in 4 s, 50 J with idling. At 50 W of idling the fast ones do."""
    assert settled(Limits(), "energy").estimate.joules == pytest.approx(50.0, rel=1e-3)
    hungry = Machine((replace(WHERE.processors[0], idle_watts=50.0),), WHERE.devices)
    both = (option("cpu/a", 1.0, joules=30.0), option("cpu/b", 2.0, joules=5.0))
    options = {"first": both, "second": both}
    plan = settle(CHAIN, hungry, Request("energy", Limits(), Selection()), setting(CHAIN, options), None, 1.0)
    assert plan.estimate.joules == pytest.approx(160.0, rel=1e-3)
    assert plan.schedule.objective == "energy"


def test_the_cheapest_plan_is_paid_by_the_second() -> None:
    """The machine is rented as long as a request takes: fast is cheap, whatever share of its cores a task holds."""
    both = (option("cpu/a", 1.0, threads=2, dollars=1.0), option("cpu/b", 1.6, dollars=0.8))
    options = {"first": both, "second": both}
    plan = settle(CHAIN, WHERE, Request("cost", Limits(), Selection()), setting(CHAIN, options), None, 1.0)
    assert plan.estimate.dollars == pytest.approx(2.0, rel=1e-3)


def test_electricity_alone_is_paid_by_the_second_too() -> None:
    """No rent and no hardware to write off: what a longer request costs is the idle power in it."""
    own = replace(WHERE.processors[0], idle_watts=100.0, dollars_per_hour=0.0, dollars_per_kwh=0.36)
    both = (option("cpu/a", 1.0, joules=30.0, dollars=3e-6), option("cpu/b", 5.0, joules=5.0, dollars=5e-7))
    options = {"first": both, "second": both}
    request = Request("cost", Limits(), Selection())
    plan = settle(CHAIN, Machine((own,), WHERE.devices), request, setting(CHAIN, options), None, 1.0)
    assert plan.estimate.seconds == pytest.approx(2.0, rel=1e-3)


def plain(problem: Problem, objective: str) -> Solved:
    schedule = solve(problem, objective=objective)  # type: ignore[arg-type]
    return problem, schedule, schedule.makespan_s


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_shortest_plan_within_a_limit_on_energy_is_brute_force_s(data: st.DataObject) -> None:
    """Two processors with idle power each: the second costs its idle power for as long as the request takes."""
    tasks = tuple(
        Task(
            f"t{i}",
            tuple(
                Option(place, data.draw(st.integers(1, 6)), joules=data.draw(st.integers(0, 20)))
                for place in ("cpu", "gpu0", "cpu")
            ),
        )
        for i in range(data.draw(st.integers(1, 3)))
    )
    edges = tuple(Edge(f"t{i}", f"t{i + 1}", 1.0) for i in range(len(tasks) - 1) if data.draw(st.booleans()))
    problem = Problem(
        (ProblemProcessor("cpu", 2), ProblemProcessor("gpu0")),
        tasks,
        edges,
        (ProblemLink("cpu", "gpu0", 0.5, 1e9), ProblemLink("gpu0", "cpu", 0.5, 1e9)),
    )
    machine = Machine(
        (Processor("cpu", cores=2, idle_watts=2.0), Processor("gpu0", kind="gpu", idle_watts=5.0))
    )
    joules = float(data.draw(st.integers(5, 90)))
    limits = Limits(joules=joules)
    best = min(
        (
            seconds
            for chosen in itertools.product(*(task.options for task in tasks))
            if (seconds := optimum(_fixed(problem, chosen), "latency")) is not None
            and _joules(chosen, seconds, machine) <= joules
        ),
        default=None,
    )
    limited = replace(problem, limits=ProblemLimits(joules=joules))
    try:
        found = keeping_limits(limited, "latency", limits, machine, lambda _: 0.0, plain, lambda: False)
    except InfeasibleError:
        assert best is None
        return
    if best is None:
        assert not whole_of(*found, machine).keeps(limits)
    else:
        assert found[1].makespan_s == pytest.approx(best, rel=1e-9)
        assert found[1].lower_bound <= best * (1 + 1e-9)
        assert found[1].proven_optimal


def _fixed(problem: Problem, chosen: tuple[Option, ...]) -> Problem:
    return replace(
        problem, tasks=tuple(Task(t.name, (o,)) for t, o in zip(problem.tasks, chosen, strict=True))
    )


def _joules(chosen: tuple[Option, ...], seconds: float, machine: Machine) -> float:
    used = {option.processor for option in chosen}
    return sum(o.joules for o in chosen) + seconds * sum(machine.processor(name).idle_watts for name in used)


def test_a_link_is_all_that_is_needed_of_a_machine_that_is_made_up() -> None:
    """A processor that is not used is not charged for."""
    where = Machine(
        (*WHERE.processors, Processor("gpu0", kind="gpu", memory_space="gpu0", idle_watts=1000.0)),
        (*WHERE.devices, info("gpu0/c", memory_space="gpu0")),
        (Link("host", "gpu0", 1e-3, 1e9), Link("gpu0", "host", 1e-3, 1e9)),
    )
    ways = (option("cpu/a", 1.0, joules=1.0), option("gpu0/c", 0.1, joules=1.0))
    options = {"first": ways, "second": ways}
    request = Request("latency", Limits(joules=30.0), Selection())
    plan = settle(CHAIN, where, request, setting(CHAIN, options), None, 1.0)
    assert {device for device, _ in plan.placement.values()} == {"cpu/a"}


def test_all_solves_of_a_plan_share_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many solves the limits ask for, together they are given no more seconds than one plan has."""
    parts: list[float] = []

    def slow(problem: Problem, *, objective: str, budget_seconds: float) -> Schedule:
        parts.append(budget_seconds)
        clock[0] += budget_seconds  # each takes all that it is given
        return solve(problem, objective=objective, budget_seconds=0.2)  # type: ignore[arg-type]

    clock = [0.0]
    monkeypatch.setattr("hetero.planning.solving_time.now", lambda: clock[0])
    monkeypatch.setattr("hetero.planning.settle.solve", slow)
    settled(Limits(joules=66.0))
    assert len(parts) > 1
    assert sum(parts) <= 1.0
