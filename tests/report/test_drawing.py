"""Charts and drawings: nothing overlaps, nothing is lost."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from hetero.plans import Plan
from hetero.report.figures import five_figures
from hetero.report.gantt import Bar, pack, predicted_bars
from hetero.report.layers import Box, lay_out
from hetero.report.measured import measure
from hetero.run.load import FEWEST


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 8)), max_size=12))
def test_bars_on_one_row_never_overlap(times: list[tuple[int, int]]) -> None:
    """Whatever runs at the same time is on rows of its own, and no bar is lost."""
    bars = pack([Bar(str(i), "", "cpu", start, start + length) for i, (start, length) in enumerate(times)])
    assert sorted(bar.name for bar in bars) == sorted(str(i) for i in range(len(times)))
    for a, b in combinations(bars, 2):
        assert a.row != b.row or a.end_s <= b.start_s or b.end_s <= a.start_s


def test_every_task_of_the_schedule_has_a_bar(plan: Plan) -> None:
    """The predicted chart shows each top-level node from its start to its end."""
    bars = {bar.name: (bar.start_s, bar.end_s) for bar in predicted_bars(plan)}
    assert bars == {task.name: (task.start_s, task.end_s) for task in plan.schedule.tasks}


def test_every_node_is_drawn_once_inside_its_frame_and_over_no_other(plan: Plan) -> None:
    """Nodes of maps and branches lie in the frame of theirs; two boxes overlap only if one is inside the other."""
    drawing = lay_out(plan.graph)
    boxes = {box.path: box for box in drawing.boxes}
    assert len(boxes) == len(drawing.boxes)
    assert {path for path, _ in plan.graph.walk()} <= set(boxes)
    for a, b in combinations(drawing.boxes, 2):
        if b.path.startswith(a.path + "/"):
            assert inside(b, a)
        elif not a.path.startswith(b.path + "/"):
            assert apart(a, b)
    for box in drawing.boxes:
        assert inside(box, Box("", 0, 0, drawing.width, drawing.height))


def test_edges_run_downwards(plan: Plan) -> None:
    """A value is made above where it is used."""
    assert all(edge.y1 < edge.y2 for edge in lay_out(plan.graph).edges)


def test_measured_times_are_those_of_whole_requests(plan: Plan) -> None:
    """A map's node has the time of all of its items, and the spans are of one request."""
    measured = measure(plan, plan.samples[0], runs=3)
    assert len(measured.runs_s) == 3
    assert sum(span.path == "map#1/double" for span in measured.spans) == plan.samples[0][0]
    own = [span.end_s - span.start_s for span in measured.spans if span.path == "map#1/double"]
    assert measured.nodes["map#1/double"] <= 10 * sum(own) + 1e-3
    assert "branch#1/otherwise/double" in measured.nodes


def test_the_number_of_runs_is_told_with_the_figures_that_come_from_them(plan: Plan) -> None:
    """And whether they are enough: of one or two a disturbed one would decide median, energy and cost."""
    few, enough = (measure(plan, plan.samples[0], runs, budget_s=60.0) for runs in (FEWEST - 1, FEWEST))
    assert (few.enough, enough.enough) == (False, True)
    assert five_figures(plan, few, ())[0].seen.endswith(f"({FEWEST - 1} runs)")


def inside(inner: Box, outer: Box) -> bool:
    right, bottom = outer.x + outer.width, outer.y + outer.height
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= right
        and inner.y + inner.height <= bottom
    )


def apart(a: Box, b: Box) -> bool:
    return a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
