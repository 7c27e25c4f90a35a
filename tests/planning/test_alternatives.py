"""What each constraint costs: plans without it, from what is known."""

from __future__ import annotations

from typing import Any

import pytest
from planning.made import first, info, option, second, setting

import hetero as ht
from hetero.constraint_costs import HEADERS, rows_of
from hetero.device import DeviceInfo
from hetero.limits import Limits
from hetero.machine import Machine, Processor
from hetero.planning.alternatives import Alternative, alternatives
from hetero.planning.contention import Contention
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Plan, Request

CHAIN = ht.pipeline(lambda x: second(first(x))).trace()


def device(name: str, supplier: str) -> DeviceInfo:
    return info(name, supplier=supplier, vendor="Chips")


WHERE = Machine(
    (Processor("cpu", cores=2, idle_watts=1.0, dollars_per_hour=1.0),),
    (device("cpu/quick", "Speed Inc"), device("cpu/slow", "Sloth Ltd")),
)
OPTIONS = {
    "first": (option("cpu/quick", 1.0, joules=9.0), option("cpu/slow", 3.0, joules=1.0)),
    "second": (option("cpu/quick", 1.0), option("cpu/slow", 1.5)),
}


def planned(options: Any = None, limits: Limits | None = None, **changes: Any) -> Plan:
    request = Request("latency", limits or Limits(), Selection())
    made = setting(CHAIN, OPTIONS if options is None else options, **changes)
    return settle(CHAIN, WHERE, request, made, None, 1.0)


def by_name(plan: Plan) -> dict[str, Alternative]:
    return {found.without: found for found in alternatives(plan)}


def test_a_supplier_is_priced_by_the_best_plan_without_it() -> None:
    """Its device, its engine and its own name deny the same and are one row; what is not used has none."""
    found = by_name(planned())
    without = found["Speed Inc, cpu/quick, quick"]
    assert without.estimate is not None
    assert without.estimate.seconds == pytest.approx(4.5, rel=1e-3)
    assert without.moved == ("first", "second")
    assert not any("Sloth" in name for name in found)


def test_where_nothing_else_runs_a_node_the_row_says_so() -> None:
    """Every device is on chips of one vendor: without it there is no plan."""
    found = by_name(planned())
    vendor = next(one for name, one in found.items() if "Chips" in name)
    assert vendor.estimate is None
    assert "no option left" in vendor.why_not


LOST = "not measured: it takes 3 s at best, and 1 s would be too long here"


def test_what_lost_unmeasured_to_a_denied_device_is_no_reason_to_say_that_there_is_no_plan() -> None:
    """It could run: the row says that this is not known, and how to learn it."""
    given_up = option("cpu/slow", 3.0, reason=LOST)
    plan = planned({"first": (OPTIONS["first"][0], given_up), "second": OPTIONS["second"]})
    found = by_name(plan)["Speed Inc, cpu/quick, quick"]
    assert found.estimate is None
    assert found.unmeasured == ("cpu/slow",)
    told = next(row for row in rows_of(plan) if row[0].startswith("Speed Inc"))[-1]
    assert told == "not known: not all of cpu/slow was measured; plan with deny='Speed Inc'"


def test_a_price_that_more_measuring_may_lower_is_told_as_the_most_it_can_be() -> None:
    """One way of the device left was measured, and another was not."""
    given_up = option("cpu/slow", 2.0, threads=2, reason=LOST)
    plan = planned({"first": (*OPTIONS["first"], given_up), "second": OPTIONS["second"]})
    row = next(row for row in rows_of(plan) if row[0].startswith("Speed Inc"))
    assert row[HEADERS.index("times the plan's")] == "<= 2.25"
    assert row[-1].startswith("first, second; not all of cpu/slow was measured")


def test_what_only_its_error_kept_from_being_measured_leaves_no_doubt() -> None:
    """Its numbers are too coarse whatever else runs."""
    coarse = option(
        "cpu/slow", 2.0, threads=2, reason="not measured: int8 is off by 4.9e-04 at the very least"
    )
    plan = planned({"first": (*OPTIONS["first"], coarse), "second": OPTIONS["second"]})
    assert by_name(plan)["Speed Inc, cpu/quick, quick"].unmeasured == ()


def test_a_limit_that_binds_is_priced_and_one_that_does_not_is_left_out() -> None:
    """13 J rule the fast option of the first node out: without that limit the plan takes 2 s instead of 4."""
    found = by_name(planned(limits=Limits(joules=8.0, latency_s=100.0)))
    lifted = found["the limit joules=8"]
    assert lifted.estimate is not None
    assert lifted.estimate.seconds == pytest.approx(2.0, rel=1e-3)
    assert not any("latency_s" in name for name in found)


def test_the_default_limit_on_the_error_is_priced_too() -> None:
    """What only its error ruled out is what lifting the limit brings back; what was wrong altogether is not."""
    exact = option("cpu/slow", 3.0)
    inexact = option("cpu/quick", 1.0, error=2e-3, reason="its error is 2.0e-03; the limit is 1.0e-04")
    wrong = option("cpu/quick", 0.1, error=float("inf"), threads=2, reason="its outputs are not equal")
    for one in (inexact, wrong):
        assert one.estimate is not None
        one.estimate.sources["error"] = "measured"  # type: ignore[index]
    found = by_name(planned({"first": (exact, inexact, wrong), "second": OPTIONS["second"]}))
    lifted = found["the limit error=1e-04 (the default)"]
    assert lifted.estimate is not None
    assert lifted.estimate.seconds == pytest.approx(2.0, rel=1e-3)
    assert lifted.estimate.error == pytest.approx(2e-3)


def test_both_sides_are_predicted_alike() -> None:
    """A plan remembers how much its nodes slow each other down, and so do its alternatives."""
    wide = ht.pipeline(lambda x: (first(x), second(x))).trace()
    request = Request("latency", Limits(), Selection())
    options = {name: (option("cpu/quick", 1.0), option("cpu/slow", 1.0)) for name in ("first", "second")}
    plan = settle(wide, WHERE, request, setting(wide, options, contention=Contention({2: 0.5})), None, 1.0)
    prices = [one.estimate.seconds for one in alternatives(plan) if one.estimate is not None]
    assert prices
    assert all(seconds == pytest.approx(plan.estimate.seconds, rel=1e-3) for seconds in prices)
