"""Quantum circuits as operations: parameters in; expectation values or counts out."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hetero.arguments import Auto
from hetero.errors import ArgumentError, ModelError, SpecError
from hetero.ops.base import Op, Outputs, Run, Work
from hetero.ops.circuit_bonds import BondBound, bond_bound
from hetero.ops.circuit_build import rebuilt
from hetero.ops.circuit_features import CircuitFeatures, features_of, final_measurements
from hetero.ops.circuit_files import read_circuit
from hetero.ops.circuit_form import check_instructions, content, plain
from hetero.ops.circuit_loops import let_default_cases_travel
from hetero.ops.circuit_observables import read_observables
from hetero.ops.counts import Counts
from hetero.ops.shots import AUTO_ERROR, shots_for, standard_error
from hetero.values import ContainerSpec, ObjectSpec, Spec, Specs, TensorSpec, digest_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import SparsePauliOp

__all__ = ["CircuitOp"]

PLAIN_QUBITS = 16
"""Up to here the reference is a plain state vector, which takes milliseconds a gate."""


@dataclass(frozen=True, eq=False, repr=False)
class CircuitOp(Op):
    """A circuit with what is asked of it: expectation values of ``observables``, or ``shots`` samples.

    Input ``parameters`` (none where the circuit has none): angles of shape (..., n) in the order of
    ``circuit.parameters``. Output ``expectations``: float64 of shape (...,) for one observable, (..., k) for a
    list of k. Output ``counts``: a dict from bit string (as Qiskit writes it: last register first, bit 0 on the
    right, a space between registers) to the times it was seen (`Counts`); for a batch a list of dicts.

    Build with `from_circuit`.
    """

    kind: ClassVar[str] = "circuit"

    name: str
    circuit: QuantumCircuit
    observables: tuple[SparsePauliOp, ...]
    scalar: bool
    """One observable was given, not a list: the outputs have no axis for it."""
    shots: int | None
    seed: int | None
    features: CircuitFeatures
    planned_shots: bool = False
    """The number of shots is the planner's to choose."""

    @classmethod
    def from_circuit(
        cls,
        circuit: QuantumCircuit | str | Any,
        observables: Any = None,
        shots: int | Auto | None = None,
        name: str | None = None,
        seed: int | None = None,
    ) -> CircuitOp:
        """Understand a circuit, or say why not, before any work.

        ``circuit`` is a Qiskit circuit, OpenQASM 2 or 3 text, or the path of such a file. Exactly one of
        ``observables`` (a Pauli string, Pauli, SparsePauliOp, or a list of them) and ``shots`` is given; shots may be
        ``ht.auto``. The same ``seed`` gives the same counts on the same device and variant.

        Raises:
            ArgumentError: not exactly one of observables and shots; shots not a positive integer.
            ModelError: broken OpenQASM, an instruction that no simulator can run, observables that do not
                fit, nothing measured.
            MissingExtraError: qiskit is not installed.
        """
        source = read_circuit(circuit)
        who = name or _identifier(source.name)
        if (observables is None) == (shots is None):
            raise ArgumentError(
                f"circuit {who!r}: give exactly one of observables= (expectation values) and shots= (counts)"
            )
        own = plain(source)
        check_instructions(who, own)
        features = features_of(own)
        if features.loops:
            let_default_cases_travel()
        if not features.qubits:
            raise ModelError(f"circuit {who!r} has no qubits")
        if shots is not None:
            planned, number = (
                isinstance(shots, Auto),
                shots_for(AUTO_ERROR) if isinstance(shots, Auto) else shots,
            )
            _check_shots(who, number, seed, features)
            return cls(who, own, (), False, int(number), seed, features, planned)
        terms, scalar = read_observables(who, observables, own.num_qubits)
        if features.dynamic:
            raise ModelError(
                f"circuit {who!r} measures, resets or branches before its end: its final state is not one state "
                "vector that observables= could be evaluated on; ask for shots= instead"
            )
        return cls(who, own, terms, scalar, None, None, features)

    def asked(self) -> dict[str, Any]:
        """What is asked of the circuit, as plain values; with ``to_qpy`` it is all of the op."""
        return {
            "observables": [
                [o.paulis.to_labels(), [float(c) for c in o.coeffs.real]] for o in self.observables
            ],
            "scalar": self.scalar,
            "shots": self.shots,
            "seed": self.seed,
            "planned_shots": self.planned_shots,
        }

    def to_qpy(self) -> bytes:
        """The circuit in Qiskit's binary format."""
        from qiskit import qpy

        buffer = io.BytesIO()
        qpy.dump(self.circuit, buffer)
        return buffer.getvalue()

    @classmethod
    def from_qpy(cls, content: bytes, name: str, asked: Mapping[str, Any]) -> CircuitOp:
        """The op that ``to_qpy`` and ``asked`` describe.

        Raises:
            ModelError: the content is no circuit.
        """
        from qiskit import qpy
        from qiskit.exceptions import QiskitError
        from qiskit.quantum_info import SparsePauliOp

        try:
            (circuit,) = qpy.load(io.BytesIO(content))
        except (QiskitError, ValueError, EOFError, struct.error) as error:
            raise ModelError(f"circuit {name!r}: not a QPY file: {error}") from error
        terms = [SparsePauliOp(labels, coeffs) for labels, coeffs in asked["observables"]]
        observables = None if asked["shots"] is not None else terms[0] if asked["scalar"] else terms
        found = cls.from_circuit(circuit, observables, asked["shots"], name, asked["seed"])
        return replace(found, planned_shots=bool(asked.get("planned_shots")))

    @classmethod
    def _of(cls, op: CircuitOp, **more: Any) -> Self:
        """The same circuit and question as an op of this class, with what this class has beside."""
        return cls(**{field.name: getattr(op, field.name) for field in fields(CircuitOp)}, **more)

    @property
    def alone(self) -> CircuitOp:
        """The same question about the circuit by itself, where this one takes the parameters of a larger one."""
        return self

    @cached_property
    def angles(self) -> tuple[str, ...]:
        """The names of what a parameter set consists of, in order."""
        return tuple(str(parameter) for parameter in self.circuit.parameters)

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]  # computed: it follows from the circuit
        return ("parameters",) if self.angles else ()

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("expectations",) if self.shots is None else ("counts",)

    @cached_property
    def circuit_digest(self) -> str:
        """Of the circuit alone, whatever is asked of it."""
        return digest_of(content(self.circuit), [str(p) for p in self.circuit.parameters])

    @cached_property
    def digest(self) -> str:
        return digest_of(
            "circuit",
            self.circuit_digest,
            [register.size for register in self.circuit.cregs],
            [(o.paulis.to_labels(), o.coeffs.real) for o in self.observables],
            self.scalar,
            self.shots,
            self.seed,
        )

    @property
    def chance_error(self) -> float:  # type: ignore[override]
        return standard_error(self.shots) if self.planned_shots and self.shots else 0.0

    @cached_property
    def final_measurements(self) -> Mapping[int, int] | None:
        """Classical bit -> the qubit that it holds at the end; None where the circuit is dynamic."""
        return final_measurements(self.circuit)

    @cached_property
    def bonds(self) -> BondBound:
        return bond_bound(self.circuit)

    @cached_property
    def unitary(self) -> QuantumCircuit:
        """The circuit without its final measurements and classical bits, where it is not dynamic."""
        from qiskit import QuantumCircuit

        bare = QuantumCircuit(self.circuit.num_qubits, global_phase=self.circuit.global_phase)
        place = dict(zip(self.circuit.qubits, bare.qubits, strict=True))
        return rebuilt(
            bare,
            (
                instruction.replace(qubits=[place[qubit] for qubit in instruction.qubits], clbits=())
                for instruction in self.circuit.data
                if instruction.name not in ("measure", "reset")
            ),
        )

    def check(self, node: str, specs: Specs) -> None:
        from hetero.graph import specs_error

        width = len(self.angles)
        if len(specs) != len(self.inputs):
            names = ", ".join(self.inputs) or "none: the circuit has no parameters"
            raise SpecError(
                f"node {node!r}: found {len(specs)} inputs, expected {len(self.inputs)} ({names})"
            )
        if not width:
            return
        (spec,) = specs
        known = ", ".join(self.angles[:6]) + (", ..." if width > 6 else "")
        expected = f"real numbers of shape (..., {width}): one angle in radians for each of {known}"
        if (_real_shape(spec) or (None,))[-1] != width:
            raise SpecError(specs_error(node, "parameters", spec, expected))

    def load(self) -> Run:
        from hetero.ops.circuit_reference import draw_counts, exact_expectations
        from hetero.ops.circuit_stabilizer import draw_from_tableau, prefers_tableau, tableau_expectations

        final = self.final_measurements
        tableau = final is not None and prefers_tableau(self.unitary)
        expectations = tableau_expectations if tableau else exact_expectations
        if self.features.qubits > PLAIN_QUBITS and not tableau:
            from hetero.quantum.reference import wide_reference  # a door to the room where engines are chosen

            return wide_reference(self)

        def run(*inputs: Any) -> Outputs:
            rows, shape = self.rows(inputs)
            if self.shots is None:
                bound = (self.unitary.assign_parameters(row) for row in rows)
                return (self.pack_expectations([expectations(c, self.observables) for c in bound], shape),)
            generator = np.random.default_rng(self.seed)
            if tableau and final is not None:  # no parameters then, and one set
                counts = [draw_from_tableau(self.unitary, final, self.shots, generator) for _ in rows]
            else:
                bound = (self.circuit.assign_parameters(row) for row in rows)
                counts = [draw_counts(circuit, self.shots, generator) for circuit in bound]
            return (self.pack_counts(counts, shape),)

        return run

    def work(self, specs: Specs) -> Work:
        """Of a state vector simulation: each gate reads and writes all amplitudes, once for each parameter set."""
        spec = specs[0] if specs else None
        shape = _real_shape(spec) if spec is not None else None
        sets = int(np.prod((shape or ())[:-1], dtype=np.int64))
        features = self.features
        amplitudes = 2.0 ** min(features.qubits, 1000)
        terms = sum(len(observable) for observable in self.observables)
        flops = (
            features.statevector_flops + 8.0 * amplitudes * terms + float(self.shots or 0) * features.qubits
        )
        return Work(
            flops=sets * flops,
            nbytes=sets * 32.0 * amplitudes * (features.gates + terms + 1),
            features=features.as_floats()
            | {"sets": float(sets), "terms": float(terms), "shots": float(self.shots or 0)},
        )

    # What every device needs around its own simulation.

    def rows(self, inputs: Sequence[Any]) -> tuple[np.ndarray, tuple[int, ...]]:
        """The parameter sets as a float64 array (sets, n), and the leading shape to give the results.

        Raises:
            ArgumentError: the wrong number of angles, or one that is not finite.
        """
        width = len(self.angles)
        if not width:
            return np.zeros((1, 0)), ()
        angles = np.asarray(inputs[0], dtype=np.float64)
        who = f"circuit {self.name!r}"
        if not angles.ndim or angles.shape[-1] != width:
            raise ArgumentError(f"{who}: found angles of shape {angles.shape}, expected (..., {width})")
        if not np.isfinite(angles).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(angles))[0])
            raise ArgumentError(f"{who}: the angle at {place} is {angles[place]}, not a finite number")
        return np.ascontiguousarray(angles.reshape(-1, width)), angles.shape[:-1]

    def pack_expectations(self, values: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Values of shape (sets, k) as the output's shape."""
        table = np.asarray(values, np.float64).reshape(-1, len(self.observables))
        return table[:, 0].reshape(shape) if self.scalar else table.reshape(*shape, len(self.observables))

    def pack_counts(self, counts: Sequence[Mapping[int, int]], shape: tuple[int, ...]) -> Any:
        """One mapping (value of the classical bits -> times seen) a set, as the output."""
        written = [Counts({self.bit_string(bits): n for bits, n in sorted(one.items())}) for one in counts]
        return _nest(written, shape)

    def bit_string(self, bits: int) -> str:
        """The key of a value of the classical bits, as Qiskit writes it."""
        text = format(bits, f"0{self.features.clbits}b")
        registers = self.circuit.cregs
        if sum(register.size for register in registers) != len(text):  # loose or shared bits: no grouping
            return text
        parts, end = [], len(text)
        for register in registers:
            parts.append(text[end - register.size : end])
            end -= register.size
        return " ".join(reversed(parts))


def _real_shape(spec: Spec) -> tuple[int, ...] | None:
    """The shape of an array of real numbers, or of lists of numbers that make one; None for anything else."""
    if isinstance(spec, TensorSpec):
        return spec.shape if spec.dtype.startswith(("float", "int", "uint")) else None
    if isinstance(spec, ContainerSpec) and spec.items and spec.type != "dict":
        inner = {_real_shape(item) for item in spec.items}
        (shape,) = inner if len(inner) == 1 else (None,)
        return None if shape is None else (len(spec.items), *shape)
    return () if isinstance(spec, ObjectSpec) and spec.type in ("float", "int") else None


def _nest(flat: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    step = int(np.prod(shape[1:], dtype=np.int64))
    return [_nest(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def _identifier(name: str) -> str:
    """Qiskit numbers unnamed circuits within the process (``circuit-163``): that number means nothing."""
    return "circuit" if name.startswith("circuit-") else name


def _check_shots(who: str, shots: object, seed: object, features: CircuitFeatures) -> None:
    if not isinstance(shots, int | np.integer) or isinstance(shots, bool) or shots <= 0:
        raise ArgumentError(f"circuit {who!r}: shots must be a positive integer, not {shots!r}")
    if seed is not None and (not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0):
        raise ArgumentError(f"circuit {who!r}: seed must be None or an integer >= 0, not {seed!r}")
    if not features.measurements:
        raise ModelError(
            f"circuit {who!r} measures nothing, so shots have no counts: add measure_all(), or give observables="
        )
