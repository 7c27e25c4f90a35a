"""The prior of circuits: seconds and memory of each simulation method, from what can be told of a circuit beforehand.

Each method has its own law, a sum of terms with a rate each: amplitudes times gates for a state vector, cubes of bond
dimensions for a matrix product state, nodes visited for a decision diagram. The rates were fitted on measurements
(`benchmarks/quantum_fit.py`) and ship with the package (`hetero.cost.circuit_rates`).

A forecast is a range. State vectors and tableaus are certain to within a factor. Of bond dimensions a bound is known,
and what the gates' angles make likely (`hetero.ops.circuit_bonds`), and structure may leave less. A decision diagram is
run dry up to a limit (`hetero.ops.circuit_growth`), and is known where that run ends, and known to cost at least so
much where it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from hetero.cost.circuit_corrections import corrections
from hetero.cost.circuit_laws import DENSITY, DIAGRAMS, LAWS, Shape, compile_terms
from hetero.cost.circuit_rates import RATES
from hetero.cost.dry_run import dry_growth
from hetero.device import DeviceInfo, Variant
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_growth import LIMIT_NODES, Growth
from hetero.ops.circuit_noise import NoisyCircuitOp
from hetero.values import Specs

__all__ = [
    "Forecast",
    "forecast",
    "forecast_of",
    "forecasts",
    "method_of",
    "shape_of",
]

PARALLEL_QUBITS = 14
"""Aer divides a state vector among threads from here on."""

PARALLEL_GAIN = 0.8
"""Of each doubling of threads."""

DRY_RUN_SHARE, DRY_RUN_LEAST, DRY_RUN_MOST = 0.05, 2_000, 1_000_000
"""The dry run of a diagram may cost a twentieth of the best other method; in node visits, at least and at most."""

DRY_RUN_VISIT_S = 2e-6
"""What a node visit of a dry run takes, counting the nodes included."""

DRY_RUN_LEAST_S, DRY_RUN_ALONE_S = 0.02, 4.0
"""It is killed after twice its share, but not before the one; after the other at the latest, and where no other method
is looked at."""

DRY_RUN_FROM_S = 10e-3
"""Nothing is run dry where another method takes less a parameter set: a diagram takes that to begin."""

DRY_RUN_GATE_S, DRY_RUN_BEGIN_SHARE = 12e-6, 0.1
"""Handing a circuit to the dry run takes so long a gate, which may be a tenth of the best other method."""

LONGEST_S = 1e9
"""Longer makes no difference to any choice, and float arithmetic stays finite."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One way to run a circuit: ``seconds`` of a warm run, likely between ``low_s`` and ``high_s``; ``compile_s``
    before the first; ``memory_bytes`` at the most. ``certain``: the time follows from counts alone; ``bounded``: it is
    not, but does not exceed ``high_s``. ``why`` in words.
    """

    method: str
    seconds: float
    low_s: float
    high_s: float
    compile_s: float
    memory_bytes: float
    certain: bool
    bounded: bool
    why: str
    worst_bytes: float = 0.0
    """Where ``memory_bytes`` is a guess, what it may become."""
    correction: float = 1.0
    """By what the shipped rates' seconds were multiplied, as this machine's own runs had shown."""

    @property
    def first_s(self) -> float:
        """Seconds until the first answer: compile and run."""
        return self.compile_s + self.seconds


def method_of(info: DeviceInfo, variant: Variant) -> str:
    """The name under which rates of a device's variant are known: its engine and the method, if it has several.

    >>> info = DeviceInfo("cpu/aer", "aer", "1", "cpu", "", "", ("circuit",))
    >>> method_of(info, Variant("fp32", settings={"method": "statevector"}))
    'aer statevector'
    """
    return " ".join(str(part) for part in (info.engine, variant.settings.get("method")) if part)


def shape_of(op: CircuitOp, specs: Specs) -> Shape:
    """What can be told of an op on inputs of these specs without simulating it."""
    work = op.work(specs)
    return Shape(
        features=op.features,
        sets=int(work.features["sets"]),
        shots=op.shots or 0,
        terms=sum(len(observable) for observable in op.observables),
        bonds=op.bonds,
        noisy=isinstance(op, NoisyCircuitOp),
    )


def forecasts(
    op: CircuitOp, specs: Specs, ways: Sequence[tuple[DeviceInfo, Variant]], *, dry_run: bool = True
) -> list[Forecast | None]:
    """The forecast of each way to run an op on inputs of these specs, in their order; None where none is known.

    With ``dry_run`` the diagram is run dry at a twentieth of what the best other way takes, if it is worth that.
    """
    shape = shape_of(op, specs)
    methods = [method_of(info, variant) for info, variant in ways]
    found = [
        _corrected(forecast(method, variant, shape))
        for method, (_, variant) in zip(methods, ways, strict=True)
    ]
    if DIAGRAMS not in methods or not dry_run:
        return found
    others_s = [
        one.first_s
        for one, method in zip(found, methods, strict=True)
        if one is not None and method != DIAGRAMS
    ]
    best_s = min(others_s, default=LONGEST_S)
    if best_s < max(DRY_RUN_FROM_S * shape.sets, DRY_RUN_GATE_S * shape.features.gates / DRY_RUN_BEGIN_SHARE):
        return found
    visits = DRY_RUN_SHARE * best_s / DRY_RUN_VISIT_S
    limit = int(min(max(visits, DRY_RUN_LEAST), DRY_RUN_MOST))
    patience_s = min(max(DRY_RUN_LEAST_S, 2 * DRY_RUN_SHARE * best_s), DRY_RUN_ALONE_S)
    shape = replace(shape, growth=_growth(op, limit, patience_s))
    return [
        forecast(method, variant, shape) if method == DIAGRAMS else one
        for one, method, (_, variant) in zip(found, methods, ways, strict=True)
    ]


def _corrected(told: Forecast | None) -> Forecast | None:
    """The forecast as this machine's own runs correct it: of a certain method, whose ratios say nothing of circuits."""
    if told is None or not told.certain:
        return told
    factor = corrections().factor(told.method)
    return replace(
        told,
        seconds=told.seconds * factor,
        low_s=told.low_s * factor,
        high_s=told.high_s * factor,
        correction=factor,
    )


def forecast_of(op: CircuitOp, specs: Specs, info: DeviceInfo, variant: Variant) -> Forecast | None:
    """The forecast of one way by itself: its diagram is run dry up to a fixed limit."""
    method, shape = method_of(info, variant), shape_of(op, specs)
    if method == DIAGRAMS:
        shape = replace(shape, growth=_growth(op, LIMIT_NODES, DRY_RUN_ALONE_S))
    return forecast(method, variant, shape)


@lru_cache(maxsize=64)
def _growth(op: CircuitOp, limit_nodes: int, patience_s: float) -> Growth | None:
    return dry_growth(op.circuit, limit_nodes, patience_s)


def forecast(method: str, variant: Variant, shape: Shape) -> Forecast | None:
    """What the method is likely to take; None for a method without rates."""
    rate = RATES.get("aer statevector" if method == DENSITY else method)
    if rate is None:
        return None
    law = LAWS[method]
    seconds = _cost(rate.run, law.run(shape), _speedup(method, variant, shape))
    compile_s = _cost(rate.compile, compile_terms(method, shape), 1.0)
    low, high = seconds / rate.spread, seconds * rate.spread
    if method.endswith("matrix_product_state"):
        likely, least = (replace(shape, bonds=one) for one in (shape.bonds.as_likely(), shape.bonds.least()))
        seconds = min(seconds, _cost(rate.run, law.run(likely), _speedup(method, variant, shape)))
        low = min(seconds, _cost(rate.run, law.run(least), 1.0)) / rate.spread
    elif method == DIAGRAMS and not (shape.growth and shape.growth.complete):
        # Between a diagram that stays as it is and one without structure: nothing is known, so the middle of the
        # orders of magnitude.
        high = max(seconds, _cost(rate.run, law.run(replace(shape, growth=_worst(shape))), 1.0))
        seconds = (seconds * high) ** 0.5
    ends = not shape.features.loops  # how often a loop runs, if it ends at all, is not in any count
    return Forecast(
        method=method,
        seconds=min(seconds, LONGEST_S),
        low_s=min(low, LONGEST_S),
        high_s=min(high, LONGEST_S),
        compile_s=compile_s,
        memory_bytes=law.memory(shape, variant),
        certain=law.certain and ends,
        bounded=ends and (law.certain or method.endswith("matrix_product_state")),
        why=law.why(shape),
        worst_bytes=law.memory(
            replace(shape, growth=_worst(shape), bonds=replace(shape.bonds, likely=shape.bonds.ranks)),
            variant,
        ),
    )


def _cost(rates: Mapping[str, float], terms: Mapping[str, float], speedup: float) -> float:
    """The terms that grow with the state are shared among threads; the fixed ones are not."""
    fixed = ("once", "gates", "shots")
    return sum(
        rates.get(name, 0.0) * amount / (1.0 if name in fixed else speedup) for name, amount in terms.items()
    )


def _speedup(method: str, variant: Variant, shape: Shape) -> float:
    wide = method == "aer statevector" and shape.features.qubits >= PARALLEL_QUBITS
    usable = variant.threads if wide or shape.sets > 1 or shape.runs > 1 else 1
    return float((2 * PARALLEL_GAIN) ** (max(usable, 1).bit_length() - 1))


def _worst(shape: Shape) -> Growth:
    """A diagram without any structure: as many nodes as amplitudes, at every gate that is left."""
    gates = shape.features.gates
    known = shape.growth or Growth(0, 0, 0, gates)
    nodes = int(min(shape.amplitudes, 2.0**62))
    left = max(known.gates - known.done, 1)
    return Growth(known.visits + left * nodes, nodes, known.gates, known.gates)
