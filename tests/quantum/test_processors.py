"""Real processors: told before they cost anything, never beyond the limit, no job lost or sent twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers.fake_provider import GenericBackendV2

from hetero.cost.circuit_target import on_target
from hetero.errors import ArgumentError, DeviceError, InfeasibleError, StoreError, UnknownNameError
from hetero.quantum import RealProcessor

from .paid_provider import Provider, Server


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def processor(
    tmp_path: Path, server: Server, lost: bool = False, find: bool = False, **options: Any
) -> RealProcessor:
    """As a process has it that was just started."""
    provider = Provider(server, lost=lost)
    given: dict[str, Any] = {"dollars_per_shot": 0.01, "queue_s": 60.0, **options}
    return RealProcessor(
        provider.backend,
        journal=tmp_path / "jobs.sqlite",
        send=provider.send,
        retrieve=provider.retrieve,
        find=provider.find if find else None,
        **given,
    )


def test_one_line_makes_a_device_of_a_backend(tmp_path: Path) -> None:
    """Any BackendV2, run by its own `run`, gives counts of a Bell pair; free of charge by default."""
    qpu = RealProcessor(GenericBackendV2(3, seed=1), journal=tmp_path / "jobs.sqlite")
    quote = qpu.quote([bell(), bell()], shots=200)
    assert quote.dollars == 0
    first, second = qpu.submit(quote, allow=True).result(60)
    assert sum(first.values()) == sum(second.values()) == 200
    assert first["00"] + first["11"] > 150


def test_a_quote_tells_seconds_dollars_and_error_and_sends_nothing(tmp_path: Path) -> None:
    """The price is per shot, circuit and job; queue and shots take their time; errors are the target's."""
    server = Server()
    qpu = processor(tmp_path, server, dollars_per_job=0.3)
    quote = qpu.quote([bell(), bell()], shots=100)
    assert quote.dollars == pytest.approx(2.3)
    assert quote.seconds == pytest.approx(60 + 200 * (quote.parts[0].seconds + 250e-6))
    assert 0 < quote.error < 0.2
    assert quote.standard_error == pytest.approx(0.05)
    text = str(quote)
    for part in ("$2.30", "nothing sent yet", "bell: ", "1 of two qubits", "goes wrong"):
        assert part in text
    assert not server.jobs
    assert not qpu.jobs()


def test_errors_and_durations_come_from_the_calibration() -> None:
    """Of two gates and two measurements: one minus the product of what each keeps, along the longest path."""
    backend = GenericBackendV2(2, coupling_map=[[0, 1]], basis_gates=["sx", "cx"], seed=3)
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    target = backend.target
    sx, cx = target["sx"][0,], target["cx"][0, 1]
    reads = [target["measure"][qubit,] for qubit in (0, 1)]
    found = on_target(circuit, target)
    kept = (1 - sx.error) * (1 - cx.error) * (1 - reads[0].error) * (1 - reads[1].error)
    assert found.error == pytest.approx(1 - kept)
    assert found.seconds == pytest.approx(sx.duration + cx.duration + max(read.duration for read in reads))
    assert found.silent == ()
    circuit.h(0)
    assert on_target(circuit, target).silent == ("h",)


def test_nothing_is_sent_without_an_explicit_yes(tmp_path: Path) -> None:
    """The refusal says what it would cost and how to allow it."""
    server = Server()
    qpu = processor(tmp_path, server)
    with pytest.raises(ArgumentError, match=r"takes \$1\.00 and about 60 s; submit\(quote, allow=True\)"):
        qpu.submit(qpu.quote([bell()], shots=100))
    assert not server.jobs


def test_the_spending_limit_holds_over_all_jobs_and_processes(tmp_path: Path) -> None:
    """What would exceed it is not sent, whichever process spent the rest."""
    server = Server()
    for _ in range(2):
        qpu = processor(tmp_path, server, spend_at_most=2.5)
        qpu.submit(qpu.quote([bell()], shots=100), allow=True)
    with pytest.raises(InfeasibleError, match=r"\$2\.00 for those before would exceed spend_at_most=\$2\.50"):
        qpu.submit(qpu.quote([bell()], shots=100), allow=True)
    assert len(server.jobs) == 2


def test_a_job_waits_in_the_queue_and_outlives_its_process(tmp_path: Path) -> None:
    """A timeout leaves it alone; another process finds it by name or by the same quote, and sends nothing again."""
    server = Server(polls_in_queue=4)
    qpu = processor(tmp_path, server)
    job = qpu.submit(qpu.quote([bell()], shots=100), allow=True, name="monday")
    with pytest.raises(TimeoutError, match=r"is queued after 0\.01 s; it goes on"):
        job.result(0.01)
    assert job.status() == "queued"
    later = processor(tmp_path, server)
    again = later.submit(later.quote([bell()], shots=100), allow=True, name="monday")
    assert again.job_id == job.job_id
    assert sum(again.result(30)[0].values()) == 100
    server.jobs.clear()  # the provider forgets; the journal does not
    assert processor(tmp_path, server).job("monday").result() == again.result()
    assert [entry.state for entry in qpu.jobs()] == ["done"]


def test_a_name_belongs_to_one_job(tmp_path: Path) -> None:
    """Other circuits or shots under a known name are refused; unknown names are told."""
    server = Server()
    qpu = processor(tmp_path, server)
    qpu.submit(qpu.quote([bell()], shots=100), allow=True, name="monday")
    with pytest.raises(ArgumentError, match="'monday' belongs to another job"):
        qpu.submit(qpu.quote([bell()], shots=101), allow=True, name="monday")
    with pytest.raises(UnknownNameError, match="monday"):
        qpu.job("mondy")
    assert len(server.jobs) == 1


def test_a_new_calibration_does_not_make_another_job(tmp_path: Path) -> None:
    """The job is what was asked, not what it was translated to: it is found again, and not refused as another one."""
    server = Server()
    journal = tmp_path / "jobs.sqlite"
    sent = processor(tmp_path, server)
    sent.submit(sent.quote([bell()], shots=100), allow=True, name="monday")
    provider = Provider(server)
    calibrated = GenericBackendV2(3, basis_gates=["id", "rz", "sx", "x", "cz"], seed=9)
    later = RealProcessor(calibrated, dollars_per_shot=0.01, journal=journal, retrieve=provider.retrieve)
    quote = later.quote([bell()], shots=100)
    assert quote.circuits[0].count_ops() != sent.quote([bell()], shots=100).circuits[0].count_ops()
    assert sum(later.submit(quote, allow=True, name="monday").result(30)[0].values()) == 100
    assert len(server.jobs) == 1


def test_one_name_is_sent_once_by_many_at_once(tmp_path: Path) -> None:
    """Eight threads submit the same job: the provider gets one."""
    server = Server()
    qpu = processor(tmp_path, server, find=True)
    quote = qpu.quote([bell()], shots=10)

    def submit(_: int) -> bool:
        try:
            qpu.submit(quote, allow=True, name="once")
        except DeviceError:  # another one is just sending it
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert any(pool.map(submit, range(8)))
    assert len(server.jobs) == 1


def test_a_crash_while_sending_never_sends_again_by_itself(tmp_path: Path) -> None:
    """The provider got it, the answer was lost: the user, or a search by tag, says so; the money stays reserved."""
    server = Server()
    qpu = processor(tmp_path, server, lost=True)
    quote = qpu.quote([bell()], shots=100)
    with pytest.raises(DeviceError, match=r"line went dead.*not sent again.*adopt\('monday', job_id\)"):
        qpu.submit(quote, allow=True, name="monday")
    later = processor(tmp_path, server)
    with pytest.raises(DeviceError, match="was being sent when it was left"):
        later.submit(quote, allow=True, name="monday")
    assert len(server.jobs) == 1
    assert sum(later.adopt("monday", "job-0").result(30)[0].values()) == 100

    with pytest.raises(DeviceError):
        qpu.submit(quote, allow=True, name="tuesday")
    found = processor(tmp_path, server, find=True).submit(quote, allow=True, name="tuesday")
    assert found.job_id == "job-1"
    assert len(server.jobs) == 2


def test_what_never_arrived_can_be_forgotten_and_sent(tmp_path: Path) -> None:
    """Forgetting frees the name and the money."""
    server = Server()

    def refuse(*anything: Any) -> Any:
        raise ConnectionError("no network")

    qpu = RealProcessor(
        GenericBackendV2(2, seed=1),
        journal=tmp_path / "jobs.sqlite",
        dollars_per_shot=0.01,
        send=refuse,
        spend_at_most=1.0,
    )
    quote = qpu.quote([bell()], shots=100)
    with pytest.raises(DeviceError, match="no network"):
        qpu.submit(quote, allow=True, name="monday")
    qpu.forget("monday")
    assert not qpu.jobs()
    provider = Provider(server, qubits=2)
    good = RealProcessor(
        provider.backend,
        journal=tmp_path / "jobs.sqlite",
        dollars_per_shot=0.01,
        send=provider.send,
        spend_at_most=1.0,
    )
    good.submit(quote, allow=True, name="monday")
    assert len(server.jobs) == 1


def test_a_failed_or_cancelled_job_says_so_for_good(tmp_path: Path) -> None:
    """The provider's reason is kept; asking again asks the journal."""
    qpu = processor(tmp_path, Server(fails=True))
    job = qpu.submit(qpu.quote([bell()], shots=10), allow=True, name="monday")
    for _ in range(2):
        with pytest.raises(DeviceError, match="failed: the cryostat is warm"):
            job.result(30)
    assert qpu.job("monday").status() == "failed"
    waiting = processor(tmp_path, Server(polls_in_queue=9**9))
    stopped = waiting.submit(waiting.quote([bell()], shots=10), allow=True, name="tuesday")
    assert stopped.cancel()
    assert stopped.status() == "cancelled"
    assert not stopped.cancel()
    with pytest.raises(DeviceError, match="cancelled: it was cancelled here"):
        stopped.result(1)


def test_what_a_processor_cannot_run_is_told_before(tmp_path: Path) -> None:
    """Too many qubits, parameters without values, nothing measured, control flow it has not got."""
    qpu = processor(tmp_path, Server())
    wide = QuantumCircuit(4, 1, name="wide")
    wide.measure(0, 0)
    open_circuit = QuantumCircuit(1, 1)
    open_circuit.rx(Parameter("t"), 0)
    silent = QuantumCircuit(1)
    branch = QuantumCircuit(1, 1)
    branch.measure(0, 0)
    with branch.if_test((branch.clbits[0], 1)):
        branch.x(0)
    for circuit, message in (
        (wide, "circuit 'wide': the circuit has 4 qubits, the processor 3"),
        (open_circuit, "parameters without values: t"),
        (silent, "it measures nothing"),
        (branch, "no if_else; it has"),
    ):
        with pytest.raises(InfeasibleError, match=message):
            qpu.quote([circuit])


def test_bad_arguments_are_told(tmp_path: Path) -> None:
    """No backend, negative prices, no list, no shots, another processor's quote, a journal that is no file."""
    qpu = processor(tmp_path, Server())
    with pytest.raises(ArgumentError, match="expected a Qiskit BackendV2"):
        RealProcessor("ibm")
    with pytest.raises(ArgumentError, match="dollars_per_shot=-1"):
        RealProcessor(GenericBackendV2(2), dollars_per_shot=-1)
    with pytest.raises(ArgumentError, match=r"quote\(\[circuit\]\)"):
        qpu.quote(bell())  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="shots=0"):
        qpu.quote([bell()], shots=0)
    other = RealProcessor(GenericBackendV2(2), journal=tmp_path / "jobs.sqlite")
    with pytest.raises(ArgumentError, match="quote is of qpu/generic_backend_2q"):
        qpu.submit(other.quote([bell()]), allow=True)
    with pytest.raises(StoreError, match="journal of paid jobs"):
        RealProcessor(GenericBackendV2(2), journal=tmp_path).jobs()


def test_a_limit_that_is_no_number_is_no_limit_by_accident(tmp_path: Path) -> None:
    """NaN would compare as never exceeded."""
    with pytest.raises(ArgumentError, match="spend_at_most"):
        processor(tmp_path, Server(), spend_at_most=float("nan"))


def test_bits_alone_measure_nothing(tmp_path: Path) -> None:
    """A circuit with classical bits and no measurement would be paid for and give nothing."""
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    with pytest.raises(InfeasibleError, match="measures nothing"):
        processor(tmp_path, Server()).quote([circuit], shots=10)


def test_jobs_of_another_processor_are_left_alone(tmp_path: Path) -> None:
    """One journal serves several: none asks its provider for another's job, adopts it or frees its money."""
    own = RealProcessor(GenericBackendV2(3, seed=1), journal=tmp_path / "jobs.sqlite")
    own.submit(own.quote([bell()], shots=10), allow=True, name="mine").result(60)
    other = RealProcessor(GenericBackendV2(2, seed=1), journal=tmp_path / "jobs.sqlite")
    assert other.name != own.name
    for use in (other.job, other.forget, lambda name: other.adopt(name, "1")):
        with pytest.raises(ArgumentError, match="'mine' is of"):
            use("mine")


def test_an_id_that_is_known_is_not_replaced(tmp_path: Path) -> None:
    """Adopting under another id would be ignored without a word."""
    qpu = processor(tmp_path, Server())
    qpu.submit(qpu.quote([bell()], shots=10), allow=True, name="sent")
    with pytest.raises(ArgumentError, match="already"):
        qpu.adopt("sent", "another")
