"""All figures that the documents quote, one benchmark after the other: python benchmarks/run_all.py [FOLDER]

Writes a CSV for each into FOLDER (default: build/figures). Problems with known optima are solved where the environment
variable HETERO_SCHEDULES names a folder of them, and SAGA's schedulers run where HETERO_SAGA names an interpreter that
has anrg-saga.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parent


def commands(folder: Path) -> list[list[str]]:
    """A command line a benchmark, without the interpreter."""
    found = [
        ["demo.py", "--csv", str(folder / "demo.csv")],
        ["ocr.py", "--csv", str(folder / "ocr.csv")],
        ["indexing.py", "--csv", str(folder / "indexing.csv")],
        ["torch_models.py", "--csv", str(folder / "torch_models.csv")],
        ["prediction.py", "--pipelines", "all", "--out", str(folder / "prediction.csv")],
        ["profiling_cost.py", "--out", str(folder / "profiling_cost.csv")],
        ["overhead.py", "--out", str(folder)],
        ["steady_state.py", "--csv", str(folder / "steady_state.csv")],
        ["prefetch.py", "--csv", str(folder / "prefetch.csv")],
        ["side_by_side.py", "--csv", str(folder / "side_by_side.csv")],
        ["micro_batches.py", "--csv", str(folder / "micro_batches.csv")],
        ["soak.py", "--seconds", "60"],
        [
            "schedule_speed.py",
            "--csv",
            str(folder / "schedule_speed.csv"),
            "--plot",
            str(folder / "schedule_speed.svg"),
        ],
        ["schedule_memory.py", "--csv", str(folder / "schedule_memory.csv")],
        ["schedule_limits.py", "--csv", str(folder / "schedule_limits.csv")],
        ["plan_speed.py", "--csv", str(folder / "plan_speed.csv")],
        ["quantum_batches.py", "--csv", str(folder / "quantum_batches.csv")],
        ["quantum_queue.py", "--limit", "10", "--csv", str(folder / "quantum_queue.csv")],
        ["quantum_choice.py", "--csv", str(folder / "quantum_choice.csv")],
        ["ray_overhead.py", "--csv", str(folder / "ray_overhead.csv")],
        ["ray_recovery.py", "--csv", str(folder / "ray_recovery.csv")],
        ["ray_scale.py", "--csv", str(folder / "ray_scale.csv")],
        ["ray_sweep.py", "--csv", str(folder / "ray_sweep.csv")],
    ]
    if os.environ.get("HETERO_SCHEDULES"):
        found.append(["schedule_known.py", "--csv", str(folder / "schedule_known.csv")])
    if os.environ.get("HETERO_SAGA"):
        saga = ["--saga-python", os.environ["HETERO_SAGA"]]
        found.append(["schedule_saga.py", *saga, "--csv", str(folder / "schedule_saga.csv")])
    return found


def main(folder: str = "build/figures") -> int:
    """Run them all, whatever one of them says; 1 where any of them failed."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    failed = []
    for script, *arguments in commands(Path(folder)):
        print(f"\n== {script} {' '.join(arguments)}", flush=True)
        if subprocess.run([sys.executable, str(HOME / script), *arguments]).returncode != 0:
            failed.append(script)
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall benchmarks held what they promise")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
