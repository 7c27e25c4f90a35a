"""What the runtime adds to bare calls, in microseconds a node: ``python benchmarks/overhead.py [--out FOLDER]``.

Each line is the best of several blocks; ratios on one machine hold, absolute times do not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any

import numpy as np
from overhead_graphs import SHAPES
from overhead_runtimes import absent, available

import hetero as ht
from hetero.run.session import Session

sys.path.append(str(Path(__file__).parent.parent / "tests" / "run"))
from plans_by_hand import PYTHON, machine, plan_of

BLOCKS = 7


@ht.node
def step(x: Any) -> Any:
    return x


def best_us(run: Callable[[], object], times: int) -> float:
    """Microseconds of one run: the best block."""
    run()
    found = []
    for _ in range(BLOCKS):
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
    """One request over two lanes that meet: two hand-overs there and back."""

    @ht.pipeline
    def pair(x: Any) -> Any:
        return step(x), step(x)

    times = {"step": (0.0, 1.0), "step#2": (0.0, 1.0)}
    with Session(plan_of(pair.trace(), times=times)) as session:
        return best_us(lambda: session.call((1,)), 2000)


def submit() -> float:
    with Session(plan_of(chain_of(1))) as session:
        return best_us(lambda: session.submit((1,)).result(), 2000)


def worker(nbytes: int) -> float:
    on = machine(replace(PYTHON, isolation="process"))
    value = np.zeros(nbytes, np.uint8)
    with Session(plan_of(chain_of(1), on=on)) as session:
        return best_us(lambda: session.call((value,)), 300 if nbytes < 10**6 else 20)


def against_others(largest: int, out: Path | None) -> None:
    """Microseconds that each runtime adds to a node, for graphs of 10 nodes and more; the plot where it is asked."""
    rows: list[tuple[str, str, int, float]] = []
    for shape, make in SHAPES.items():
        for nodes in (n for n in (10, 100, 1_000, 10_000) if n <= largest):
            parents, plain_us = make(nodes), 0.0
            for name, (runtime, most) in available().items():
                if nodes > most:
                    continue
                with runtime(parents) as run:
                    us = best_us(run, max(1, 20_000 // nodes if "ray" not in name else 100 // nodes))
                if name == "plain loop":
                    plain_us = us
                    continue
                rows.append((shape, name, nodes, (us - plain_us) / nodes))
                print(f"{shape:11} {nodes:6} nodes  {name:20} {rows[-1][3]:10.3f} us a node", flush=True)
    for name in absent():
        print(f"not here: {name}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        lines = ["shape,runtime,nodes,us_a_node", *(f"{a},{b},{c},{d:.4f}" for a, b, c, d in rows)]
        (out / "overhead.csv").write_text("\n".join(lines) + "\n", "utf-8")
        plot(rows, out / "overhead.html")


def plot(rows: list[tuple[str, str, int, float]], path: Path) -> None:
    """Overhead against nodes, a panel for each shape of graph, as a page that works offline."""
    from plotly.subplots import make_subplots

    figure = make_subplots(cols=len(SHAPES), shared_yaxes=True, subplot_titles=list(SHAPES))
    colours = ("#2563eb", "#0d9488", "#9333ea", "#d97706", "#dc2626", "#64748b")
    names = list(dict.fromkeys(name for _, name, _, _ in rows))
    for column, shape in enumerate(SHAPES, 1):
        for name, colour in zip(names, colours, strict=False):
            points = [(nodes, max(us, 0.01)) for s, n, nodes, us in rows if (s, n) == (shape, name)]
            figure.add_scatter(
                x=[nodes for nodes, _ in points],
                y=[us for _, us in points],
                name=name,
                line={"color": colour},
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(type="log", title="nodes")
    figure.update_yaxes(type="log", title="us added to a node", col=1)
    figure.write_html(path, include_plotlyjs=True)


def tracing_costs(length: int) -> float:
    """Microseconds that tracing adds to a node."""
    with Session(plan_of(chain_of(length))) as session:
        off = best_us(lambda: session.call((1,)), 20_000 // length)
        session.tracing = True
        on = best_us(lambda: session.call((1,)), 20_000 // length)
    return (on - off) / length


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=10_000, help="most nodes of a graph")
    parser.add_argument("--out", type=Path, help="folder for overhead.csv and overhead.html")
    arguments = parser.parse_args()
    by_itself()
    against_others(arguments.largest, arguments.out)


def by_itself() -> None:
    """The parts of this runtime, one by one."""
    for length in (1, 10, 100, 1000):
        loop, ours = bare(length), chain(length)
        print(
            f"chain of {length:4}: bare {loop:9.2f} us, hetero {ours:9.2f} us, {(ours - loop) / length:6.3f} us a node"
        )
    trip = queue_round_trip()
    print(f"SimpleQueue round trip between threads {trip:6.1f} us")
    print(f"submit().result(), one lane            {submit():6.1f} us")
    print(f"call over two lanes                    {lanes_call():6.1f} us")
    for length in (1, 100):
        print(f"tracing a chain of {length:4}            {tracing_costs(length):7.2f} us a node")
    for nbytes in (8, 10**4, 10**6, 10**7):
        print(f"call in a worker process, {nbytes:8} bytes {worker(nbytes):8.1f} us")


if __name__ == "__main__":
    main()
