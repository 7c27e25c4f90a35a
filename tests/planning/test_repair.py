"""A plan on the devices that are left is one for the same request, judged by the same metric."""

from __future__ import annotations

from planning.made import first, machine, option, second, setting

import hetero as ht
from hetero.cost.metrics import METRICS
from hetero.limits import Limits
from hetero.planning.repair import repair
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Request

GRAPH = ht.pipeline(lambda x: second(first(x))).trace()


def test_a_limit_that_gives_way_leaves_the_metric_as_it_was() -> None:
    """What limits the final outputs only does not limit a node's own error, also where a limit on time gave way."""
    ways = (option("cpu/a", 1.0), option("cpu/b", 2.0, error=0.02))
    request = Request("latency", Limits(latency_s=2.5, error=0.01), Selection(), METRICS["top1"])
    made = setting(GRAPH, {"first": ways, "second": ways})
    plan = settle(GRAPH, machine("cpu/a", "cpu/b"), request, made, None, 1.0)
    left = repair(plan, {"cpu/a"})
    assert left.placement["first"][0] == "cpu/b"
    assert left.request == request
    assert any("latency_s=2.5" in note for note in left.notes)
