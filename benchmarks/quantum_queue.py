"""A queue of 90 mixed circuits: hetero's Sampler against every method and Aer's 'automatic', one circuit after another.

    python benchmarks/quantum_queue.py [--limit 30] [--only NAME ...] [--csv FILE]

GHZ, Fourier transforms, random Clifford+T and QAOA of 4 to 24 qubits, 1,024 shots. hetero is handed all of them in one
call, as users of Qiskit's primitives do, and runs them as a task graph on all cores; a single method has all cores for
each circuit. Everyone is warm. A circuit over the limit is killed and scores twice the limit, as in quantum_choice.py.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

import csv_rows
from circuit_families import clifford_and_t, ghz, measured, qaoa, qft_on_entangled, qft_on_ones
from qiskit import QuantumCircuit, qpy
from quantum_choice import METHODS, SHOTS, Process

LEAST_OVER_BEST, LEAST_OVER_AUTOMATIC = 1.5, 5.0
"""hetero's promises."""


def circuits() -> list[tuple[str, QuantumCircuit]]:
    """90 circuits, families and widths mixed, always the same."""
    found = [(f"ghz {n}", ghz(n)) for n in range(4, 25)]
    found += [(f"qft {n}", qft_on_ones(n)) for n in range(4, 25)]
    found += [(f"qft entangled {n}", qft_on_entangled(n)) for n in range(6, 18, 2)]
    found += [(f"clifford+t {n}", clifford_and_t(n)) for n in range(4, 25)]
    found += [(f"qaoa {n}", qaoa(n)) for n in range(4, 25)]
    order = sorted(range(len(found)), key=lambda index: index * 37 % len(found))
    return [(found[index][0], measured(found[index][1])) for index in order]


def hetero(queue: list[QuantumCircuit]) -> float:
    """Seconds of one call of the Sampler with everything, its processes started before."""
    from hetero.cost.dry_run import ready_dry_run
    from hetero.quantum import Sampler
    from hetero.quantum import queue as queue_module
    from hetero.quantum.workers import killable, open_lanes
    from hetero.registry import detect_machine

    sampler = Sampler(seed=1)
    infos = [info for info in detect_machine().devices if "circuit" in info.kinds]
    ready_dry_run()
    open_lanes(infos, max(info.max_threads for info in infos))
    for info in infos:
        killable(info).opened()  # type: ignore[attr-defined]
    # A queue of small circuits in the lanes: what is loaded at a first use is loaded now.
    promised, queue_module.WORTH_S = queue_module.WORTH_S, 0.0
    small = [measured(make(n)) for n in (3, 4, 5, 6) for make in (ghz, qaoa, clifford_and_t)]
    sampler.run(small, shots=SHOTS).result()
    queue_module.WORTH_S = promised
    started = time.perf_counter()
    results = sampler.run(queue, shots=SHOTS).result()
    seconds = time.perf_counter() - started
    for result in results:
        for part in result.metadata["hetero"]["parts"]:
            if part["tried"]:
                print(f"  given up: {part}")
    return seconds


def one_after_another(
    name: str, queue: list[tuple[str, QuantumCircuit]], limit_s: float
) -> tuple[float, int]:
    """The total of a contestant of quantum_choice.py, and how many circuits it did not solve."""
    process, total, unsolved = Process(name, repeats=1), 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "circuit.qpy")
        for label, circuit in queue:
            buffer = io.BytesIO()
            qpy.dump(circuit, buffer)
            path.write_bytes(buffer.getvalue())
            found = process.seconds(path, limit_s)
            if isinstance(found, str):
                unsolved += 1
                print(f"  {name}: {label}: {found}")
            total += 2 * limit_s if isinstance(found, str) else found
    process.close()
    return total, unsolved


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [
        "hetero",
        "automatic",
        *(m for m in METHODS if m not in ("aer stabilizer", "stim", "statevector")),
    ]
    parser.add_argument("--only", nargs="+", default=names, choices=names)
    parser.add_argument("--limit", type=float, default=30.0, help="seconds that one circuit may take")
    parser.add_argument("--csv", type=Path, default=Path("build/figures/quantum_queue.csv"))
    options = parser.parse_args()
    queue = circuits()
    total: dict[str, tuple[float, int]] = {}
    for name in options.only:
        if name == "hetero":
            total[name] = hetero([circuit for _, circuit in queue]), 0
        else:
            total[name] = one_after_another(name, queue, options.limit)
        print(f"{name:<26} {total[name][0]:8.2f} s, {total[name][1]} not solved", flush=True)
    table = [
        {"contestant": name, "seconds": f"{seconds:.3f}", "not_solved": unsolved}
        for name, (seconds, unsolved) in total.items()
    ]
    csv_rows.write(options.csv, table)
    if set(total) != set(names):
        return 0
    best = min(seconds for name, (seconds, _) in total.items() if name in METHODS)
    over_best, over_automatic = (one / total["hetero"][0] for one in (best, total["automatic"][0]))
    print(f"over the best single method {over_best:.2f}x, promised {LEAST_OVER_BEST}x")
    print(f"over Aer's automatic {over_automatic:.2f}x, promised {LEAST_OVER_AUTOMATIC}x")
    return 0 if over_best >= LEAST_OVER_BEST and over_automatic >= LEAST_OVER_AUTOMATIC else 1


if __name__ == "__main__":
    sys.exit(main())
