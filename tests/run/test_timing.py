"""Figures and traces of what ran."""

import json

from plans_by_hand import plan_of

import hetero as ht
from hetero.run.session import Session
from hetero.run.trace import chrome_trace, save_chrome_trace


@ht.node
def double(x):
    return 2 * x


@ht.pipeline
def mapped(xs):
    return ht.map(double, xs), double(1)


def opened():
    return Session(plan_of(mapped.trace()))


def test_every_node_is_counted_by_its_path():
    """Calls and percentiles are known for nodes inside maps too, however the request was started."""
    with opened() as session:
        assert {found.calls for found in session.stats().values()} == {0}
        session.call(([1, 2, 3],))
        session.submit(([4],)).result()
        stats = session.stats()
    assert {path: found.calls for path, found in stats.items()} == {
        "map#1/double": 4,
        "map#1": 2,
        "double": 2,
    }
    assert all(0 <= found.p50_s <= found.p99_s for found in stats.values())


def test_a_trace_has_a_span_for_each_run_while_it_is_on():
    """Spans name path, device, processor and lane, and the map's contains its items'."""
    with opened() as session:
        session.call(([1],))
        assert session.trace == []
        session.tracing = True
        session.call(([1, 2],))
        session.tracing = False
        session.call(([1],))
        spans = session.trace
    assert sorted(span.path for span in spans) == ["double", "map#1", "map#1/double", "map#1/double"]
    (outer,) = (span for span in spans if span.path == "map#1")
    inner = [span for span in spans if span.path == "map#1/double"]
    assert all(outer.start_s <= span.start_s <= span.end_s <= outer.end_s for span in inner)
    assert {(span.device, span.processor) for span in inner} == {("cpu/python", "cpu")}


def test_the_trace_file_is_what_viewers_open(tmp_path):
    """Complete events in microseconds, with names for processors and lanes."""
    with opened() as session:
        session.tracing = True
        session.call(([1, 2],))
        save_chrome_trace(session.trace, tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X"}
    assert min(event["ts"] for event in events if event["ph"] == "X") == 0
    assert chrome_trace([])["traceEvents"] == []
