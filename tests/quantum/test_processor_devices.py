"""Real processors as devices of ``ht.plan``: placed by what is declared, run only where allowed, never paid twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers.fake_provider import GenericBackendV2

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.errors import ArgumentError, InfeasibleError, NodeError, PlanMismatchError
from hetero.quantum import RealProcessor
from hetero.run import watchdog

from .paid_provider import Provider, Server

ROUGH = ht.Limits(error=0.3)


class Connect(Protocol):
    def __call__(self, server: Server, **options: Any) -> RealProcessor: ...


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Connects a processor as a process has it that was just started; disconnected after the test."""
    with ExitStack() as stack:

        def connected(server: Server, lost: bool = False, **options: Any) -> RealProcessor:
            provider = Provider(server, lost=lost)
            given: dict[str, Any] = {"dollars_per_shot": 0.01, "queue_s": 60.0, **options}
            qpu = RealProcessor(
                provider.backend,
                journal=tmp_path / "jobs.sqlite",
                send=provider.send,
                retrieve=provider.retrieve,
                **given,
            ).connect()
            stack.callback(qpu.disconnect)
            return qpu

        yield connected


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProfileStore]:
    with ProfileStore(tmp_path / "profiles.sqlite") as opened:
        yield opened


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="turned")
    circuit.rx(Parameter("angle"), 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


@ht.node
def likeliest(counts: Any) -> str:
    first: dict[str, int] = counts[0] if isinstance(counts, list) else counts
    return max(first, key=lambda bits: first[bits])


toss = ht.from_qiskit(turned(), shots=100, name="toss")


@ht.pipeline
def read(angles: Any) -> Any:
    return likeliest(toss(angles))


HALF_TURN = np.array([np.pi])


def plan_of(store: ProfileStore, sample: Any = HALF_TURN, **options: Any) -> ht.Plan:
    return ht.plan(read, sample, limits=ROUGH, allow="qpu", store=store, **options)


def test_one_line_makes_a_device_of_any_backend(tmp_path: Path, store: ProfileStore) -> None:
    """With no more than a backend: it is listed, planned on, and runs beside Python nodes."""
    backend = GenericBackendV2(3, seed=1)
    qpu = RealProcessor(backend, journal=tmp_path / "jobs.sqlite").connect()
    try:
        assert any(status.name == qpu.name and status.available for status in ht.devices())
        with plan_of(store) as plan, qpu.allow("monday"):
            assert plan(HALF_TURN) == "11"
            assert plan(np.array([0.0])) == "00"
    finally:
        qpu.disconnect()
    assert all(status.name != qpu.name for status in ht.devices())


def test_a_plan_tells_seconds_dollars_and_error_and_sends_nothing(
    connect: Connect, store: ProfileStore
) -> None:
    """Queue and shots are in its seconds, the price of every set of parameters in its dollars."""
    server = Server()
    qpu = connect(server, dollars_per_job=0.5)
    quote = qpu.quote([turned().assign_parameters([np.pi])], shots=100)
    with plan_of(store, np.full((3, 1), np.pi)) as plan:
        run_s = 3 * quote.run_s
        assert plan.estimate.seconds == pytest.approx(60 + run_s, rel=1e-3)
        assert plan.estimate.dollars >= 3.5
        assert plan.estimate.dollars == pytest.approx(3.5, rel=0.01)  # and the machine that waits
        assert plan.estimate.error == pytest.approx(quote.error, rel=1e-3)
        text = plan.explain()
    for part in ("toss on qpu/", "charged $3.5", "as declared", "nothing was sent", "(declared"):
        assert part in text
    assert not server.jobs
    assert not qpu.jobs()


def test_a_simulator_is_taken_where_it_is_as_good(connect: Connect, store: ProfileStore) -> None:
    """A placement like any other: the processor loses by its seconds and dollars, and without a limit by its error."""
    server = Server()
    qpu = connect(server)
    with ht.plan(read, HALF_TURN, limits=ROUGH, store=store) as plan:
        assert plan.placement["toss"][0].startswith("cpu/")
    with ht.plan(read, HALF_TURN, objective="cost", limits=ROUGH, store=store) as plan:
        assert plan.placement["toss"][0].startswith("cpu/")
    with ht.plan(read, HALF_TURN, store=store) as plan:
        refused = {option.choice.device: option.reason for option in plan.options["toss"]}
        assert "the limit is 1.0e-04" in refused[qpu.name]
    assert not server.jobs


def test_nothing_is_sent_without_leave(connect: Connect, store: ProfileStore) -> None:
    """Running the plan says what it would take and how to allow it; leave ends with its block."""
    server = Server()
    qpu = connect(server)
    with plan_of(store) as plan:
        for _ in range(2):
            with pytest.raises(NodeError, match=r"would take \$1\.00 and about 60 s, and nothing was sent"):
                plan(HALF_TURN)
            assert not server.jobs
            with pytest.raises(KeyError), qpu.allow("monday"):
                raise KeyError
    with pytest.raises(ArgumentError, match="expected a name"), qpu.allow(""):
        pass
    with qpu.allow("a"), pytest.raises(ArgumentError, match="'a' are allowed already"), qpu.allow("b"):
        pass


def test_the_spending_limit_holds(connect: Connect, store: ProfileStore) -> None:
    """A request that would exceed it is refused before anything of it is sent; the plan's own limit counts too."""
    server = Server()
    qpu = connect(server, spend_at_most=1.5)
    with plan_of(store) as plan, qpu.allow("monday"):
        plan(HALF_TURN)
        with pytest.raises(NodeError, match=r"would exceed spend_at_most=\$1\.50; nothing was sent"):
            plan(np.array([1.0]))
    assert len(server.jobs) == 1
    with pytest.raises(InfeasibleError, match="dollars"):
        ht.plan(read, HALF_TURN, limits=ht.Limits(error=0.3, dollars=0.5), allow="qpu", store=store)


def test_a_call_that_costs_more_than_planned_is_not_sent(connect: Connect, store: ProfileStore) -> None:
    """What was shown was the price of one set of parameters."""
    server = Server()
    qpu = connect(server)
    told = r"would take \$2\.00 for 2 sets of parameters, the plan says \$1\.00"
    with plan_of(store) as plan, qpu.allow("monday"), pytest.raises(NodeError, match=told):
        plan(np.zeros((2, 1)))
    assert not server.jobs


def test_a_run_goes_on_after_a_crash_and_sends_nothing_twice(connect: Connect, store: ProfileStore) -> None:
    """Whatever ends a run while it waits leaves the job alone; under the same name the next run finds it."""
    server = Server(unreachable=True, polls_in_queue=1)
    qpu = connect(server)
    with plan_of(store) as plan, qpu.allow("monday"), pytest.raises(NodeError, match="the line went dead"):
        plan(HALF_TURN)
    assert [entry.state for entry in qpu.jobs()] == ["sent"]
    (job,) = server.jobs.values()
    server.unreachable = False
    later = connect(server)
    with plan_of(store) as plan, later.allow("monday"):
        assert plan(HALF_TURN) == "11"
        server.jobs.clear()  # the provider forgets; the journal does not
        assert plan(HALF_TURN) == "11"
        assert not server.jobs
    (entry,) = later.jobs()
    assert (entry.job_id, entry.state) == (job.number, "done")
    with plan_of(store) as plan, later.allow("tuesday"):
        assert plan(HALF_TURN) == "11"
    assert len(later.jobs()) == 2


def test_a_line_that_died_while_sending_is_not_tried_again(connect: Connect, store: ProfileStore) -> None:
    """Not by the runtime either, which tries pure nodes again: the provider may have it."""
    server = Server()
    qpu = connect(server, lost=True)
    with plan_of(store) as plan, qpu.allow("monday"), pytest.raises(NodeError, match="it is not sent again"):
        plan(HALF_TURN)
    assert len(server.jobs) == 1
    (entry,) = qpu.jobs()
    later = connect(server)
    later.adopt(entry.name, "job-0")
    with plan_of(store) as plan, later.allow("monday"):
        assert plan(HALF_TURN) == "11"
    assert len(server.jobs) == 1


def test_a_job_that_fails_fails_the_request_once(connect: Connect, store: ProfileStore) -> None:
    """With the provider's reason; it is neither sent again nor run elsewhere."""
    server = Server(fails=True)
    qpu = connect(server)
    with plan_of(store) as plan, qpu.allow("monday"):
        for _ in range(2):
            with pytest.raises(NodeError, match="failed: the cryostat is warm"):
                plan(HALF_TURN)
    assert len(server.jobs) == 1


def test_what_it_cannot_run_is_refused_with_its_reason(connect: Connect, store: ProfileStore) -> None:
    """Expectation values, too many qubits, and nodes inside maps, whose number nobody knows."""
    connect(Server())
    bell = QuantumCircuit(2)
    bell.h(0)
    wide = QuantumCircuit(4)
    wide.h(range(4))
    wide.measure_all()
    for node, message in (
        (ht.from_qiskit(bell, observables="ZZ"), "gives counts, not expectation values"),
        (ht.from_qiskit(wide, shots=10), "the circuit has 4 qubits, the processor 3"),
    ):
        with pytest.raises(InfeasibleError, match=message):
            ht.plan(node, limits=ROUGH, allow="qpu", store=store)

    @ht.pipeline
    def many(rows: Any) -> Any:
        return ht.map(toss, rows)

    with pytest.raises(InfeasibleError, match="inside a map or branch"):
        ht.plan(many, [HALF_TURN], limits=ROUGH, allow="qpu", store=store)


def test_no_metric_of_the_whole_is_promised(connect: Connect, store: ProfileStore) -> None:
    """What a processor's errors do to a user's own measure could only be told by paid runs."""
    connect(Server())
    with pytest.raises(InfeasibleError, match="cannot be told without paid runs"):
        plan_of(store, metric="exact")


def test_a_report_runs_nothing_and_a_saved_plan_knows_its_terms(
    connect: Connect, store: ProfileStore, tmp_path: Path
) -> None:
    """A page is written from what is declared; a plan from a file runs, but on no other terms than it shows."""
    server = Server()
    qpu = connect(server)
    with plan_of(store) as plan, qpu.allow("monday"):
        plan.report(tmp_path / "plan.html")
        plan.save(tmp_path / "plan.json")
    assert not server.jobs
    with ht.load_plan(tmp_path / "plan.json", read) as loaded, qpu.allow("monday"):
        assert loaded(HALF_TURN) == "11"
    connect(server, dollars_per_shot=0.02)
    with pytest.raises(PlanMismatchError, match="qpu/"):
        ht.load_plan(tmp_path / "plan.json", read)


def test_a_queue_may_take_longer_than_was_declared(
    connect: Connect, store: ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for its turn does not hang: neither the call nor its device is given up."""
    monkeypatch.setattr(watchdog, "LEAST_S", 0.01)
    monkeypatch.setattr(watchdog, "FACTOR", 1.0)
    server = Server(polls_in_queue=3)
    qpu = connect(server, queue_s=0.0)
    with plan_of(store) as plan, qpu.allow("monday"):
        assert plan(HALF_TURN) == "11"
        assert plan.submit(np.array([0.0])).result(60) == "00"
        assert not plan.events
    assert len(server.jobs) == 2
