"""Work whose result nobody takes is left out of a plan, and the plan says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.rewrite.unused import without_unused

CALLS: list[str] = []


@ht.node
def double(x: int) -> int:
    CALLS.append("double")
    return 2 * x


@ht.node
def looked_at(x: int) -> int:
    CALLS.append("looked_at")
    return x


@ht.node(retry=False)
def noted(x: int) -> int:
    CALLS.append("noted")
    return x


@ht.pipeline
def wasteful(x: int) -> Any:
    looked_at(looked_at(x))
    noted(double(x))
    return ht.map(item, [x, x])


@ht.pipeline
def item(x: Any) -> Any:
    looked_at(x)
    return double(x)


def test_nodes_that_reach_no_output_are_left_out_but_for_those_with_effects() -> None:
    """Also inside maps; what a node with effects is given stays."""
    graph, (note,) = without_unused(wasteful.trace())
    assert [path for path, _ in graph.walk()] == ["double", "noted", "map#1", "map#1/double"]
    assert all(name in note for name in ("looked_at,", "looked_at#2", "map#1/looked_at"))
    assert graph.run(3) == wasteful.trace().run(3)


def test_a_graph_without_such_nodes_stays_the_same_object() -> None:
    """Nothing is said of it either."""
    graph = item_without_waste.trace()
    assert without_unused(graph) == (graph, ())


@ht.pipeline
def item_without_waste(x: Any) -> Any:
    return double(x)


def test_a_map_with_effects_inside_stays_though_nobody_takes_its_result() -> None:
    """The effects are what it is for."""

    @ht.pipeline
    def outer(xs: Any) -> Any:
        ht.map(noted, xs)
        return double(1)

    graph, notes = without_unused(outer.trace())
    assert [path for path, _ in graph.walk()] == ["map#1", "map#1/noted", "double"]
    assert notes == ()


def test_a_plan_does_not_run_them_and_explains_it(store: ProfileStore, tmp_path: Path) -> None:
    """And a plan from a file is that of the same pipeline."""
    with ht.plan(wasteful, 3, store=store, allow="python") as plan:
        CALLS.clear()
        assert plan(3) == [6, 6]
        assert sorted(CALLS) == ["double", "double", "double", "noted"]
        assert "no output takes their results" in plan.explain()
        plan.save(tmp_path / "plan.json")
    with ht.load_plan(tmp_path / "plan.json", wasteful) as again:
        assert again(4) == [8, 8]
