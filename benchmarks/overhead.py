"""What the runtime adds to bare calls, in microseconds a node: ``python benchmarks/overhead.py``.

Each line is the best of several blocks; ratios on one machine hold, absolute times do not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any

import numpy as np

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


def main() -> None:
    for length in (1, 10, 100, 1000):
        loop, ours = bare(length), chain(length)
        print(
            f"chain of {length:4}: bare {loop:9.2f} us, hetero {ours:9.2f} us, {(ours - loop) / length:6.3f} us a node"
        )
    trip = queue_round_trip()
    print(f"SimpleQueue round trip between threads {trip:6.1f} us")
    print(f"submit().result(), one lane            {submit():6.1f} us")
    print(f"call over two lanes                    {lanes_call():6.1f} us")
    for nbytes in (8, 10**4, 10**6, 10**7):
        print(f"call in a worker process, {nbytes:8} bytes {worker(nbytes):8.1f} us")


if __name__ == "__main__":
    main()
