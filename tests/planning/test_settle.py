"""Solve, compare, take out what is to blame, solve again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from planning.made import first, machine, option, second, setting

import hetero as ht
from hetero.cost.accuracy import Culprit, PipelineError
from hetero.errors import InfeasibleError
from hetero.limits import Limits
from hetero.planning.contention import Contention
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Choice, Plan, Request
from hetero.schedule.verify import verify

CHAIN = ht.pipeline(lambda x: second(first(x))).trace()
WIDE = ht.pipeline(lambda x: (first(x), second(x))).trace()
WHERE = machine("cpu/good", "cpu/bad", "cpu/odd")


class Judge:
    """A gate that is told which choices are wrong."""

    def __init__(self, verdict: Callable[[Mapping[str, Choice]], PipelineError]) -> None:
        self.verdict, self.asked = verdict, 0

    def check(self, choices: Mapping[str, Choice]) -> PipelineError:
        self.asked += 1
        return self.verdict(choices)


def settled(
    options: Any, gate: Any = None, graph: Any = CHAIN, objective: str = "latency", **changes: Any
) -> Plan:
    limits = changes.pop("limits", Limits())
    request = Request(objective, limits, Selection())
    return settle(graph, WHERE, request, setting(graph, options, **changes), gate, 1.0)


BAD_IS_FASTER = {
    "first": (option("cpu/good", 2.0), option("cpu/bad", 1.0)),
    "second": (option("cpu/good", 2.0), option("cpu/bad", 1.0)),
}


def blames(*paths: str) -> Judge:
    """A device that is wrong at these nodes, the first the most."""

    def verdict(choices: Mapping[str, Choice]) -> PipelineError:
        wrong = [path for path in paths if choices[path].device == "cpu/bad"]
        return PipelineError(0.5 if wrong else 0.0, tuple(Culprit(path, 0.5, 0.0) for path in wrong))

    return Judge(verdict)


def test_without_a_gate_the_fastest_is_taken() -> None:
    """No samples, nothing to compare: the error is the sum of those of the options."""
    plan = settled(BAD_IS_FASTER)
    assert {c.device for c in plan.choices.values()} == {"cpu/bad"}
    assert plan.estimate.sources["error"] == "modelled"


def test_the_node_that_is_to_blame_moves_and_the_others_stay() -> None:
    """A note says why, and its options keep the reason."""
    gate = blames("second")
    plan = settled(BAD_IS_FASTER, gate)
    assert plan.placement["first"][0] == "cpu/bad"
    assert plan.placement["second"][0] == "cpu/good"
    assert gate.asked == 2
    (note,) = plan.notes
    assert "second does not stay on cpu/bad" in note
    assert "the limit is 1.0e-04" in note
    assert any("final outputs are off by 5.0e-01" in o.reason for o in plan.options["second"])


def test_a_suspect_with_nowhere_to_go_is_passed_over() -> None:
    """The next one moves, if that makes the outputs right."""

    def verdict(choices: Mapping[str, Choice]) -> PipelineError:
        together = choices["second"].device == "cpu/bad"
        blamed = (Culprit("first", 0.9, 0.0), Culprit("second", 0.1, 0.0))
        return PipelineError(0.5 if together else 0.0, blamed if together else ())

    options = {"first": (option("cpu/odd", 1.0),), "second": BAD_IS_FASTER["second"]}
    plan = settled(options, Judge(verdict))
    assert plan.placement["first"][0] == "cpu/odd"
    assert plan.placement["second"][0] == "cpu/good"


def test_when_nothing_is_left_the_reasons_are_told() -> None:
    """Every option of the node with why it went."""
    options = {"first": (option("cpu/bad", 1.0),), "second": (option("cpu/bad", 1.0),)}
    with pytest.raises(
        InfeasibleError, match=r"has no option left: cpu/bad .*final outputs are off by 5.0e-01"
    ):
        settled(options, blames("first", "second"))


def test_a_node_that_no_device_runs_in_time_says_what_is_possible() -> None:
    """The solver knows only numbers of options; who set the limit asks how far off it is."""
    with pytest.raises(InfeasibleError) as told:
        settled(BAD_IS_FASTER, limits=Limits(latency_s=0.5))
    assert "'first' alone takes 1.00 s at the fastest, on cpu/bad" in str(told.value)
    assert "no plan of these options takes less than 2.00 s" in str(told.value)
    assert "option 0" not in str(told.value)


def test_an_infinite_error_is_told_as_values_that_differ() -> None:
    """A text or a shape that is another one has no size of error."""
    gate = Judge(lambda choices: PipelineError(float("inf"), ()))
    with pytest.raises(InfeasibleError, match="values that are not equal"):
        settled(BAD_IS_FASTER, gate)


def test_a_limit_on_the_error_is_the_users() -> None:
    """What is within it stays."""
    plan = settled(BAD_IS_FASTER, blames("first", "second"), limits=Limits(error=0.6))
    assert {c.device for c in plan.choices.values()} == {"cpu/bad"}


def test_overlapping_tasks_count_with_their_slowdown() -> None:
    """The prediction is of the contended time; the bound stays that of the problem without it."""
    options = {"first": (option("cpu/good", 1.0),), "second": (option("cpu/odd", 1.0),)}
    plan = settled(options, graph=WIDE, contention=Contention({2: 0.8}))
    assert plan.schedule.makespan_s == pytest.approx(1.0)
    assert plan.estimate.seconds >= 1.25
    verify(plan.problem, plan.schedule)


def test_where_overlap_does_not_pay_the_careful_schedule_is_taken() -> None:
    """Two wide options one after the other beat two narrow ones that starve each other."""
    both = (option("cpu/good", 1.0), option("cpu/good", 0.6, threads=2))
    plan = settled({"first": both, "second": both}, graph=WIDE, contention=Contention({2: 0.4}))
    assert {c.variant.threads for c in plan.choices.values()} == {2}
    assert plan.estimate.seconds == pytest.approx(1.2, rel=1e-3)
    assert not plan.schedule.proven_optimal
    verify(plan.problem, plan.schedule)


@pytest.mark.parametrize(("alone_s", "threads"), [(1.04, 2), (1.2, 1)])
def test_a_gain_within_noise_is_not_worth_overlap(alone_s: float, threads: int) -> None:
    """Half of 1.04 s each on all cores, one after the other, beats 1.0 s side by side; 1.2 s does not."""
    both = (option("cpu/good", 1.0), option("cpu/good", alone_s / 2, threads=2))
    plan = settled({"first": both, "second": both}, graph=WIDE)
    assert {c.variant.threads for c in plan.choices.values()} == {threads}
    verify(plan.problem, plan.schedule)


def test_a_pair_that_was_measured_decides_against_the_model() -> None:
    """The model forbids what the clock allows, and the other way round; limits are kept either way."""
    both = (narrow := option("cpu/good", 1.0), option("cpu/good", 0.7, threads=2))
    pair = ("first", narrow.choice, "second", narrow.choice)
    swapped = ("second", narrow.choice, "first", narrow.choice)

    def threads(model: float, measured: float) -> set[int]:
        plan = settled(
            {"first": both, "second": both},
            graph=WIDE,
            contention=Contention({2: model}),
            pairs={pair: measured, swapped: measured},
        )
        assert plan.speeds.pairs[pair] == measured
        return {c.variant.threads for c in plan.choices.values()}

    assert threads(0.6, 0.95) == {1}
    assert threads(0.95, 0.6) == {2}


@pytest.mark.parametrize(
    ("name", "value"), [("latency_s", 1.5), ("joules", 3.0), ("dollars", 3.0), ("memory_bytes", 15.0)]
)
def test_a_limit_that_binds_is_named(name: str, value: float) -> None:
    """By the name that the user gave it."""
    options = {
        n: (option("cpu/good", 1.0, joules=2.0, dollars=2.0, memory_bytes=8.0),) for n in ("first", "second")
    }
    with pytest.raises(InfeasibleError, match=f"{name}={value:.4g}"):
        settled(options, limits=Limits(**{name: value}))


def test_a_latency_limit_near_the_optimum_is_kept() -> None:
    """The pessimistic second solution may be impossible under it: then the first one stands."""
    options = {"first": (option("cpu/good", 1.0),), "second": (option("cpu/odd", 1.0),)}
    plan = settled(options, graph=WIDE, contention=Contention({2: 0.9}), limits=Limits(latency_s=1.2))
    assert plan.estimate.seconds <= 1.2


@pytest.mark.parametrize("objective", ["throughput", "energy", "cost"])
def test_other_objectives_choose_by_their_own_figure(objective: str) -> None:
    """The frugal option wins where energy or money is asked for."""
    each = (
        option("cpu/good", 1.0, joules=9.0, dollars=9.0),
        option("cpu/odd", 1.5, joules=1.0, dollars=1.0),
    )
    plan = settled({"first": each, "second": each}, objective=objective)
    assert {c.device for c in plan.choices.values()} == {
        "cpu/good" if objective == "throughput" else "cpu/odd"
    }
    assert plan.estimate.period_s is not None
