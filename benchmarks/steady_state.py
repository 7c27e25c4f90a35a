"""Whether a million requests leave anything behind: python benchmarks/steady_state.py [--requests 1000000] [--csv FILE]

Requests go by call, submit and stream, through plans of one lane and of two, with a map, and with deadlines. Resident
memory and the objects that the garbage collector knows are printed on the way. Fails where either grew after the first
tenth.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hetero as ht
from hetero.run.session import Session

sys.path.append(str(Path(__file__).parent.parent / "tests" / "run"))
from plans_by_hand import plan_of

IN_FLIGHT = 32
MAY_GROW_BYTES = 2 << 20
MAY_GROW_OBJECTS = 2_000


@ht.node
def double(x: int) -> int:
    return 2 * x


@ht.node
def add(x: int, y: int) -> int:
    return x + y


@ht.pipeline
def pipeline(x: int) -> Any:
    a = double(x)
    return add(a, double(a)), ht.map(double, [a, a])


def by_call(session: Session, count: int) -> None:
    for x in range(count):
        session.call((x,))


def by_submit(session: Session, count: int) -> None:
    flying: deque[Any] = deque()
    for x in range(count):
        flying.append(session.submit((x,)))
        if len(flying) == IN_FLIGHT:
            flying.popleft().result()
    while flying:
        flying.popleft().result()


def by_deadline(session: Session, count: int) -> None:
    for x in range(count // IN_FLIGHT):
        for future in [session.submit((x,), deadline_s=60.0) for _ in range(IN_FLIGHT)]:
            future.result()


def by_stream(session: Session, count: int) -> None:
    for _ in session.stream(range(count), in_flight=IN_FLIGHT):
        pass


WAYS: dict[str, Callable[[Session, int], None]] = {
    "call": by_call,
    "submit": by_submit,
    "submit with deadlines": by_deadline,
    "stream": by_stream,
}
LANES = {"double": (0.0, 1.0), "double#2": (1.0, 2.0), "map#1": (1.0, 2.0), "add": (2.0, 3.0)}


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    rounds = 20
    share = arguments.requests // (rounds * 2 * len(WAYS))
    rows: list[tuple[int, float, int, int]] = []
    started_s = time.monotonic()
    with Session(plan_of(pipeline.trace())) as one, Session(plan_of(pipeline.trace(), times=LANES)) as two:
        for number in range(1, rounds + 1):
            for work in WAYS.values():
                for session in (one, two):
                    work(session, share)
            gc.collect()
            row = (
                number * share * 2 * len(WAYS),
                time.monotonic() - started_s,
                resident_bytes(),
                len(gc.get_objects()),
            )
            rows.append(row)
            print(
                f"{row[0]:9,} requests  {row[1]:7.1f} s  resident {row[2] / 1e6:7.2f} MB  {row[3]:8,} objects",
                flush=True,
            )
    if arguments.csv is not None:
        lines = ["requests,seconds,resident_bytes,objects", *(",".join(map(str, row)) for row in rows)]
        arguments.csv.write_text("\n".join(lines) + "\n", "utf-8")
    early, late = rows[rounds // 10], rows[-1]
    grown, more = late[2] - early[2], late[3] - early[3]
    print(f"from {early[0]:,} to {late[0]:,} requests: {grown / 1e6:+.2f} MB, {more:+,} objects")
    return 1 if grown > MAY_GROW_BYTES or more > MAY_GROW_OBJECTS else 0


if __name__ == "__main__":
    sys.exit(main())
