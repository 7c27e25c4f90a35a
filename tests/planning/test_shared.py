"""What nodes share: a model's one copy, and the cores of a processor that several devices are on."""

from __future__ import annotations

import pytest
from planning.made import first, machine, option, second, setting

import hetero as ht
from hetero.errors import InfeasibleError
from hetero.limits import Limits
from hetero.machine import Link
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Plan, Request

LINKS = (Link("host", "gpu0", 1e-3, 1e9), Link("gpu0", "host", 1e-3, 1e9))


def settled(
    graph: object, options: object, *devices: str, cores: int = 2, limits: Limits | None = None
) -> Plan:
    request = Request("latency", limits or Limits(), Selection())
    where = machine(*devices, cores=cores, links=LINKS)
    return settle(graph, where, request, setting(graph, options), None, 1.0)  # type: ignore[arg-type]


def test_a_model_used_twice_fits_where_two_models_would_not() -> None:
    """700,000 bytes of weights, twice, on a GPU of a million: one copy serves both."""
    twice = ht.pipeline(lambda x: first(first(x))).trace()
    ways = (option("cpu/a", 9.0), option("gpu0/b", 1.0, memory_bytes=7e5))
    plan = settled(twice, {"first": ways, "first#2": ways}, "cpu/a", "gpu0/b")
    assert {device for device, _ in plan.placement.values()} == {"gpu0/b"}
    assert plan.estimate.memory_bytes == 7e5
    assert plan.schedule.proven_optimal


def test_two_models_that_do_not_fit_together_are_parted() -> None:
    """The same sizes, but two different models: one of them has to stay on the CPU."""
    both = ht.pipeline(lambda x: second(first(x))).trace()
    ways = (option("cpu/a", 9.0), option("gpu0/b", 1.0, memory_bytes=7e5))
    plan = settled(both, {"first": ways, "second": ways}, "cpu/a", "gpu0/b")
    assert sorted(device for device, _ in plan.placement.values()) == ["cpu/a", "gpu0/b"]
    with pytest.raises(InfeasibleError, match="memory"):
        settled(both, dict.fromkeys(("first", "second"), ways[1:]), "cpu/a", "gpu0/b")


@pytest.mark.parametrize(("cores", "seconds"), [(1, 2.0), (2, 1.0)])
def test_two_devices_on_one_processor_share_its_cores(cores: int, seconds: float) -> None:
    """A simulator beside a model: side by side only where there are cores for both."""
    wide = ht.pipeline(lambda x: (first(x), second(x))).trace()
    options = {"first": (option("cpu/a", 1.0),), "second": (option("cpu/b", 1.0),)}
    plan = settled(wide, options, "cpu/a", "cpu/b", cores=cores)
    assert plan.schedule.makespan_s == pytest.approx(seconds)
    assert plan.schedule.proven_optimal
