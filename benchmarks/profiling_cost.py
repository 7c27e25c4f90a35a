"""How much profiling the prior and quick first measurements save, and whether the same plan comes out.

    python benchmarks/profiling_cost.py [--out FILE.csv] [--seconds S] [NAME ...]

Each ready pipeline is planned twice, each time in a process of its own with an empty profile store: once as `ht.plan`
does it, and once with every way that a device offers measured carefully on every shape (`THOROUGH`), whether or not it
may win. Compared are the seconds spent on measuring (compiling, running, pausing), the measurements taken, and the
plans. Where a node is placed differently, the last column says how much slower the quick plan's nodes are together by
the thorough measurements: ways that are equally fast swap places from one run to the next.

With ``--seconds`` it stops early, and with ``--resume`` it goes on behind what ``--out`` holds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import csv_rows

from hetero.show import seconds, text_table

EFFORTS = ("thorough", "quick")


def measure(name: str, which: str) -> dict[str, Any]:
    """Plan a ready pipeline with an empty store; what it took, what was chosen, what each option takes."""
    from hetero.cost import profile
    from hetero.cost.race import QUICK, THOROUGH
    from hetero.cost.store import ProfileStore
    from hetero.graphs.catalog import ready
    from hetero.limits import Limits
    from hetero.planner import graph_of, usable_machine
    from hetero.planning.decide import decide
    from hetero.planning.measure import measure_here
    from hetero.planning.selection import Selection
    from hetero.plans import Request

    module = ready(name)
    graph, sample = graph_of(module.build()), module.sample()
    selection = Selection.of(None, None)
    spent = 0.0

    def timed(*args: Any, **kwargs: Any) -> Any:
        nonlocal spent
        started = time.perf_counter()
        found = measure_here(*args, **kwargs)
        spent += time.perf_counter() - started
        return found

    profilers: list[profile.Profiler] = []
    made = profile.Profiler.__init__

    def counted(self: profile.Profiler, *args: Any, **kwargs: Any) -> None:
        profilers.append(self)
        made(self, *args, **kwargs)

    profile.Profiler.__init__ = counted  # type: ignore[method-assign]
    # A torch module is exported to ONNX once for all ways: it belongs to neither.
    _export(graph)
    with tempfile.TemporaryDirectory() as folder, ProfileStore(Path(folder) / "profiles.sqlite") as store:
        started = time.perf_counter()
        plan = decide(
            graph,
            usable_machine(None, selection),
            Request("latency", Limits(), selection),
            [tuple(graph.bind(sample, {}))],
            store,
            measure=timed,
            effort=THOROUGH if which == "thorough" else QUICK,
        )
        planning_s = time.perf_counter() - started
        return {
            "measuring_s": spent,
            "planning_s": planning_s,
            "taken": sum(one.taken for one in profilers),
            "choices": {path: str(choice) for path, choice in plan.choices.items()},
            "seconds": {
                path: {str(o.choice): o.estimate.seconds for o in found if o.estimate is not None}
                for path, found in plan.options.items()
            },
        }


def _export(graph: Any) -> None:
    from hetero.backends.models import onnx_form

    for _, node in graph.walk():
        if node.op.kind == "torch":
            onnx_form(node.op)


def compare(name: str) -> dict[str, Any]:
    """Both ways for one pipeline, each in a process of its own."""
    found = {}
    for which in EFFORTS:
        command = [sys.executable, __file__, "--one", name, which]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
        found[which] = json.loads(done.stdout.splitlines()[-1])
    thorough, quick = found["thorough"], found["quick"]
    leaves = [path for path, choice in thorough["choices"].items() if not choice.startswith("control")]
    differ = [path for path in thorough["choices"] if quick["choices"][path] != thorough["choices"][path]]
    known = thorough["seconds"]

    def together(choices: dict[str, str]) -> float:
        return sum(known[path][choices[path]] for path in leaves if choices[path] in known[path])

    return {
        "pipeline": name,
        "thorough_s": thorough["measuring_s"],
        "quick_s": quick["measuring_s"],
        "times": thorough["measuring_s"] / quick["measuring_s"],
        "thorough_taken": thorough["taken"],
        "quick_taken": quick["taken"],
        "differing": " ".join(differ),
        "slower": together(quick["choices"]) / together(thorough["choices"]) - 1,
    }


def _table(rows: list[dict[str, Any]]) -> str:
    return text_table(
        ["pipeline", "everything", "as planned", "times", "measurements", "", "differing", "slower by"],
        [
            [
                row["pipeline"],
                seconds(row["thorough_s"]),
                seconds(row["quick_s"]),
                f"{row['times']:.1f}",
                f"{row['thorough_taken']:.0f}",
                f"{row['quick_taken']:.0f}",
                row["differing"] or "-",
                f"{row['slower']:.1%}",
            ]
            for row in rows
        ],
    )


def main() -> None:
    from hetero.graphs.catalog import NAMES

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--resume", action="store_true", help="go on behind what --out holds")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "EFFORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(*chosen.one)))
        return
    started = time.perf_counter()
    found = csv_rows.read(chosen.out, texts=("pipeline", "differing")) if chosen.resume else []
    done = {row["pipeline"] for row in found}
    wanted = [name for name in chosen.names or NAMES if name not in done]
    while wanted and time.perf_counter() - started < chosen.seconds:
        found.append(compare(wanted.pop(0)))
        csv_rows.write(chosen.out, found)
    print(_table(found))
    times = statistics.geometric_mean(row["times"] for row in found)
    print(f"profiling is {times:.1f} times as quick in geometric mean")
    if wanted:
        print(f"{len(wanted)} left: {' '.join(wanted)}")


if __name__ == "__main__":
    main()
