"""What can be seen of a session from outside: figures, traces, spans, metrics, logs."""

import json
import logging
import threading
from collections import Counter
from math import isnan

import prometheus_client
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from plans_by_hand import PYTHON, info, machine, plan_of
from shaky_device import Shaky

import hetero as ht
from hetero.errors import MissingExtraError, NodeError
from hetero.run import otel, prometheus
from hetero.run.session import Session


@ht.node
def double(x):
    return 2 * x


@ht.node
def fail(x):
    raise ValueError(x)


@ht.pipeline
def mapped(xs):
    return ht.map(double, xs), double(1)


@ht.pipeline
def failing(x):
    return fail(x)


@pytest.fixture
def exported():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider, exporter
    provider.shutdown()


def test_figures_have_predicted_beside_measured():
    """plan.stats() says per node what a call was predicted to take, where the plan knows."""
    graph = ht.pipeline(lambda x: double(x)).trace()
    with Shaky().session(graph, seconds=0.25) as session:
        session.call((1,))
        (found,) = session.stats().values()
    assert (found.calls, found.predicted_s) == (1, 0.25)
    assert found.p50_s > 0
    with plan_of(graph) as plan:
        assert (plan.stats()["double"].calls, isnan(plan.stats()["double"].p50_s)) == (0, True)
        plan(1)
        assert plan.stats()["double"].predicted_s is None


def lines_of(session, path):
    """What the trace file shows: the names on each line, by group and line."""
    session.save_trace(path)
    events = json.loads(path.read_text())["traceEvents"]
    groups = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    found = {(groups[pid], name): [] for (pid, _), name in names.items()}
    for event in (e for e in events if e["ph"] == "X"):
        found[groups[event["pid"]], names[event["pid"], event["tid"]]].append(event["name"])
    return found


def test_a_saved_trace_has_one_line_for_each_processor(far_engine, tmp_path):
    """Whichever threads called, and with copies on the line of the processor that they are for."""
    graph = ht.pipeline(lambda x: double(double(double(x)))).trace()
    on = machine(PYTHON, info("far", processor="far0", memory_space="far0", concurrency=1))
    with Session(plan_of(graph, devices={"double#2": "far0/far"}, on=on)) as session:
        session.tracing = True
        for run in (session.call, lambda args: session.submit(args).result()):
            thread = threading.Thread(target=run, args=((1,),))
            thread.start()
            thread.join()
        assert lines_of(session, tmp_path / "trace.json") == {
            ("cpu", "cpu"): ["double", "double#3"] * 2,
            ("far0", "far0"): ["double host -> far0", "double#2", "double#2 far0 -> host"] * 2,
        }


def test_a_processor_that_does_two_things_at_once_has_two_lines(tmp_path):
    """A viewer cannot show on one line what overlaps; what lies within a map is shown within it."""
    met = threading.Barrier(2)

    @ht.node
    def meet(x):
        met.wait(30)
        return x

    graph = ht.pipeline(lambda x: ht.map(double, [meet(x), meet(x)])).trace()
    times = {"meet": (0, 1), "meet#2": (0, 1), "map#1": (1, 2)}
    with Session(plan_of(graph, times=times, on=machine(cores=2))) as session:
        session.tracing = True
        session.call((1,))
        found = lines_of(session, tmp_path / "trace.json")
    assert set(found) == {("cpu", "cpu"), ("cpu", "cpu 2")}
    assert [name for name in found["cpu", "cpu"] if "map" in name] == [
        "map#1",
        "map#1/double",
        "map#1/double",
    ]


def test_spans_go_to_opentelemetry(exported):
    """Each run is a parent span, its nodes are below it with device and processor, and times lie within."""
    provider, exporter = exported
    with Session(plan_of(mapped.trace())) as session:
        export = session.export_spans(provider, every_s=3600)
        session.call(([1, 2],))
        export.flush()
        export.flush()
        export.close()
        assert not session.tracing
    spans = exporter.get_finished_spans()
    assert Counter(span.name for span in spans) == {
        "mapped": 1,
        "mapped map#1": 2,
        "map#1": 1,
        "map#1/double": 2,
        "double": 1,
    }
    (parent,) = (span for span in spans if span.name == "mapped")
    (node,) = (span for span in spans if span.name == "double")
    assert node.parent.span_id == parent.context.span_id
    assert parent.start_time <= node.start_time <= node.end_time <= parent.end_time
    assert dict(node.attributes) == {"hetero.device": "cpu/python", "hetero.processor": "cpu"}


def test_exporting_ends_with_its_session(exported):
    """Nobody has to remember it: the thread goes when the session is closed."""
    provider, _ = exported
    with Session(plan_of(mapped.trace())) as session:
        export = otel.SpanExport(session, "mapped", provider, every_s=0.01)
    export._thread.join(30)
    assert not export._thread.is_alive()


def test_metrics_are_read_when_prometheus_asks():
    """Calls, quantiles, predictions, bytes and what became of requests, with the pipeline's and nodes' names."""
    registry = prometheus_client.CollectorRegistry()
    session = Session(plan_of(failing.trace()))
    prometheus.register(session, registry)
    for _ in range(3):
        with pytest.raises(NodeError):
            session.call((1,))
    asked = registry.get_sample_value
    assert asked("hetero_requests_total", {"pipeline": "failing", "outcome": "failed"}) == 3
    assert asked("hetero_requests_total", {"pipeline": "failing", "outcome": "started"}) == 3
    assert asked("hetero_requests_in_flight", {"pipeline": "failing"}) == 0
    session.close()
    with Session(plan_of(mapped.trace())) as session:
        session.export_metrics(registry)
        who = {"pipeline": "mapped", "node": "map#1/double", "device": "cpu/python"}
        assert asked("hetero_node_calls_total", who) == 0
        assert asked("hetero_node_seconds", who | {"quantile": "0.99"}) is None
        session.call(([1, 2],))
        assert asked("hetero_node_calls_total", who) == 2
        assert asked("hetero_node_seconds", who | {"quantile": "0.99"}) > 0
        assert asked("hetero_node_moved_bytes_total", who) == 0
        assert b"hetero_node_calls_total" in prometheus_client.generate_latest(registry)


def test_what_is_missing_is_named(monkeypatch):
    """Without the packages the error says which extra has them."""
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry", None)
    with Session(plan_of(mapped.trace())) as session:
        with pytest.raises(MissingExtraError, match=r"hetero\[observe\]"):
            prometheus.register(session)
        with pytest.raises(MissingExtraError, match=r"hetero\[observe\]"):
            otel.SpanExport(session, "mapped")
        assert not session.tracing


def test_events_are_structured_log_records(caplog):
    """A log handler gets kind, subject and time as fields, not only as text."""
    shaky = Shaky()
    graph = ht.pipeline(lambda x: double(x)).trace()
    with caplog.at_level(logging.WARNING, "hetero.run"), shaky.session(graph) as session:
        shaky.gone = True
        assert session.submit((1,)).result(30) == 2
        events = session.events
    found = [
        (r.event_kind, r.event_subject, r.event_time_s) for r in caplog.records if r.name == "hetero.run"
    ]
    assert found == [(event.kind, event.subject, event.time_s) for event in events]
    assert ("repaired", "cpu/shaky") in [(kind, subject) for kind, subject, _ in found]
