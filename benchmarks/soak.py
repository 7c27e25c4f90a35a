"""A mixed load with injected faults, for as long as asked: python benchmarks/soak.py [--seconds 1200] [--seed 6]

Client threads call, submit, stream, cancel and set deadlines, on a pipeline with a node in a worker, one on a
device that fails and disappears, a map, a branch, and inputs that make a node raise. Meanwhile workers die and the
device errs, goes and comes back. Fails where a request is lost, answered twice or wrong, or where memory or open files
grow.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import hetero as ht
from hetero.cost.estimate import Estimate
from hetero.device import Variant
from hetero.errors import DeadlineError, NodeError, OverloadError
from hetero.planning.evidence import Evidence, SeenCall
from hetero.planning.repair import repair
from hetero.plans import CONTROL, Choice, Considered, Plan
from hetero.run import failover
from hetero.run.compile import compile_program
from hetero.run.local import LocalExecutor
from hetero.run.reception import Room
from hetero.run.session import Session
from hetero.values import ObjectSpec

sys.path.append(str(Path(__file__).parent.parent / "tests" / "run"))
from apart import APART, Apart
from plans_by_hand import PYTHON, machine, plan_of
from shaky_device import SHAKY, Shaky

CLIENTS = 4
BAD = 97
"""Every so many-th input makes a node raise."""


@ht.node
def apart(x: int, data: Any) -> Any:
    return 2 * x + int(data.sum())


@ht.node
def shaky(x: int) -> int:
    if x % 97 == 0:
        raise ValueError("this input is bad")
    return x + 1


@ht.node
def square(x: int) -> int:
    return x * x


@ht.node
def is_even(x: int) -> bool:
    return x % 2 == 0


@ht.node
def split(x: int) -> list[int]:
    return list(range(x % 7))


@ht.node
def total(a: int, b: int, squares: list[int], c: int) -> int:
    return a + b + sum(squares) + c


@ht.pipeline
def mixed(x: int, data: Any) -> Any:
    c = ht.branch(is_even(x), lambda: square(x), lambda: shaky(x))
    return total(apart(x, data), shaky(x), ht.map(square, split(x)), c)


def expected(x: int, data: Any) -> int:
    c = x * x if x % 2 == 0 else x + 1
    return 2 * x + int(data.sum()) + x + 1 + sum(i * i for i in range(x % 7)) + c


def plan_of_mixed() -> Plan:
    """The pipeline with each node where it belongs, and Python as the second best for the device that fails."""
    graph = mixed.trace()
    leaves = [path for path, node in graph.walk() if not node.op.subgraphs]
    devices = {path: SHAKY.name if "shaky" in path else PYTHON.name for path in leaves} | {
        "apart": APART.name
    }
    made = plan_of(graph, devices=devices, on=machine(PYTHON, APART, SHAKY), lanes={"map#1": 2})
    anything = ObjectSpec("object", 8)
    options = {
        path: tuple(
            Considered(Choice(device, Variant("native")), Estimate(seconds))
            for device, seconds in ((devices[path], 1e-4), (PYTHON.name, 2e-4))
            if device != PYTHON.name or seconds == 2e-4
        )
        for path in leaves
    }
    calls = {
        path: (SeenCall((anything,) * len(node.op.inputs), (anything,), 1),) for path, node in graph.walk()
    }
    assert CONTROL not in devices.values()
    return replace(
        made,
        options=options,
        evidence=Evidence(1, calls, {"map#1": (3,)}, {"branch#1": (True,)}),
        samples=((2, np.zeros(4)),),
    )


@dataclass
class Book:
    """What became of each request."""

    asked: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    answers: bytearray = field(
        default_factory=lambda: bytearray(1)
    )  # a byte a request: the book must not grow
    lock: threading.Lock = field(default_factory=threading.Lock)
    serial: int = 0

    def next(self) -> tuple[int, Any]:
        with self.lock:
            self.serial += 1
            self.asked += 1
            self.answers.append(0)
            return self.serial, np.full(4096 if self.serial % 5 else 4, self.serial % 3)

    def ended_with(
        self, x: int, data: Any, get: Callable[[], Any], allowed: tuple[type[Exception], ...] = ()
    ) -> None:
        """Note how a request ended; anything but the right answer, or an error that was asked for, is wrong."""
        try:
            found = get()
            how = "answered"
            right = found == expected(x, data) and x % BAD != 0
        except NodeError as error:
            how, right = "raised", x % BAD == 0 and isinstance(error.__cause__, ValueError)
            found = error
        except (CancelledError, *allowed) as error:
            how, right, found = type(error).__name__, True, error
        except Exception as error:  # any other one is a request lost
            how, right, found = type(error).__name__, False, error
        with self.lock:
            self.ended[how] += 1
            self.answers[x] += 1
            if not right:
                self.wrong.append(f"request {x}: {how}: {found}")


def client(session: Session, book: Book, until: float, seed: int) -> None:
    """One caller with changing habits."""
    rng = random.Random(seed)
    while time.monotonic() < until:
        habit = rng.choice((one_call, several, with_deadlines, cancelled, streamed))
        habit(session, book, rng)


def one_call(session: Session, book: Book, rng: random.Random) -> None:
    x, data = book.next()
    book.ended_with(x, data, lambda: session.call((x, data)))


def submitted(session: Session, book: Book, **options: Any) -> tuple[int, Any, Future[Any]] | None:
    """One request; None where there was no room, which is an end of its own."""
    x, data = book.next()
    try:
        return x, data, session.submit((x, data), **options)
    except OverloadError:
        with book.lock:
            book.ended["OverloadError"] += 1
            book.answers[x] += 1
        return None


def several(session: Session, book: Book, rng: random.Random) -> None:
    """More than there is room for, now and then."""
    for request in [submitted(session, book) for _ in range(rng.choice((5, 20, 100)))]:
        if request is not None:
            book.ended_with(request[0], request[1], request[2].result)


def with_deadlines(session: Session, book: Book, rng: random.Random) -> None:
    seconds = rng.choice((0.0005, 0.01, 1.0))
    for request in [submitted(session, book, deadline_s=seconds) for _ in range(10)]:
        if request is not None:
            book.ended_with(request[0], request[1], request[2].result, (DeadlineError,))


def cancelled(session: Session, book: Book, rng: random.Random) -> None:
    for request in [submitted(session, book) for _ in range(10)]:
        if request is not None:
            if rng.random() < 0.5:
                request[2].cancel()
            book.ended_with(request[0], request[1], request[2].result)


def streamed(session: Session, book: Book, rng: random.Random) -> None:
    items = [book.next() for _ in range(20)]
    results = session.stream([ht.args(*item) for item in items], in_flight=4, errors="return")

    def give(result: Any) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    for (x, data), result in zip(items, results, strict=True):
        book.ended_with(x, data, lambda result=result: give(result))  # type: ignore[misc]


def torment(session: Session, device: Shaky, workers: Apart, until: float, seed: int) -> Counter[str]:
    """Kill, break and repair at random, until the time is up; how often each."""
    rng = random.Random(seed)
    done: Counter[str] = Counter()
    while time.monotonic() < until:
        time.sleep(rng.uniform(0.1, 0.8))
        fault = rng.choice(("kill", "err", "go", "come"))
        done[fault] += 1
        if fault == "kill" and (pid := workers.workers[APART.name].pid):
            with suppress(ProcessLookupError):  # it has just ended by itself, of the kill before
                os.kill(pid, signal.SIGKILL)
        elif fault == "err":
            device.failures = rng.choice((1, 2))
        else:
            device.gone = fault == "go"
    device.gone = False
    return done


def watch(until: float) -> list[tuple[float, int]]:
    """Resident megabytes and open files, four times a second."""
    page = os.sysconf("SC_PAGE_SIZE")
    found = []
    while time.monotonic() < until:
        resident = int(Path("/proc/self/statm").read_text("ascii").split()[1]) * page
        found.append((resident / 1e6, len(list(Path("/proc/self/fd").iterdir()))))
        time.sleep(0.25)
    return found


def soak(seconds: float, seed: int = 6) -> list[str]:
    """Run it, print what happened, and return what is wrong with it."""
    device, workers = Shaky(), Apart()

    def open_device(info: Any) -> Any:
        return device if info.engine == SHAKY.engine else workers.open_device(info)

    plan = plan_of_mixed()
    repair(plan, {SHAKY.name})  # loads the solver now, not when memory is watched
    failover.LONGEST_PAUSE_S = 0.5  # the device comes back often here
    book = Book()
    until = time.monotonic() + seconds
    with Session(plan, reopen=lambda p: LocalExecutor(compile_program(p), p.machine, open_device)) as session:
        session.room = Room(requests=200)
        clients = [
            threading.Thread(target=client, args=(session, book, until, seed + i)) for i in range(CLIENTS)
        ]
        faults: list[Counter[str]] = []
        tormentor = threading.Thread(
            target=lambda: faults.append(torment(session, device, workers, until, seed))
        )
        for thread in (*clients, tormentor):
            thread.start()
        sizes = watch(until)
        for thread in (*clients, tormentor):
            thread.join()
        counts, kinds = session.counts, Counter(event.kind for event in session.events)
    workers.close()
    print(f"{book.asked} requests in {seconds:g} s: {dict(book.ended)}")
    print(f"faults: {dict(faults[0])}; latest events: {dict(kinds)}; {counts}")
    return [*verdict(book), *growth(sizes)]


def verdict(book: Book) -> list[str]:
    """Requests that were lost, answered twice or wrong."""
    lost = book.answers[1:].count(0)
    doubled = book.asked - lost - book.answers.count(1)
    found = [f"{lost} requests were lost"] if lost else []
    found += [f"{doubled} requests were answered twice"] if doubled else []
    return found + book.wrong[:10] + ([f"{len(book.wrong)} are wrong in all"] if book.wrong else [])


def growth(sizes: list[tuple[float, int]]) -> list[str]:
    """What grew from the second quarter of the time, when all is warm, to the last one."""
    quarter = max(len(sizes) // 4, 1)
    early, late = sizes[quarter : 2 * quarter] or sizes, sizes[-quarter:]
    memory = [statistics.median(size for size, _ in part) for part in (early, late)]
    files = [statistics.median(number for _, number in part) for part in (early, late)]
    print(f"resident {memory[0]:.1f} -> {memory[1]:.1f} MB, open files {files[0]:.0f} -> {files[1]:.0f}")
    found = [f"memory grew by {memory[1] - memory[0]:.1f} MB"] if memory[1] > 1.05 * memory[0] + 8 else []
    return found + ([f"{files[1] - files[0]:.0f} more files are open"] if files[1] > files[0] + 8 else [])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--seed", type=int, default=6)
    arguments = parser.parse_args()
    logging.getLogger("hetero").setLevel(logging.ERROR)
    wrong = soak(arguments.seconds, arguments.seed)
    print("\n".join(wrong) if wrong else "nothing lost, nothing doubled, nothing wrong, nothing grew")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
