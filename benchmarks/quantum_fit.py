"""Measure every simulation method on families of circuits and fit the rates that the package ships.

    python benchmarks/quantum_fit.py            # measure what the CSV lacks, fit, report
    python benchmarks/quantum_fit.py --write    # and write hetero/cost/circuit_rates.py

Each method runs in a worker process of its own, warm, on one thread; a run over the limit is killed and filed as such.
A fifth of the families, by a hash of their names, is not fitted on: the spreads are told for these as well.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from circuit_families import FAMILIES, held_out, measured
from scipy.optimize import least_squares

from hetero.cost.circuit_laws import Shape, compile_terms, run_terms
from hetero.cost.circuit_rates import RATES
from hetero.cost.circuits import method_of, shape_of
from hetero.device import Device, DeviceInfo, Variant
from hetero.errors import DeviceError, WorkerError
from hetero.isolation import ProcessDevice
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_form import plain
from hetero.ops.circuit_growth import diagram_growth
from hetero.ops.circuit_swaps import without_swaps
from hetero.registry import detect_machine
from hetero.worker_process import WorkerProcess

WIDTHS = (3, 5, 8, 11, 14, 16, 18, 20, 22, 24)
ASKS = ("counts", "expectations")
ENGINES = ("aer", "ddsim", "statevector", "stim")
SHOTS = 1024
FIELDS = ("family", "qubits", "ask", "method", "compile_s", "run_s")
RATES_FILE = Path(__file__).parent.parent / "hetero" / "cost" / "circuit_rates.py"
LOOSE = frozenset(
    (
        "qft",
        "qft-entangled",
        "qpe",
        "ghz",
        "wstate",
        "grover",
        "clifford",
        "clifford-t",
        "iqp",
        "hidden-string",
    )
)
"""Families whose bond dimensions stay far below the bound: matrix product states are fitted on the others."""
CEILING_VISITS = 400_000


@dataclass(frozen=True)
class Row:
    family: str
    qubits: int
    ask: str
    method: str
    compile_s: float
    run_s: float | None
    """None: over the limit, or failed."""

    @property
    def key(self) -> tuple[str, int, str, str]:
        return self.family, self.qubits, self.ask, self.method


def op_of(family: str, qubits: int, ask: str) -> CircuitOp:
    circuit, _ = without_swaps(plain(FAMILIES[family](qubits)))  # as they run: see hetero.rewrite
    if ask == "counts":
        return CircuitOp.from_circuit(measured(circuit), shots=SHOTS, seed=1)
    observables = ["I" * (qubits - 1 - q) + "Z" + "I" * q for q in range(qubits)]
    return CircuitOp.from_circuit(circuit, observables=observables)


def tasks() -> Iterator[tuple[str, int, str]]:
    """Narrow circuits first: an interrupted run has seen every family."""
    for qubits in WIDTHS:
        for family in FAMILIES:
            for ask in ASKS:
                if ask == "counts" or qubits <= 20:
                    yield family, qubits, ask


@cache
def device_of(info: DeviceInfo) -> ProcessDevice:
    return ProcessDevice(info, WorkerProcess(f"fit {info.name}"))


def candidates(op: CircuitOp, infos: list[DeviceInfo]) -> Iterator[tuple[Device, Variant]]:
    for info in infos:
        for variant in device_of(info).variants(op, ()).variants:
            if variant.threads == 1 and variant.precision == "fp64":
                yield device_of(info), variant


def timed(device: Device, op: CircuitOp, variant: Variant, limit_s: float) -> tuple[float, float | None]:
    """Seconds of compiling and of the best of up to three warm runs; None where it takes longer than the limit."""
    try:
        started = time.perf_counter()
        executable = device.compile(op, variant)
        compile_s = time.perf_counter() - started
        best = None
        for _ in range(3):
            started = time.perf_counter()
            executable.start([]).wait(limit_s)
            run_s = time.perf_counter() - started
            best = run_s if best is None else min(best, run_s)
            if run_s > 0.3:
                break
        executable.close()
        return compile_s, best
    except WorkerError:
        return 0.0, None
    except DeviceError as error:
        print(f"  {device.info.name} {variant}: {error}", flush=True)
        return 0.0, None


def measure(path: Path, engines: Sequence[str], limit_s: float, budget_s: float) -> None:
    """Add what the file lacks of these engines, until the budget is spent."""
    known = {row.key for row in read(path)} if path.exists() else set()
    path.parent.mkdir(parents=True, exist_ok=True)
    infos = [info for info in detect_machine().devices if info.engine in engines]
    hopeless: set[tuple[str, str, str]] = set()
    started = time.perf_counter()
    with path.open("a", newline="") as file:
        out = csv.writer(file)
        if not known:
            out.writerow(FIELDS)
        for family, qubits, ask in tasks():
            if time.perf_counter() - started > budget_s:
                print("the budget is spent; run again to go on")
                return
            op = op_of(family, qubits, ask)
            for device, variant in candidates(op, infos):
                method = method_of(device.info, variant)
                key = (family, qubits, ask, method)
                if key in known or (family, ask, method) in hopeless:
                    continue
                compile_s, run_s = timed(device, op, variant, limit_s)
                if run_s is None:
                    hopeless.add((family, ask, method))
                out.writerow([*key, f"{compile_s:.6f}", "" if run_s is None else f"{run_s:.6f}"])
                file.flush()


def read(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return [
            Row(
                r["family"],
                int(r["qubits"]),
                r["ask"],
                r["method"],
                float(r["compile_s"]),
                float(r["run_s"] or "nan"),
            )
            if r["run_s"]
            else Row(r["family"], int(r["qubits"]), r["ask"], r["method"], float(r["compile_s"]), None)
            for r in csv.DictReader(file)
        ]


@cache
def described(family: str, qubits: int, ask: str, diagram: bool) -> Shape:
    op = op_of(family, qubits, ask)
    shape = shape_of(op, ())
    return replace(shape, growth=diagram_growth(op.circuit, CEILING_VISITS)) if diagram else shape


def fit(terms: list[dict[str, float]], seconds: list[float]) -> dict[str, float]:
    """Rates of least error in orders of magnitude, outliers counted less: a busy machine is slower, never faster."""
    names = sorted({name for one in terms for name in one if one[name] > 0})
    table = np.array([[one.get(name, 0.0) for name in names] for one in terms])
    target = np.array(seconds)
    scale = np.median(target) / np.maximum(np.median(table, axis=0), 1e-3) / len(names)

    def off(logarithms: np.ndarray) -> np.ndarray:
        return np.log(table @ (scale * np.exp(logarithms)) / target)

    start = np.full(len(names), -1.0)
    found = least_squares(off, start, loss="soft_l1", f_scale=0.3, bounds=(-30.0, 12.0))
    rates = scale * np.exp(found.x)
    share = (table * rates / (table @ rates)[:, None]).max(0)
    return {name: float(f"{r:.3g}") for name, r, most in zip(names, rates, share, strict=True) if most > 0.01}


def spread(rates: dict[str, float], terms: list[dict[str, float]], seconds: list[float]) -> float:
    """The factor within which nine in ten predictions lie."""
    if not seconds:
        return float("nan")
    predicted = np.array([sum(rates.get(n, 0.0) * amount for n, amount in one.items()) for one in terms])
    return float(np.exp(np.quantile(np.abs(np.log(np.maximum(predicted, 1e-9) / seconds)), 0.9)))


def usable(row: Row) -> bool:
    """Whether a law can know: matrix product states where the bound is tight, diagrams whose dry run ended."""
    if row.run_s is None:
        return False
    if row.method.endswith("matrix_product_state"):
        return row.family not in LOOSE
    if row.method != "ddsim":
        return True
    growth = described(row.family, row.qubits, row.ask, True).growth
    return growth is not None and growth.complete


def fitted(rows: list[Row]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in filter(usable, rows):
        groups[row.method].append(row)
    found: dict[str, dict[str, Any]] = {}
    for method, group in sorted(groups.items()):
        own = [row for row in group if not held_out(row.family)]
        rest = [row for row in group if held_out(row.family)]

        def law(some: list[Row], method: str = method) -> list[dict[str, float]]:
            return [run_terms(method, described(r.family, r.qubits, r.ask, method == "ddsim")) for r in some]

        run = fit(law(own), [float(r.run_s or 0) for r in own])
        building = [
            compile_terms(method, described(r.family, r.qubits, r.ask, method == "ddsim")) for r in own
        ]
        compile_ = fit(building, [max(r.compile_s, 1e-5) for r in own])
        inside = spread(run, law(own), [float(r.run_s or 0) for r in own])
        outside = spread(run, law(rest), [float(r.run_s or 0) for r in rest])
        print(
            f"{method:<26} {len(own):4} fitted, nine in ten within {inside:.2f}x; "
            f"{len(rest):4} held out, within {outside:.2f}x"
        )
        wide = max(inside, 1.2) if np.isnan(outside) else max(inside, outside, 1.2)
        found[method] = {"run": run, "compile": compile_, "spread": float(f"{wide:.2f}")}
    return found


def write(found: dict[str, dict[str, Any]]) -> None:
    """The file of rates anew; those of methods that were not measured stay."""
    shipped = {name: {"run": r.run, "compile": r.compile, "spread": r.spread} for name, r in RATES.items()}
    found = dict(sorted({**shipped, **found}.items()))
    head, _, _ = RATES_FILE.read_text("utf-8").partition("RATES: ")
    lines = ["RATES: Mapping[str, Rate] = {\n"]
    for method, one in found.items():
        lines.append(f'    "{method}": Rate(\n')
        for part in ("run", "compile"):
            entries = ", ".join(f'"{name}": {rate}' for name, rate in one[part].items())
            lines.append(f"        {part}={{{entries}}},\n")
        lines.append(f"        spread={one['spread']},\n    ),\n")
    RATES_FILE.write_text(head + "".join(lines) + "}\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, default=Path("build/figures/quantum_fit.csv"))
    parser.add_argument("--limit", type=float, default=4.0, help="seconds that one run may take")
    parser.add_argument("--budget", type=float, default=900.0, help="seconds of measuring")
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--write", action="store_true", help="write hetero/cost/circuit_rates.py")
    options = parser.parse_args()
    measure(options.csv, options.engines, options.limit, options.budget)
    found = fitted(read(options.csv))
    if options.write:
        write(found)


if __name__ == "__main__":
    main()
