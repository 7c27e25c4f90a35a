"""Which way is taken: forecasts from structure, an order with bounded regret, hopeless options never run."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.library import QFTGate, real_amplitudes
from qiskit.quantum_info import Operator

import hetero as ht
from hetero.cost.circuit_rates import RATES
from hetero.cost.circuits import Forecast, forecast, shape_of
from hetero.cost.dry_run import dry_growth
from hetero.cost.memory_guard import MemoryGuard
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.errors import ArgumentError, DeviceError, InfeasibleError, WorkerError
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_bonds import bond_bound
from hetero.ops.circuit_form import plain
from hetero.ops.circuit_growth import diagram_growth
from hetero.planning.prune import HOPELESS, dominated, unending
from hetero.planning.selection import Selection
from hetero.quantum import choose, running, workers
from hetero.quantum.attempts import GAMBLE, PATIENCE_S, SHORT_S, WORTH, attempts
from hetero.quantum.choosing import PartChoice
from hetero.quantum.ways import machine_for, ways_of
from hetero.rewrite.reduce_circuit import reduced


def told(
    first_s: float, *, certain: bool = True, bounded: bool = True, low_s: float | None = None
) -> Forecast:
    low = first_s / 2 if low_s is None else low_s
    return Forecast("method", first_s, low, 2 * first_s, 0.0, 1e6, certain, bounded, "because")


def ghz(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def graph_state(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(range(qubits))
    for qubit in range(qubits - 1):
        circuit.cz(qubit, qubit + 1)
    circuit.h(range(qubits))
    return circuit


def entangled(qubits: int, layers: int) -> QuantumCircuit:
    circuit = real_amplitudes(qubits, reps=layers, entanglement="linear")
    return circuit.assign_parameters(np.random.default_rng(0).uniform(0, 6, circuit.num_parameters))


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    circuit.measure_all()
    return circuit


def test_the_fastest_certain_way_is_taken_to_its_end() -> None:
    """Among ways whose time is known the least comes first, and is never killed."""
    order = attempts([told(3.0), told(1.0), told(2.0)])
    assert [a.index for a in order] == [1, 2, 0]
    assert {a.patience_s for a in order} == {None}


def test_an_uncertain_way_is_tried_for_a_part_of_what_is_certain() -> None:
    """A diagram that is forecast to take a tenth gets half of the certain way's time, then that one follows."""
    order = attempts([told(10.0), told(1.0, certain=False, bounded=False)])
    assert [(a.index, a.patience_s) for a in order] == [(1, WORTH * 10.0), (0, None)]


def test_a_bound_that_is_short_needs_no_guard() -> None:
    """Where even the bound is within what the certain way takes, the run stays in this process."""
    order = attempts([told(10.0), told(1.0, certain=False)])
    assert (order[0].index, order[0].patience_s) == (1, None)


def test_a_loose_bound_is_a_small_gamble() -> None:
    """A bound of hours with a low of milliseconds is tried for a small share, a diagram that did not end is not."""
    loose = told(1e4, certain=False, low_s=1e-3)
    assert [a.index for a in attempts([told(10.0), loose])] == [1, 0]
    assert attempts([told(10.0), loose])[0].patience_s == pytest.approx(GAMBLE * 10.0)
    assert [a.index for a in attempts([told(10.0), replace(loose, bounded=False)])] == [0, 1]
    assert [a.index for a in attempts([told(0.1), loose])] == [0, 1]


def test_a_gamble_begins_only_where_it_could_end() -> None:
    """Not where even the best case, its compilation with it, takes longer than the share."""
    loose = told(1e4, certain=False, low_s=0.9)
    assert [a.index for a in attempts([told(10.0), loose])] == [1, 0]
    assert [a.index for a in attempts([told(10.0), replace(loose, compile_s=0.2)])] == [0, 1]


def test_a_gamble_counts_as_what_it_is_given() -> None:
    """The seconds of a choice are not those of a run that would be given up, but of that and of what comes after."""
    circuit = QuantumCircuit(1)
    circuit.h(0)
    way = choose(circuit, observables="X").parts[0].ways[0]
    forecasts = [told(10.0), told(1e4, certain=False, low_s=1e-3)]
    ways = tuple(replace(way, forecast=one) for one in forecasts)
    part = PartChoice(2, 1, ways, attempts(forecasts), ())
    assert part.seconds == pytest.approx(10.0 + GAMBLE * 10.0)
    assert PartChoice(2, 1, (), (), ()).seconds == math.inf


@given(
    st.lists(
        st.builds(
            told,
            st.floats(1e-3, 1e6),
            certain=st.booleans(),
            bounded=st.booleans(),
            low_s=st.floats(1e-6, 1e-3),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_regret_is_bounded(known: list[Forecast]) -> None:
    """Every way has its turn; before the best certain one, others get half of its time or end by themselves."""
    order = attempts(known)
    assert sorted(a.index for a in order) == list(range(len(known)))
    certain_s = min((one.first_s for one in known if one.certain), default=math.inf)
    if math.isinf(certain_s):
        assert all(a.patience_s is not None and a.patience_s <= PATIENCE_S for a in order)
        return
    for attempt in order:
        if known[attempt.index].certain:
            break
        given_s = known[attempt.index].high_s if attempt.patience_s is None else attempt.patience_s
        assert given_s <= (certain_s if attempt.patience_s is None else max(WORTH * certain_s, SHORT_S))


def test_what_another_beats_for_certain_is_never_run() -> None:
    """The least of one is compared with the most of another, or what an uncertain one is likely to take."""
    forecasts = [told(1.0), told(100.0), None, told(50.0, certain=False, low_s=0.01), told(15.0)]
    assert set(dominated(forecasts)) == {1, 3}
    assert dominated([told(1e-3), told(0.09)]) == {}
    assert dominated([told(2 * HOPELESS)]) == {}
    assert "predicted 1e+02 s" in dominated(forecasts)[1]


def test_a_diagram_is_run_dry_up_to_a_limit() -> None:
    """Where it stays small the dry run ends and says how large it is; where it explodes it stops soon enough."""
    small = diagram_growth(ghz(40))
    assert small is not None
    assert small.complete
    assert small.nodes < 100
    large = diagram_growth(entangled(20, 3), limit_nodes=5000)
    assert large is not None
    assert not large.complete
    assert large.visits < 50_000
    assert diagram_growth(entangled(20, 3), limit_nodes=5000) == large


def test_swaps_cost_a_diagram_nothing() -> None:
    """A Fourier transform of a basis state, whose swaps would cost 2^20, is run dry to its end."""
    circuit = QuantumCircuit(40)
    circuit.x(range(0, 40, 2))
    circuit.append(QFTGate(40), range(40))
    growth = diagram_growth(plain(circuit), limit_nodes=200_000)
    assert growth is not None
    assert growth.complete


def test_a_dry_run_that_hangs_in_one_gate_is_killed() -> None:
    """The same swaps written as three gates each: the worker is killed, and the answer is that it did not end."""
    circuit = QuantumCircuit(40)
    circuit.x(range(0, 40, 2))
    circuit.append(QFTGate(40), range(40))
    bare = plain(circuit).decompose(gates_to_decompose=["swap"])
    growth = dry_growth(bare, limit_nodes=200_000, patience_s=3.0)
    assert growth is not None
    assert not growth.complete
    again = dry_growth(ghz(5), limit_nodes=1000, patience_s=3.0)
    assert again is not None
    assert again.complete


def test_bonds_are_bounded_by_gates_and_by_neighbours() -> None:
    """A chain has rank 2 on each cut; a rank is at most twice that of the cut beside it."""
    chain = bond_bound(ghz(8))
    assert chain.ranks == (1,) * 7
    assert chain.updates == 7
    far = QuantumCircuit(8)
    for _ in range(9):
        far.cx(0, 7)
    assert bond_bound(far).ranks == (1, 2, 3, 4, 3, 2, 1)


def test_small_angles_entangle_little() -> None:
    """A Fourier transform of an entangled state may need all bond dimensions by its gates, and few by their angles."""
    circuit = ghz(24)
    circuit.append(QFTGate(24), range(24))
    op = reduced(CircuitOp.from_circuit(measured(circuit), shots=1)).parts[0].op  # swaps would count as gates
    assert op.bonds.most == 12
    assert max(op.bonds.likely) < 7
    assert bond_bound(ghz(8)).likely == (1.0,) * 7
    turned = QuantumCircuit(2)
    turned.rzz(0.1, 0, 1)
    (bits,) = bond_bound(turned).likely
    (coefficients,) = [np.linalg.svd(np.diag(Operator(turned).data).reshape(2, 2) / 2, compute_uv=False)]
    assert bits == pytest.approx(2 * np.log2(coefficients.sum()))


def test_what_may_not_end_is_begun_only_where_it_can_be_ended() -> None:
    """Planning measures in this process: a matrix product state that may take minutes stays out, one apart does not."""
    several = [
        told(100.0, certain=False),
        told(100.0, certain=False),
        told(1.0, certain=False),
        told(100.0),
        None,
    ]
    assert set(unending(several, [True, False, True, True, True])) == {0}


def test_a_process_that_grows_past_its_allowance_is_killed() -> None:
    """A simulation that takes more memory than it was given ends, and the guard says that it was the reason."""
    grow = "x = []\nprint('begun', flush=True)\nwhile True: x.append(bytearray(b'1') * (1 << 24))"
    with subprocess.Popen([sys.executable, "-c", grow], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with MemoryGuard(process.pid, 300 << 20) as guard:
            assert process.wait(30) == -signal.SIGKILL
        assert guard.exceeded


def test_the_next_best_takes_over_from_what_needs_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A way whose process holds more than it may is given up for the next one, and the story says why."""
    monkeypatch.setattr(workers, "allowance", lambda way: 1 << 20)
    right = ways_of

    def uncertain(*arguments: Any, **options: Any) -> Any:
        """The diagram first, as if it were the fastest; the state vector after it."""
        found = right(*arguments, **options)
        ways = [
            replace(way, forecast=replace(way.forecast, seconds=1e-6, compile_s=0.0, bounded=False))
            if way.info.engine == "ddsim"
            else replace(way, forecast=replace(way.forecast, seconds=10.0))
            for way in found.ways
        ]
        return replace(found, ways=tuple(ways))

    monkeypatch.setattr(running, "ways_of", uncertain)
    op = CircuitOp.from_circuit(measured(entangled(15, 12)), shots=10, seed=11)
    found = running.answer(op, np.zeros((1, 0)), machine_for(Selection()), np.random.default_rng(0))
    (story,) = found.stories
    assert "grew past 1 MiB and was killed" in story.tried[0].reason
    assert sum(found.values[0].values()) == 10


def test_forecasts_follow_structure() -> None:
    """A state vector grows with 2^n, a matrix product state of a chain does not."""
    shapes = [shape_of(CircuitOp.from_circuit(measured(entangled(n, 2)), shots=100), ()) for n in (10, 24)]
    vector = [forecast("aer statevector", Variant("fp64"), shape) for shape in shapes]
    chain = [forecast("aer matrix_product_state", Variant("fp64"), shape) for shape in shapes]
    assert vector[1].seconds > 1000 * vector[0].seconds  # type: ignore[union-attr]
    assert chain[1].seconds < 10 * chain[0].seconds  # type: ignore[union-attr]
    assert vector[1].memory_bytes == 16 * 2**24  # type: ignore[union-attr]
    assert forecast("abacus", Variant("fp64"), shapes[0]) is None
    assert all(one.low_s <= one.seconds <= one.high_s for one in (*vector, *chain) if one)


def test_shipped_rates_are_rates() -> None:
    """Every method has positive rates and a spread that says how far they may be off."""
    methods = (
        "aer statevector",
        "aer matrix_product_state",
        "aer stabilizer",
        "ddsim",
        "stim",
        "statevector",
    )
    assert set(methods) == set(RATES)
    for rate in RATES.values():
        assert all(value > 0 for value in (*rate.run.values(), *rate.compile.values()))
        assert rate.spread >= 1


@pytest.mark.parametrize(
    ("circuit", "method"),
    [
        (graph_state(120), "stim"),
        (entangled(26, 2), "matrix_product_state"),
        (entangled(20, 10), "method=statevector"),
    ],
    ids=["clifford", "chain", "entangled"],
)
def test_the_choice_follows_the_circuit(circuit: QuantumCircuit, method: str) -> None:
    """Clifford gates go to a tableau, short chains to a matrix product state, the rest to a state vector."""
    (part,) = choose(measured(circuit), shots=100).parts
    assert part.chosen is not None
    assert method in str(part.chosen)


def test_a_choice_explains_itself() -> None:
    """The report has each method's seconds, memory and why, and those that cannot run it with the reason."""
    text = str(choose(measured(entangled(18, 2)), shots=400))
    for word in (
        "->",
        "bond dimension at most",
        "gates on 2^18 amplitudes",
        "Clifford circuits only",
        "4 MiB",
    ):
        assert word in text
    assert choose(ghz(3), observables="ZZZ").standard_error == 0
    assert choose(measured(ghz(3)), shots=400).standard_error == pytest.approx(0.025)


def test_a_choice_is_told_in_numbers_that_people_read() -> None:
    """Of one qubit: no half bytes, no seconds as powers of ten, and one gate is no gates."""
    circuit = QuantumCircuit(1)
    circuit.h(0)
    text = str(choose(measured(circuit), shots=10))
    assert "1 qubit, 1 gate:" in text
    assert "< 1 KiB" in text
    assert "e+0" not in text
    assert "0.5 bytes" not in text


def test_a_way_that_fails_is_followed_by_the_next_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed for taking too long, or an engine that fails, costs no more than its patience."""
    calls: list[str] = []
    right = running.run

    def run(op: CircuitOp, way: Any, inputs: Any, patience_s: float | None, lane: int) -> Any:
        calls.append(str(way))
        if len(calls) == 1:
            raise WorkerError("did not answer in time and was killed")
        return right(op, way, inputs, patience_s, lane)

    monkeypatch.setattr(running, "run", run)
    op = CircuitOp.from_circuit(measured(ghz(4)), shots=10, seed=1)
    found = running.answer(op, np.zeros((1, 0)), machine_for(Selection()), np.random.default_rng(0))
    (story,) = found.stories
    assert [tried.way for tried in story.tried] == calls[:1]
    assert "given up after" in str(story)
    assert sum(found.values[0].values()) == 10


def test_a_circuit_that_nobody_can_run_says_what_each_would_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way: an error with every device's reason. All ways failing: an error with how."""
    op = CircuitOp.from_circuit(measured(entangled(20, 12)), shots=10)
    machine = machine_for(Selection(allow=("statevector",)))
    assert not ways_of(op, (), machine).ways
    with pytest.raises(InfeasibleError, match="at most 16 qubits"):
        running.answer(op, np.zeros((1, 0)), machine, np.random.default_rng(0))

    def fail(*anything: Any) -> Any:
        raise DeviceError("broken")

    monkeypatch.setattr(running, "run", fail)
    op = CircuitOp.from_circuit(measured(ghz(3)), shots=10)
    with pytest.raises(DeviceError, match=r"every way failed: .*broken"):
        running.answer(op, np.zeros((1, 0)), machine_for(Selection()), np.random.default_rng(0))


def test_a_plan_never_runs_a_hopeless_option(tmp_path: Path) -> None:
    """A wide chain: state vectors and diagrams are dropped by their forecasts, with the reason in the plan."""
    circuit = entangled(22, 2)
    node = ht.from_qiskit(circuit, observables="Z" * 22, name="wide")
    with ProfileStore(tmp_path / "profiles.sqlite") as store, ht.plan(node, store=store) as plan:
        dropped = [o for o in plan.options["wide"] if "predicted" in o.reason]
        assert dropped
        assert all("statevector" in str(o.choice) or "ddsim" in str(o.choice) for o in dropped)
        assert "matrix_product_state" in str(plan.choices["wide"])


@pytest.mark.parametrize("sets", [0, -1, 1.5, True])
def test_no_sets_are_no_question(sets: Any) -> None:
    """A forecast for nothing, or for less, is an error that says what is allowed."""
    with pytest.raises(ArgumentError, match="expected an integer > 0"):
        choose(QuantumCircuit(1), sets=sets)
