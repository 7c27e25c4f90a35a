"""What the runtime adds to bare calls, in microseconds: ``python benchmarks/overhead.py [--largest N] [--out FOLDER]``.

First its parts beside what they may cost, then whole graphs in several runtimes. Each figure is the best of several
blocks; ratios on one machine hold, absolute times do not. Runtimes that are not installed are named and left out: with
``pip install dask``, Ray from ``hetero[ray]``, and StarPU's library with a C compiler, all of them run. With
``--seconds`` it stops early, and with ``--resume`` it goes on behind what the folder holds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any, TypeAlias

import csv_rows
import log_plot
import numpy as np
from overhead_graphs import SHAPES, Parents
from overhead_runtimes import absent, available

import hetero as ht
from hetero.run.session import Session

sys.path.append(str(Path(__file__).parent.parent / "tests" / "run"))
from plans_by_hand import PYTHON, machine, plan_of

BLOCKS = 7
PLAIN = "plain loop"
Row: TypeAlias = dict[str, Any]
LONGEST_S = 5.0
"""No further block is begun after so long: tasks of milliseconds, ten thousand at a time, are told by one."""


@ht.node
def step(x: Any) -> Any:
    return x


def best_us(run: Callable[[], object], times: int) -> float:
    """Microseconds of one run: the best block."""
    run()
    found: list[float] = []
    begun = perf_counter()
    while not found or (len(found) < BLOCKS and perf_counter() - begun < LONGEST_S):
        start = perf_counter()
        for _ in range(times):
            run()
        found.append((perf_counter() - start) / times)
    return min(found) * 1e6


def chain_of(length: int) -> Any:
    @ht.pipeline
    def chain(x: Any) -> Any:
        for _ in range(length):
            x = step(x)
        return x

    return chain.trace()


def bare(length: int) -> float:
    """The same calls in a Python loop, of what the device runs: a function from inputs to a tuple of outputs."""
    run = next(iter(chain_of(1))).op.load()

    def loop() -> Any:
        x: Any = 1
        for _ in range(length):
            (x,) = run(x)
        return x

    return best_us(loop, 200_000 // length)


def chain(length: int) -> float:
    with Session(plan_of(chain_of(length))) as session:
        return best_us(lambda: session.call((1,)), 200_000 // length)


def queue_round_trip() -> float:
    there: SimpleQueue[Any] = SimpleQueue()
    back: SimpleQueue[Any] = SimpleQueue()

    def echo() -> None:
        while (item := there.get()) is not None:
            back.put(item)

    thread = Thread(target=echo)
    thread.start()

    def once() -> None:
        there.put(1)
        back.get()

    found = best_us(once, 2000)
    there.put(None)
    thread.join()
    return found


def lanes_call() -> float:
    """One request over two lanes that meet; its caller runs one, and the other one too where no thread has begun."""

    @ht.pipeline
    def pair(x: Any) -> Any:
        return step(x), step(x)

    times = {"step": (0.0, 1.0), "step#2": (0.0, 1.0)}
    with Session(plan_of(pair.trace(), times=times)) as session:
        return best_us(lambda: session.call((1,)), 2000)


def submit() -> float:
    """A request and its answer, whose caller waits for it and so may be given the work."""
    with Session(plan_of(chain_of(1))) as session:
        return best_us(lambda: session.submit((1,)).result(), 2000)


def handed_over() -> float:
    """The same where the caller cannot do it: there to a thread, and back by a callback."""
    back: SimpleQueue[Any] = SimpleQueue()
    with Session(plan_of(chain_of(1))) as session:

        def once() -> None:
            session.submit((1,)).add_done_callback(back.put)
            back.get()

        return best_us(once, 2000)


def pool_round_trip() -> float:
    with ThreadPoolExecutor(1) as pool:
        return best_us(lambda: pool.submit(step, 1).result(), 2000)


def worker(nbytes: int) -> float:
    on = machine(replace(PYTHON, isolation="process"))
    value = np.zeros(nbytes, np.uint8)
    with Session(plan_of(chain_of(1), on=on)) as session:
        return best_us(lambda: session.call((value,)), 300 if nbytes < 10**6 else 20)


def echo(there: Any, name: str, nbytes: int) -> None:
    """The other side of ``copied_by_hand``: take the bytes out of the shared memory and put them back."""
    memory = SharedMemory(name)
    shared = np.frombuffer(memory.buf, np.uint8, nbytes)
    while there.recv_bytes() == b"go":
        value = shared.copy()
        np.copyto(shared, value)
        there.send_bytes(b"done")
    del shared  # a mapping that an array refers to cannot be closed
    memory.close()


def copied_by_hand(nbytes: int) -> float:
    """Two processes that copy a value to and fro through shared memory and do nothing else."""
    here, there = get_context("spawn").Pipe()
    memory = SharedMemory(create=True, size=max(nbytes, 1))
    process = get_context("spawn").Process(target=echo, args=(there, memory.name, nbytes), daemon=True)
    process.start()
    found = to_and_fro(here, memory, nbytes)
    here.send_bytes(b"end")
    process.join()
    memory.close()
    memory.unlink()
    return found


def to_and_fro(here: Any, memory: SharedMemory, nbytes: int) -> float:
    """A function of its own, since a mapping that an array refers to cannot be closed."""
    value, shared = np.zeros(nbytes, np.uint8), np.frombuffer(memory.buf, np.uint8, nbytes)

    def once() -> None:
        np.copyto(shared, value)
        here.send_bytes(b"go")
        here.recv_bytes()
        shared.copy()

    return best_us(once, 300 if nbytes < 10**6 else 20)


def against_others(largest: int, out: Path, rows: list[Row], until_s: float) -> bool:
    """Microseconds that each runtime adds to a node, for graphs of 10 nodes and more: a table and a plot. ``rows`` are
    known already; False where the time was up before all were measured."""
    known = {(row["shape"], row["runtime"], row["nodes"]) for row in rows}
    for nodes in (n for n in (10, 100, 1_000, 10_000) if n <= largest):
        for shape, make in SHAPES.items():
            wanted = [name for name in available() if (shape, name, nodes) not in known]
            if not wanted or wanted == [PLAIN]:
                continue
            if perf_counter() > until_s:
                return False
            rows += measured(shape, make(nodes), wanted)
            csv_rows.write(out / "overhead.csv", rows)
    for name in absent():
        print(f"not here: {name}")
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {shape: {} for shape in SHAPES}
    for row in rows:  # what is below the noise of the clock is drawn at 0.01
        panels[row["shape"]].setdefault(row["runtime"], []).append(
            (row["nodes"], max(row["us_a_node"], 0.01))
        )
    source = "python benchmarks/overhead.py"
    log_plot.save(out / "overhead.svg", panels, "nodes", "us added to a node", source)
    return True


def measured(shape: str, parents: Parents, names: list[str]) -> list[Row]:
    """What these runtimes add to a node of one graph."""
    nodes = len(parents)

    def graph_us(name: str) -> float:
        with available()[name](parents) as run:
            return best_us(run, max(1, 20_000 // nodes if "ray" not in name else 100 // nodes))

    rows, plain_us = [], graph_us(PLAIN)
    for name in names:
        if name != PLAIN:
            us = (graph_us(name) - plain_us) / nodes
            rows.append({"shape": shape, "runtime": name, "nodes": nodes, "us_a_node": us})
            print(f"{shape:11} {nodes:6} nodes  {name:20} {us:10.3f} us a node", flush=True)
    return rows


def tracing_costs(length: int) -> float:
    """Microseconds that tracing adds to a node."""
    with Session(plan_of(chain_of(length))) as session:
        off = best_us(lambda: session.call((1,)), 20_000 // length)
        session.tracing = True
        on = best_us(lambda: session.call((1,)), 20_000 // length)
    return (on - off) / length


def by_itself(out: Path) -> None:
    """The parts of this runtime, one by one, each beside what it may cost."""
    rows: list[tuple[str, float, float]] = []

    def row(what: str, us: float, may_us: float = float("inf")) -> None:
        rows.append((what, us, may_us))
        limit = "" if may_us == float("inf") else f"  of at most {may_us:8.2f}"
        print(f"{what:55} {us:9.2f} us{limit}", flush=True)

    for length in (1, 10, 100, 1000):
        loop, ours = bare(length), chain(length)
        row(f"chain of {length}, a bare call of each", loop)
        row(f"chain of {length}, a plan of them", ours)
        if length >= 100:
            row(f"chain of {length}, added to a node", (ours - loop) / length, 0.05)
    trip = queue_round_trip()
    row("SimpleQueue, there and back between two threads", trip)
    row("ThreadPoolExecutor, submit().result()", pool_round_trip())
    row("plan.submit().result()", submit(), 1.3 * trip)
    row("plan(x) over two lanes", lanes_call(), 1.3 * trip)
    row("plan.submit() with an answer by callback", handed_over())
    for length in (1, 100):
        row(f"tracing on, chain of {length}, added to a node", tracing_costs(length), 2.0)
    nothing = copied_by_hand(8)
    for nbytes in (8, 10**4, 10**6, 10**7):
        by_hand = copied_by_hand(nbytes)
        row(f"shared memory between two processes, {nbytes:,} bytes", by_hand)
        row(f"a call in a worker process, {nbytes:,} bytes", worker(nbytes), 150 + by_hand - nothing)
    csv_rows.write(
        out / "overhead_parts.csv", [{"what": what, "us": us, "at_most_us": may} for what, us, may in rows]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--largest", type=int, default=10_000, help="most nodes of a graph; 0: the parts only"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/figures"), help="folder for the CSV files and overhead.svg"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--resume", action="store_true", help="go on behind what --out holds")
    arguments = parser.parse_args()
    until_s = perf_counter() + arguments.seconds
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    if arguments.resume:
        rows = csv_rows.read(arguments.out / "overhead.csv", texts=("shape", "runtime"))
    else:
        by_itself(arguments.out)
    if arguments.largest and not against_others(arguments.largest, arguments.out, rows, until_s):
        print("the time is up: go on with --resume")


if __name__ == "__main__":
    main()
