"""The laws of simulation methods: what the time and memory of each follow, as terms that rates are fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from hetero.device import Variant
from hetero.ops.circuit_bonds import BondBound
from hetero.ops.circuit_features import CircuitFeatures
from hetero.ops.circuit_growth import Growth

__all__ = ["DENSITY", "DIAGRAMS", "LAWS", "Law", "Shape", "compile_terms", "run_terms"]

DENSITY = "aer density_matrix"
"""A state vector of twice as many qubits; gates cost what they do there, so it has no rates of its own."""

DIAGRAMS = "ddsim"
"""The method whose cost no count tells."""

LANES = 8
"""Parameter sets that the batched engine takes at once, whether there are as many or not."""

BYTES_A_NODE = 300.0
"""Of a decision diagram, its share of the tables included."""


@dataclass(frozen=True, slots=True)
class Shape:
    """All that the laws read: the circuit's counts, what is asked of it, its bonds, its diagram (None: not run)."""

    features: CircuitFeatures
    sets: int
    shots: int
    terms: int
    bonds: BondBound
    growth: Growth | None = None
    noisy: bool = False

    @property
    def amplitudes(self) -> float:
        return 2.0 ** min(self.features.qubits, 400)

    @property
    def runs(self) -> float:
        """How often the gates are applied: once a set, or once a shot where shots part ways."""
        apart = (self.features.dynamic or self.noisy) and self.shots
        return float(self.sets) * (self.shots if apart else 1)


def run_terms(method: str, shape: Shape) -> dict[str, float]:
    """The terms of a method's law for one warm run on one thread."""
    return LAWS[method].run(shape)


def compile_terms(method: str, shape: Shape) -> dict[str, float]:
    """The terms of what comes before the first run."""
    f = shape.features
    terms = {"once": 1.0, "gates": float(f.gates)}
    if method == "statevector":
        terms["amplitudes"] = shape.amplitudes if shape.shots else 0.0
    return terms


@dataclass(frozen=True, slots=True)
class _Statevector:
    """Aer's: every gate passes over all amplitudes."""

    certain: bool = True

    def run(self, shape: Shape) -> dict[str, float]:
        f, a = shape.features, shape.amplitudes
        return {
            "once": 1.0,
            "gates": shape.runs * f.gates,
            "narrow passes": shape.runs * a * f.one_qubit_gates,
            "wide passes": shape.runs * a * (f.two_qubit_gates + 2 * f.larger_gates),
            "amplitudes": shape.sets * a,
            "terms": shape.sets * a * shape.terms,
            "shots": float(shape.sets * shape.shots * f.qubits),
        }

    def memory(self, shape: Shape, variant: Variant) -> float:
        return shape.amplitudes * (8.0 if variant.precision == "fp32" else 16.0)

    def why(self, shape: Shape) -> str:
        return f"{shape.features.gates} gates on 2^{shape.features.qubits} amplitudes"


@dataclass(frozen=True, slots=True)
class _Density:
    """Every gate passes over both sides of the density matrix, errors included."""

    certain: bool = True

    def run(self, shape: Shape) -> dict[str, float]:
        f, a = shape.features, shape.amplitudes**2
        return {
            "once": 1.0,
            "gates": float(shape.sets * f.gates),
            "narrow passes": 2.0 * shape.sets * a * f.one_qubit_gates,
            "wide passes": 2.0 * shape.sets * a * (f.two_qubit_gates + 2 * f.larger_gates),
            "terms": shape.sets * shape.amplitudes * shape.terms,
            "shots": float(shape.sets * shape.shots * f.qubits),
        }

    def memory(self, shape: Shape, variant: Variant) -> float:
        return 16.0 * shape.amplitudes**2

    def why(self, shape: Shape) -> str:
        return f"{shape.features.gates} noisy gates on 4^{shape.features.qubits} entries"


@dataclass(frozen=True, slots=True)
class _Batched:
    """hetero's own: blocks of lanes, whatever the number of sets."""

    certain: bool = True

    def run(self, shape: Shape) -> dict[str, float]:
        f = shape.features
        lanes = float(-(-shape.sets // LANES) * LANES)
        a = shape.amplitudes * lanes
        return {
            "once": 1.0,
            "gates": lanes * f.gates,
            "narrow passes": a * f.one_qubit_gates,
            "wide passes": a * (f.two_qubit_gates + 6 * f.larger_gates),
            "terms": a * shape.terms,
            "amplitudes": a if shape.shots else 0.0,
            "shots": float(shape.sets * min(shape.shots, 2.0**shape.features.qubits)),
        }

    def memory(self, shape: Shape, variant: Variant) -> float:
        return shape.amplitudes * 16.0 * LANES * variant.threads

    def why(self, shape: Shape) -> str:
        lanes = -(-shape.sets // LANES) * LANES
        return f"{shape.features.gates} gates on 2^{shape.features.qubits} amplitudes of {lanes} lanes"


@dataclass(frozen=True, slots=True)
class _Bonds:
    """Matrix product states: two-site updates of cubic cost."""

    certain: bool = False

    def run(self, shape: Shape) -> dict[str, float]:
        f, bonds = shape.features, shape.bonds
        squares = sum(4.0**rank for rank in bonds.ranks) + 1.0
        return {
            "once": 1.0,
            "gates": shape.runs * (f.gates + bonds.updates),
            "cubes": shape.runs * bonds.cubes,
            "shots": float(shape.sets * shape.shots * f.qubits),
            "squares": float(shape.sets * shape.shots) * squares,
            "terms": shape.sets * shape.terms * squares * 2.0**bonds.most,
        }

    def memory(self, shape: Shape, variant: Variant) -> float:
        return shape.bonds.as_likely().nbytes

    def why(self, shape: Shape) -> str:
        bonds = shape.bonds
        likely = f", likely 2^{max(bonds.likely):.1f}" if max(bonds.likely, default=0.0) < bonds.most else ""
        return f"bond dimension at most 2^{bonds.most}{likely}, {bonds.updates} two-site updates"


@dataclass(frozen=True, slots=True)
class _Tableau:
    """Stabilizer tableaus: 2n rows of 2n bits."""

    certain: bool = True

    def run(self, shape: Shape) -> dict[str, float]:
        f = shape.features
        n = float(f.qubits)
        return {
            "once": 1.0,
            "gates": shape.runs * f.gates,
            "gate rows": shape.runs * f.gates * n,
            "shots": float(shape.sets * shape.shots) * n,
            "shot rows": float(shape.sets * shape.shots) * n * n,
            "terms": shape.sets * shape.terms * n * n,
        }

    def memory(self, shape: Shape, variant: Variant) -> float:
        return shape.features.qubits**2 / 2.0

    def why(self, shape: Shape) -> str:
        return f"Clifford gates only: {2 * shape.features.qubits} rows of bits"


@dataclass(frozen=True, slots=True)
class _Diagrams:
    """Decision diagrams: the nodes visited by each gate."""

    certain: bool = False

    def run(self, shape: Shape) -> dict[str, float]:
        f, growth = shape.features, shape.growth
        vector = shape.amplitudes * shape.sets
        return {
            "once": float(shape.sets),
            "gates": shape.runs * f.gates,
            "visits": shape.runs * _visits(growth),
            "shots": float(shape.sets * shape.shots * f.qubits),
            "amplitudes": vector if shape.terms else 0.0,
            "terms": vector * shape.terms,
        }

    def memory(self, shape: Shape, variant: Variant) -> float:
        nodes = shape.growth.nodes if shape.growth else 0
        return BYTES_A_NODE * nodes + (48.0 * shape.amplitudes if shape.terms else 0.0)

    def why(self, shape: Shape) -> str:
        growth = shape.growth
        if growth is None:
            return "its diagram was not run dry"
        if growth.complete:
            return f"its diagram ends with {growth.nodes} nodes"
        return f"its diagram has {growth.nodes} nodes after {growth.done} of {growth.gates} gates"


def _visits(growth: Growth | None) -> float:
    """Node visits of a whole run: what is left is taken to cost as much a gate as the last one did."""
    if growth is None:
        return 0.0
    return float(growth.visits + (growth.gates - growth.done) * growth.nodes)


Law: TypeAlias = _Statevector | _Density | _Batched | _Bonds | _Tableau | _Diagrams

LAWS: Mapping[str, Law] = {
    "aer statevector": _Statevector(),
    DENSITY: _Density(),
    "aer matrix_product_state": _Bonds(),
    "aer stabilizer": _Tableau(),
    DIAGRAMS: _Diagrams(),
    "stim": _Tableau(),
    "statevector": _Batched(),
}
