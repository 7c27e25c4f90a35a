"""A queue of circuits: arranged as a schedule, run in lanes, each circuit as if it had been alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.primitives import StatevectorEstimator

from hetero.errors import DeviceError
from hetero.quantum import Estimator, Sampler, queue
from hetero.quantum.queue import Turn, arranged, queued, run_turns


def ghz(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


def test_the_arrangement_is_a_schedule() -> None:
    """Long circuits begin early, and one that gains much takes both cores."""
    turns = arranged([[0.1, 0.09], [1.0, 0.9], [1.0, 0.9], [0.1, 0.09]], (1, 2), 0.1)
    assert {turns[0].index, turns[1].index} == {1, 2}
    assert {turn.cores for turn in turns[:2]} == {1}
    assert arranged([[8.0, 4.0]], (1, 2), 0.1) == (Turn(0, 2),)


def test_no_more_cores_are_used_than_there_are() -> None:
    """Turns begin in their order, as soon as their cores are free."""
    turns = [Turn(0, 1), Turn(1, 1), Turn(2, 2), Turn(3, 1)]
    lock, used, most, begun = threading.Lock(), [0], [0], []

    def run(turn: Turn, lane: int) -> None:
        assert 1 <= lane <= 2
        with lock:
            begun.append(turn.index)
            used[0] += turn.cores
            most[0] = max(most[0], used[0])
        threading.Event().wait(0.02)
        with lock:
            used[0] -= turn.cores

    run_turns(turns, 2, run)
    assert sorted(begun[:2]) == [0, 1]
    assert begun[2:] == [2, 3]
    assert most[0] == 2


def test_the_first_failure_ends_the_queue() -> None:
    """What one turn raises is raised, and nothing more is begun."""
    begun = []

    def run(turn: Turn, lane: int) -> None:
        begun.append(turn.index)
        raise DeviceError("no")

    with pytest.raises(DeviceError, match="no"):
        run_turns([Turn(index, 2) for index in range(5)], 2, run)
    assert begun == [0]


def test_short_queues_and_single_circuits_run_one_after_another() -> None:
    """Lanes are no use to milliseconds."""
    sampler = Sampler()
    assert queued([], sampler._machine)[0] == ()
    assert queued([[]] * 5, sampler._machine)[0] == ()


def test_a_queue_gives_what_each_circuit_gives_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and expectation values from the lanes' processes; a seed repeats them."""
    monkeypatch.setattr(queue, "WORTH_S", 0.0)
    monkeypatch.setattr(queue, "COLD_S", 0.0)

    def counts(seed: int) -> list[dict[str, int]]:
        results = Sampler(seed=seed).run([ghz(n) for n in (3, 18, 5)], shots=200).result()
        return [one.data.meas.get_counts() for one in results]

    found = counts(1)
    for n, one in zip((3, 18, 5), found, strict=True):
        assert set(one) == {"0" * n, "1" * n}
        assert sum(one.values()) == 200
    assert counts(1) == found

    ansatz = real_amplitudes(3, reps=1)
    sets = np.random.default_rng(0).normal(size=(4, ansatz.num_parameters))
    pubs = [(ansatz, [["ZZI"], ["XIX"]], sets), (ansatz, "IYY", sets[0])]
    ours, theirs = (one.run(pubs).result() for one in (Estimator(), StatevectorEstimator()))
    for own, other in zip(ours, theirs, strict=True):
        assert own.data.evs == pytest.approx(other.data.evs, abs=1e-9)
