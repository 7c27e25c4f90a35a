"""What can be told of a circuit without simulating it: its size, its gates, where it measures.

The planner's priors and the devices' refusals read these values; all need one pass over the instructions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hetero.ops.circuit_build import blocks_of, places
from hetero.ops.circuit_gates import names_of
from hetero.ops.circuit_loops import LEAVING, LOOPS

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["CircuitFeatures", "features_of", "final_measurements", "human_bytes"]

CLIFFORD_GATES = frozenset(
    "id x y z h s sdg sx sxdg cx cy cz swap iswap dcx ecr barrier measure reset delay".split()  # noqa: SIM905
)
"""Names that are Clifford whatever their parameters; rotations by multiples of pi/2 are not looked for."""

_NOT_GATES = frozenset({"barrier", "measure", "reset", "delay"})


@dataclass(frozen=True, slots=True)
class CircuitFeatures:
    """Counts over one run of the circuit. ``dynamic`` circuits measure, reset or branch before their end; of those with
    ``loops`` it is only known while they run how often something is done, and it is counted once.
    """

    qubits: int
    clbits: int
    parameters: int
    depth: int
    one_qubit_gates: int
    two_qubit_gates: int
    larger_gates: int
    measurements: int
    clifford: bool
    dynamic: bool
    loops: bool = False

    @property
    def gates(self) -> int:
        return self.one_qubit_gates + self.two_qubit_gates + self.larger_gates

    @property
    def statevector_nbytes(self) -> int:
        """Bytes of one state vector in double precision: 16 for each of its 2**qubits amplitudes."""
        return 16 << self.qubits

    @property
    def statevector_flops(self) -> float:
        """Operations of one state vector run: a gate on k qubits is a 2**k x 2**k complex matrix.

        A complex product counts 6, a sum 2: 14 an amplitude for one qubit, 30 for two, 62 for three.
        """
        per_amplitude = 14.0 * self.one_qubit_gates + 30.0 * self.two_qubit_gates + 62.0 * self.larger_gates
        return per_amplitude * 2.0 ** min(self.qubits, 1000)

    def as_floats(self) -> dict[str, float]:
        found = {name: float(getattr(self, name)) for name in self.__dataclass_fields__}
        return found | {"gates": float(self.gates)}


def features_of(circuit: QuantumCircuit) -> CircuitFeatures:
    """The features of a circuit, blocks of control flow counted once each."""
    counts = {1: 0, 2: 0, 3: 0}
    measurements = 0
    clifford = True
    for name, width in _operations(circuit):
        measurements += name == "measure"
        clifford &= name in CLIFFORD_GATES
        if name not in _NOT_GATES and width:
            counts[min(width, 3)] += 1
    return CircuitFeatures(
        qubits=circuit.num_qubits,
        clbits=circuit.num_clbits,
        parameters=circuit.num_parameters,
        depth=circuit.depth(),
        one_qubit_gates=counts[1],
        two_qubit_gates=counts[2],
        larger_gates=counts[3],
        measurements=measurements,
        clifford=clifford,
        dynamic=final_measurements(circuit) is None,
        loops=not set(LOOPS).isdisjoint(names_of(circuit)),
    )


def final_measurements(circuit: QuantumCircuit) -> Mapping[int, int] | None:
    """Classical bit -> the qubit it holds at the end; None for a dynamic circuit.

    A reset of a qubit that nothing has touched is no work and does not make a circuit dynamic.
    """
    found: dict[int, int] = {}
    touched: set[int] = set()
    measured: set[int] = set()
    place = places(circuit)
    for instruction in circuit.data:
        name = instruction.name
        qubits = [place[qubit] for qubit in instruction.qubits]
        if name == "measure":
            found[circuit.find_bit(instruction.clbits[0]).index] = qubits[0]
            measured.update(qubits)
        elif name == "reset" and not touched.intersection(qubits):
            continue
        else:
            used_again = name not in ("barrier", "delay") and measured.intersection(qubits)
            if used_again or name == "reset" or blocks_of(instruction):
                return None
        touched.update(qubits)
    return found


def human_bytes(nbytes: float) -> str:
    """A memory size for messages.

    >>> human_bytes(16 << 32), human_bytes(16 << 60), human_bytes(16 << 400)
    ('64 GiB', '16 EiB', '2^404 bytes')
    """
    exponent = 0
    if nbytes >= 2**70:
        return f"2^{int(nbytes).bit_length() - 1} bytes"
    while nbytes >= 1024 and exponent < 6:
        nbytes /= 1024
        exponent += 1
    return f"{nbytes:.3g} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[exponent]}"


def _operations(circuit: QuantumCircuit) -> Iterator[tuple[str, int]]:
    """(name, width) of every operation, those inside control flow too."""
    for instruction in circuit.data:
        blocks = blocks_of(instruction)
        if not blocks and instruction.name not in LEAVING:
            yield instruction.name, len(instruction.qubits)
        for block in blocks:
            yield from _operations(block)
