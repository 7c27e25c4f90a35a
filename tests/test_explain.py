"""What a plan says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fake_devices import FakeBackend, Register
from tiny_models import affine

import hetero as ht
from hetero import show
from hetero.cost.price import declare, owned, rented
from hetero.plans import Plan
from hetero.report.bill_table import rows

X = np.ones((2, 4), np.float32)


@ht.node
def double(x: Any) -> Any:
    return 2 * x


@pytest.fixture
def plan(register: Register) -> Iterator[Plan]:
    register(FakeBackend("quick"))
    register(FakeBackend("slow", seconds=0.005))
    register(FakeBackend("wrong", change=lambda y: y + 1))
    register(FakeBackend("picky", refuses="only on Sundays"))
    model = affine()

    @ht.pipeline
    def pipeline(x: Any, xs: Any) -> Any:
        return model(double(x)), ht.map(lambda i: ht.branch(i, lambda: double(i), lambda: i), xs)

    with ht.plan(pipeline, X, [1, 2], allow=["quick", "slow", "wrong", "picky"]) as made:
        yield made


def row(text: str, name: str) -> str:
    """The line of the table that is about a node."""
    return next(line for line in text.splitlines() if line.split()[:1] == [name])


def test_all_five_figures_are_told_with_their_sources(plan: Plan) -> None:
    """And the sixth, what flows through in steady state."""
    text = plan.explain()
    assert text.startswith("plan of 'pipeline' for latency")
    for figure in ("latency", "in flow", "energy", "cost", "error", "memory"):
        assert any(line.strip().startswith(figure) and "(" in line for line in text.splitlines()), figure


def test_each_node_has_a_row_with_what_lost_and_by_how_much(plan: Plan) -> None:
    """Inside maps and branches too."""
    text = plan.explain()
    assert "cpu/quick" in row(text, "affine")
    assert "cpu/slow" in row(text, "affine")
    factor = row(text, "affine").split("cpu/slow")[1].split()[-1]
    assert factor.endswith("x")
    assert float(factor[:-1]) > 1
    for name in ("double", "map#1", "branch#1"):
        assert row(text, name)
    assert "control" in row(text, "map#1")


def test_a_loser_that_is_quicker_by_itself_is_explained(plan: Plan) -> None:
    """A factor below one looks like a mistake to whoever is not told; without one nothing is said."""
    assert "quicker by itself" not in plan.explain()
    options = dict(plan.options)
    options["affine"] = tuple(
        replace(one, estimate=replace(one.estimate, seconds=1e-9))
        if one.choice.device == "cpu/slow" and one.estimate is not None
        else one
        for one in options["affine"]
    )
    text = replace(plan, options=options).explain()
    assert "cpu/slow fp32 threads=1 0.00x" in text
    assert "quicker by itself" in text


def test_what_could_not_be_chosen_says_why(plan: Plan) -> None:
    """The device that was wrong, and the one that refused."""
    text = plan.explain()
    reasons = text.split("not chosen, because:")[1]
    assert "affine: cpu/wrong fp32 threads=1: its error is" in reasons
    assert "only on Sundays" in reasons


def test_variants_refused_for_one_reason_share_a_line(plan: Plan) -> None:
    """Thread counts and ways of quantising would repeat it line by line; another reason has its own."""
    refused = next(one for one in plan.options["affine"] if one.choice.device == "cpu/wrong")
    more = [
        replace(refused, choice=replace(refused.choice, variant=replace(refused.choice.variant, threads=n)))
        for n in (2, 4)
    ]
    other = replace(more[1], reason="too slow")
    options = {**plan.options, "affine": (*plan.options["affine"], more[0], other)}
    reasons = replace(plan, options=options).explain().split("not chosen, because:")[1]
    assert "affine: cpu/wrong fp32, 2 variants: its error is" in reasons
    assert "affine: cpu/wrong fp32 threads=4: too slow" in reasons


def test_measured_times_stand_beside_predicted_ones_once_it_ran(plan: Plan) -> None:
    """Before the first run there are none."""
    assert "-" in row(plan.explain(), "affine").split()
    plan(X, [1])
    after = row(plan.explain(), "affine")
    assert "-" not in after.split()
    assert show.seconds(plan.stats()["affine"].p50_s) in after


def test_a_map_that_ran_over_other_lengths_than_the_sample_says_so(plan: Plan) -> None:
    """Its time is that of its runs, those of its nodes are for the sample's two items: they need not add up."""
    plan(X, [1, 2])
    assert "Measured: map" not in plan.explain()
    for length in (6, 7):
        plan(X, list(range(length)))
    (line,) = (line for line in plan.explain().splitlines() if line.startswith("Measured: map"))
    assert "with 5 calls of" in line
    assert line.endswith("is for the sample's 2.")


def test_the_bound_is_told_with_what_it_is_of(plan: Plan) -> None:
    """Proven or not, and of which model."""
    text = plan.explain()
    assert "no schedule of these options is below" in text
    assert "proven optimal" in text or "above the optimum" in text
    assert "without contention" in text


@pytest.mark.parametrize(("objective", "unit"), [("energy", "J"), ("cost", "$"), ("throughput", "s")])
def test_the_bound_is_in_the_objectives_unit(objective: str, unit: str) -> None:
    """Joules, dollars, or seconds."""
    with ht.plan(double, 1, objective=objective) as plan:
        line = next(line for line in plan.explain().splitlines() if line.startswith("schedule: "))
        assert line.split()[2].rstrip(",") == unit


def test_only_parts_of_the_cost_that_have_a_price_are_told() -> None:
    """A rent holds energy and overhead: no zero stands for them. What was bought has all three."""
    here = ht.Machine.detect()
    for price, told in (
        (rented(0.5), ["hardware", "no price of its own for energy or overhead"]),
        (owned(9_000), ["hardware", "+ energy", "+ overhead"]),
    ):
        with ht.plan(double, 1, machine=declare(here, {"cpu": price})) as plan:
            line = next(line for line in plan.explain().splitlines() if line.startswith("  cost"))
            cells = rows(plan)[0][2:5]
        assert all(word in line for word in told), line
        assert "energy 0" not in line
        assert ("–" in cells) == (price == rented(0.5))


def test_notes_are_at_the_end() -> None:
    """What no sample reached."""
    pipeline = ht.pipeline(lambda x: ht.branch(x, lambda: double(x), lambda: x))
    with ht.plan(pipeline, 0) as plan:
        assert "no sample reached" in plan.explain().split("notes:")[1]


def test_the_makespan_its_gap_and_the_critical_path_are_told(plan: Plan) -> None:
    """The path is the chain of nodes that the makespan is made of; the latency is more by what is told beside it."""
    text = plan.explain()
    assert f"latency = makespan {show.seconds(plan.schedule.makespan_s)} + the program's own " in text
    assert f"; gap {plan.schedule.gap:.2%}" in text
    path = next(line for line in text.splitlines() if line.startswith("critical path: "))
    last = max(plan.schedule.tasks, key=lambda task: task.end_s)
    assert last.name in path


def test_what_doing_without_a_supplier_costs_stands_side_by_side(plan: Plan) -> None:
    """The plan first, then the best one without each device that it uses; the limit on the error has a row where it
    keeps something faster out."""
    table = plan.explain().split("what each constraint costs")[1].split("\n\n")[0]
    assert row(table, "nothing:")
    denied = next(line for line in table.splitlines() if "cpu/quick" in line.split("  ")[0])
    assert "affine" in denied


def test_the_explanation_has_no_line_of_a_screens_width_twice(plan: Plan) -> None:
    """A long reason is cut; the table stays readable."""
    assert max(map(len, plan.explain().splitlines())) < 240


def test_tables_align_wide_characters() -> None:
    """A name in Chinese takes two columns a character."""
    lines = show.text_table(["node", "s"], [["读", "1"], ["ab", "2"]]).splitlines()
    assert lines[2] == "读    1"
    assert lines[3] == "ab    2"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.00 s"), (1.5e-7, "0.1 us"), (0.0123, "12.3 ms"), (61, "61.00 s")]
)
def test_times_are_shown_in_fitting_units(seconds: float, text: str) -> None:
    """From microseconds to seconds."""
    assert show.seconds(seconds) == text
