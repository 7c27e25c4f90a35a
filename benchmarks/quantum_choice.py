"""Which simulator for which circuit: hetero's choice against every method alone, Aer's 'automatic', and the oracle.

    python benchmarks/quantum_choice.py                                   # a subset, ten minutes
    python benchmarks/quantum_choice.py --widths 5 8 12 16 20 24 28 --limit 30 --budget 1e9       # everything

Circuits are MQT Bench's, target-independent, of every family that builds (pip install mqt.bench), or those of
circuit_families.py where it is not installed. Each contestant lives in a process of its own, warm, and is handed the
circuit as a user has it: translating, choosing and reducing count. A run over the limit is killed and scores twice the
limit. The CSV is resumable: what it has is not measured again. The oracle is the best single method of each circuit.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select
from typing import Any

from circuit_families import FAMILIES, held_out, measured
from qiskit import QuantumCircuit, qpy

METHODS = ("aer statevector", "aer matrix_product_state", "aer stabilizer", "stim", "ddsim", "statevector")
CONTESTANTS = ("hetero", "automatic", *METHODS)
SHOTS = 1024
FIELDS = ("family", "qubits", "contestant", "seconds")
START_S = 60.0
SHORT_S, REPEATS = 0.5, 3
"""A run shorter than this is repeated, and the best counts: the machine may be busy with something else."""
SLACK, SLACK_S = 1.25, 0.020
"""On no circuit should hetero be slower than so many times 'automatic', and so many seconds."""


# One contestant, in its own process: a line in names a QPY file, a line out says seconds or what was wrong.


def automatic() -> Callable[[QuantumCircuit, int], Any]:
    """As Qiskit's documentation does it."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator

    simulator = AerSimulator()
    return lambda circuit, seed: (
        simulator.run(transpile(circuit, simulator), shots=SHOTS, seed_simulator=seed).result().get_counts()
    )


def hetero() -> Callable[[QuantumCircuit, int], Any]:
    from hetero.quantum import Sampler

    return lambda circuit, seed: Sampler(seed=seed).run([circuit], shots=SHOTS).result()[0]


def directly(method: str) -> Callable[[QuantumCircuit, int], Any]:
    """A method of Aer's, whatever hetero thinks of it."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(method=method)

    def run(circuit: QuantumCircuit, seed: int) -> Any:
        result = simulator.run(transpile(circuit, simulator), shots=SHOTS, seed_simulator=seed).result()
        if not result.success:
            raise ValueError(str(result.status))
        return result.get_counts()

    return run


def single(method: str) -> Callable[[QuantumCircuit, int], Any]:
    """One device and method of hetero's, given every circuit."""
    from hetero.cost.circuits import method_of
    from hetero.ops.circuit import CircuitOp
    from hetero.registry import detect_machine, open_here

    (info,) = (i for i in detect_machine().devices if i.engine == method.split()[0])
    device = open_here(info)

    def run(circuit: QuantumCircuit, seed: int) -> Any:
        op = CircuitOp.from_circuit(circuit, shots=SHOTS, seed=seed)
        offers = [
            v
            for v in device.variants(op, ()).variants
            if method_of(info, v) == method and v.precision == "fp64"
        ]
        if (
            not offers and info.engine == "aer"
        ):  # hetero would never choose it here, which is no fault of the method's
            return directly(method.split()[1])(circuit, seed)
        if not offers:
            raise ValueError(f"{method} does not take it")
        executable = device.compile(op, max(offers, key=lambda v: v.threads))
        try:
            return executable.start([]).wait()
        finally:
            executable.close()

    return run


def contestant(name: str, repeats: int) -> None:
    """Serve one contestant on standard input and output."""
    run = {"hetero": hetero, "automatic": automatic}.get(name, lambda: single(name))()
    warm = QuantumCircuit(2)
    warm.h(0)
    warm.cx(0, 1)
    warm.measure_all()
    for seed in range(3):
        run(warm, seed)
    if name == "hetero":
        from hetero.quantum.workers import killable
        from hetero.registry import detect_machine

        for info in detect_machine().devices:
            if info.engine in ("aer", "ddsim"):
                killable(info).opened()  # type: ignore[attr-defined]
    print(json.dumps("ready"), flush=True)
    for serial, line in enumerate(sys.stdin):
        with Path(line.strip()).open("rb") as file:
            (circuit,) = qpy.load(file)
        best = math.inf
        try:
            for attempt in range(repeats):
                started = time.perf_counter()
                run(circuit, 10 + serial * repeats + attempt)
                best = min(best, time.perf_counter() - started)
                if best > SHORT_S:
                    break
            print(json.dumps(best), flush=True)
        except Exception as error:  # a contestant that fails scores as one that never ends
            print(json.dumps(f"{type(error).__name__}: {str(error)[:100]}"), flush=True)


class Process:
    """A contestant's process, started again after it was killed."""

    def __init__(self, name: str, repeats: int = REPEATS) -> None:
        self.name, self.repeats = name, repeats
        self._process: subprocess.Popen[str] | None = None

    def seconds(self, path: Path, limit_s: float) -> float | str:
        """Of one circuit, or why there are none."""
        if self._process is None:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-W",
                    "ignore",
                    __file__,
                    "--contestant",
                    self.name,
                    "--repeats",
                    str(self.repeats),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._answer(START_S)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return self._answer(limit_s + SHORT_S * self.repeats)

    def _answer(self, limit_s: float) -> float | str:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select([self._process.stdout], [], [], limit_s)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.close()
            return "over the limit" if not ready else "crashed"
        found: float | str = json.loads(line)
        return found

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


# The benchmark.


def circuits(widths: list[int], wanted: list[str] | None) -> Iterator[tuple[str, int, QuantumCircuit]]:
    """(family, width, circuit with measurements), narrow ones first; of the wanted families, or of all."""
    try:
        from mqt.bench import BenchmarkLevel, get_benchmark
        from mqt.bench.benchmarks import get_available_benchmark_names
    except ImportError:
        print("mqt.bench is not installed: circuits of circuit_families.py instead")
        for width in widths:
            for family, make in FAMILIES.items():
                if wanted and family not in wanted:
                    continue
                yield family, width, measured(make(width))
        return
    for width in widths:
        for family in get_available_benchmark_names():
            if wanted and family not in wanted:
                continue
            try:
                circuit = get_benchmark(family, BenchmarkLevel.INDEP, width)
            except (ValueError, AssertionError) as error:
                print(f"{family} {width}: not built: {str(error)[:80]}")
                continue
            yield family, width, circuit if circuit.num_clbits else measured(circuit)


def measure(path: Path, options: argparse.Namespace) -> None:
    known = {(r["family"], int(r["qubits"]), r["contestant"]) for r in rows(path)} if path.exists() else set()
    path.parent.mkdir(parents=True, exist_ok=True)
    processes = {name: Process(name) for name in CONTESTANTS}
    started = time.perf_counter()
    hopeless: set[tuple[str, str]] = set()
    with path.open("a", newline="") as file:
        out = csv.writer(file)
        if not known:
            out.writerow(FIELDS)
        for family, qubits, circuit in circuits(options.widths, options.families):
            buffer = io.BytesIO()
            qpy.dump(circuit, buffer)
            handed = path.with_suffix(".qpy")
            handed.write_bytes(buffer.getvalue())
            for name, process in processes.items():
                if (family, qubits, name) in known:
                    continue
                if time.perf_counter() - started > options.budget:
                    print("the budget is spent; run again to go on")
                    for one in processes.values():
                        one.close()
                    return
                found: float | str = "slower than the limit on a narrower one"
                if (family, name) not in hopeless:
                    found = process.seconds(handed, options.limit)
                if isinstance(found, str):
                    if found == "over the limit" and name in METHODS:
                        hopeless.add((family, name))
                    print(f"{family} {qubits} {name}: {found}", flush=True)
                seconds = (
                    found if not isinstance(found, str) and found <= options.limit else 2 * options.limit
                )
                out.writerow((family, qubits, name, f"{seconds:.6f}"))
                file.flush()
    for process in processes.values():
        process.close()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def report(path: Path) -> bool:
    """Print the scores; whether hetero holds what it promises against 'automatic'."""
    table: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for row in rows(path):
        table[row["family"], int(row["qubits"])][row["contestant"]] = float(row["seconds"])
    table = {key: times for key, times in table.items() if len(times) == len(CONTESTANTS)}
    for title, keep in (("all families", lambda f: True), ("families never fitted on", held_out)):
        chosen = {key: times for key, times in table.items() if keep(key[0])}
        if not chosen:
            continue
        total = {name: sum(times[name] for times in chosen.values()) for name in CONTESTANTS}
        oracle = sum(min(times[name] for name in METHODS) for times in chosen.values())
        print(f"\n{title}: {len(chosen)} circuits")
        for name, seconds in sorted(total.items(), key=lambda item: item[1]):
            print(f"  {name:<26} {seconds:10.2f} s  {seconds / oracle:8.2f} x the oracle")
        print(f"  {'oracle (best of each)':<26} {oracle:10.2f} s")
        print(f"  automatic / hetero: {total['automatic'] / total['hetero']:.1f}")
    slower = sorted(
        (
            (times["hetero"] / (SLACK * times["automatic"] + SLACK_S), key, times)
            for key, times in table.items()
        ),
        key=lambda item: -item[0],
    )
    over = [one for one in slower if one[0] > 1]
    print(f"\nslower than {SLACK} x automatic + {SLACK_S * 1e3:.0f} ms: {len(over)} of {len(table)}")
    for _, (family, qubits), times in over[:10]:
        best = min(METHODS, key=lambda name: times[name])
        print(
            f"  {family} {qubits}: hetero {times['hetero']:.3f} s, automatic {times['automatic']:.3f} s, "
            f"best {best} {times[best]:.3f} s"
        )
    return not over


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, default=Path("build/figures/quantum_choice.csv"))
    parser.add_argument("--widths", type=int, nargs="+", default=[5, 12, 20])
    parser.add_argument("--families", nargs="+", help="of these only")
    parser.add_argument("--limit", type=float, default=8.0, help="seconds that one circuit may take")
    parser.add_argument("--budget", type=float, default=600.0, help="seconds of measuring")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=REPEATS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        contestant(options.contestant, options.repeats)
        return 0
    measure(options.csv, options)
    return 0 if report(options.csv) else 1


if __name__ == "__main__":
    sys.exit(main())
