"""The prior: seconds of an op that was never run, from its FLOP and bytes and an engine's rates.

``seconds = overhead + FLOP / FLOP per second + bytes / bytes per second``. Added rather than the larger of
the two (the classical roofline, doi:10.1145/1498765.1498785): a network is many layers, some bound by
compute, some by memory. It is good to within a factor, so it decides what is worth measuring and never
between two engines.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from hetero.cost import circuits
from hetero.cost.measurement import Row, variant_text
from hetero.device import DeviceInfo, Variant
from hetero.machine import Processor
from hetero.ops.base import Op, Work
from hetero.ops.circuit import CircuitOp
from hetero.values import Specs

__all__ = ["Fits", "Rates", "default_rates", "fit", "fit_key", "prior"]

UNKNOWN_SECONDS, UNKNOWN_SPREAD_S = 1e-3, 10e-3
"""Declared for an op that cannot tell its work (a Python function): some glue code, and it may well be ten
times that."""

_FLOP_PER_CYCLE = (("avx512f", 64), ("avx2", 32), ("asimd", 16), ("neon", 16))
"""Single-precision FLOP of a core in one cycle, by its widest feature: two multiply-adds of that width."""
_CYCLES_PER_S = 3e9
_BYTES_PER_S_CORE, _BYTES_PER_S_CPU = 5e10, 2e11
"""Of the caches rather than of the memory: most of what an operator reads was written just before."""
_GPU_FLOP_PER_S, _GPU_BYTES_PER_S = 5e12, 3e11
_PARALLEL_EFFICIENCY = 0.8
"""Of each doubling of threads: 2 threads are 1.6 times as fast as one."""
_REACHED = {"onnxruntime": 0.7, "openvino": 0.7, "torch": 0.4, "webgpu": 0.2, "reference": 0.4}
_REACHED_BY_OTHERS = 0.2
"""Shares of the peak on PP-OCRv6 with one thread, and a guess for an engine that nobody tried."""
_PRECISION_SPEED = {"fp64": 0.5, "bf16": 1.5, "fp16": 1.5, "int8": 1.5}
"""Guarded: lower precision is often no faster, and slower where the processor lacks the instructions."""
_DEFAULT_SPREAD = 1.0
_FEWEST_ROWS = 4
_LONGEST_S = 1e9
"""A state vector of 100 qubits takes longer than this; what is beyond makes no difference to a schedule."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a device reaches: FLOP/s, bytes/s, the seconds of a call that does nothing, and the relative
    spread of predictions made from these."""

    flops_per_s: float
    bytes_per_s: float
    overhead_s: float
    spread: float

    def seconds(self, work: Work) -> float:
        return self.overhead_s + work.flops / self.flops_per_s + work.nbytes / self.bytes_per_s


Matrix: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Fits: TypeAlias = Mapping[tuple[str, str, str], Rates]
"""Rates by device fingerprint, variant and kind of op."""


def fit_key(info: DeviceInfo, processor: Processor, variant: Variant, kind: str) -> tuple[str, str, str]:
    return info.fingerprint(processor), variant_text(variant), kind


def prior(
    op: Op,
    info: DeviceInfo,
    processor: Processor,
    variant: Variant,
    specs: Specs | None,
    fits: Fits | None = None,
) -> tuple[float, float]:
    """Predicted seconds of one run and their spread (half the interquartile range), nothing having been run.

    ``specs`` None: the inputs are not known either, as inside a branch that no sample took. ``fits`` (see
    ``fit``) go before the defaults where they know the device, the variant and the kind of op.
    """
    work = op.work(specs) if specs is not None else None
    if work is None:
        return UNKNOWN_SECONDS, UNKNOWN_SPREAD_S
    if isinstance(op, CircuitOp) and specs is not None:
        told = circuits.forecast_of(op, specs, info, variant)
        if told is not None:
            return told.seconds, (told.high_s - told.low_s) / 2
    rates = (fits or {}).get(fit_key(info, processor, variant, op.kind)) or default_rates(
        info, processor, variant
    )
    seconds = min(rates.seconds(work), _LONGEST_S)
    return seconds, seconds * rates.spread


def default_rates(info: DeviceInfo, processor: Processor, variant: Variant) -> Rates:
    """Rates guessed from the processor's features and the threads, before anything was measured there.

    Within a factor of two on convolutional models, where the processor's model is known; the spread says so.
    """
    reached = _REACHED.get(info.engine, _REACHED_BY_OTHERS) * _PRECISION_SPEED.get(variant.precision, 1.0)
    if processor.kind == "gpu":
        return Rates(_GPU_FLOP_PER_S * reached, _GPU_BYTES_PER_S, 1e-4, 2 * _DEFAULT_SPREAD)
    flop_per_cycle = next((flop for feature, flop in _FLOP_PER_CYCLE if feature in processor.features), 8)
    threads = max(1, min(variant.threads, processor.cores))
    speedup = (2 * _PARALLEL_EFFICIENCY) ** math.log2(threads)
    return Rates(
        flops_per_s=flop_per_cycle * _CYCLES_PER_S * speedup * reached,
        bytes_per_s=min(_BYTES_PER_S_CORE * threads, _BYTES_PER_S_CPU),
        overhead_s=2e-5,
        spread=_DEFAULT_SPREAD,
    )


def fit(rows: Iterable[Row]) -> dict[tuple[str, str, str], Rates]:
    """Rates of every device, variant and kind of op with at least four measured ops whose work is known.

    The relative error is what is minimised, so that a model of 1 ms counts as much as one of 1 s. The spread
    is the median relative error that is left, doubled for ops never seen, and at least 10%.
    """
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.about.flops is not None and row.about.nbytes is not None and row.measurement.seconds > 0:
            groups[row.key.device, row.key.variant, row.about.kind].append(row)
    return {key: _fit_group(group) for key, group in groups.items() if len(group) >= _FEWEST_ROWS}


def _fit_group(rows: Sequence[Row]) -> Rates:
    seconds = np.array([row.measurement.seconds for row in rows])
    work = np.array([[1.0, row.about.flops or 0.0, row.about.nbytes or 0.0] for row in rows])
    overhead, per_flop, per_byte = non_negative_least_squares(work / seconds[:, None], np.ones(len(rows)))
    left = np.abs(work @ [overhead, per_flop, per_byte] - seconds) / seconds
    return Rates(
        flops_per_s=1 / per_flop if per_flop > 0 else math.inf,
        bytes_per_s=1 / per_byte if per_byte > 0 else math.inf,
        overhead_s=float(overhead),
        spread=max(0.1, 2 * float(np.median(left))),
    )


def non_negative_least_squares(a: Matrix, b: Matrix) -> Matrix:
    """``min ||a x - b||`` over ``x >= 0``, exactly, for a handful of unknowns.

    The optimum is an ordinary least-squares solution on some subset of the unknowns; all subsets are tried.
    SciPy has this function too, and takes a tenth of a second to import.
    """
    columns = a.shape[1]
    scale = np.linalg.norm(a, axis=0)
    scale[scale < 1e-150] = 1.0  # an unknown that nothing depends on
    best, best_left = np.zeros(columns), float(np.linalg.norm(b))
    for size in range(1, columns + 1):
        for subset in map(list, combinations(range(columns), size)):
            x = np.zeros(columns)
            x[subset] = np.linalg.lstsq(a[:, subset] / scale[subset], b, rcond=None)[0] / scale[subset]
            left = float(np.linalg.norm(a @ x - b))
            if (x >= 0).all() and left < best_left:
                best, best_left = x, left
    return best
