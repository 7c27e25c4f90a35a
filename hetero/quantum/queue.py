"""A queue of independent circuits as a task graph: which one begins when, on how many cores, and the lanes they run in.

The scheduler that places models (`hetero.schedule`) arranges the queue: each circuit is a task with an option for one
core and one for all. Forecasts are rough, so only the cores are taken from the schedule: the longest circuits go first,
since what begins last decides when all is over, and the next one begins as soon as its cores are free.

A lane is a worker process of its own. (Threads would not do: Qiskit Aer holds the interpreter lock while it simulates.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hetero.machine import Machine
from hetero.ops.circuit import CircuitOp
from hetero.quantum.ways import inputs_of, ways_of
from hetero.quantum.workers import lanes_ready, open_lanes
from hetero.schedule import Option, Problem, Processor, Task, solve
from hetero.values import specs_of

__all__ = ["Turn", "arranged", "queued", "run_turns", "with_cores"]

WORTH_S, COLD_S = 0.5, 10.0
"""A queue that is forecast to take less runs one after the other; so does one up to the second number where the lanes'
processes have yet to be started, which takes two to three seconds."""

SOLVE_SHARE, SOLVE_MOST_S = 0.02, 0.2
"""What arranging may take, of the forecast and at most."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Circuit number ``index`` of the queue, on so many cores."""

    index: int
    cores: int


@cache
def with_cores(machine: Machine, cores: int) -> Machine:
    """The machine whose devices use so many threads at most."""
    devices = tuple(replace(info, max_threads=min(info.max_threads, cores)) for info in machine.devices)
    return replace(machine, devices=devices)


def queued(work: Sequence[Sequence[tuple[CircuitOp, Any]]], machine: Machine) -> tuple[tuple[Turn, ...], int]:
    """The turns of a queue, the first ones first, and its cores; no turns where one after the other is as well.

    ``work``: of each member of the queue the ops that it runs, each with its parameter sets. What no device can run has
    its turn too: it fails when it comes.
    """
    cores = max((info.max_threads for info in machine.devices), default=1)
    if cores < 2 or sum(map(bool, work)) < 2:
        return (), cores
    counts = (1, cores)
    told = [[sum(_seconds(*one, machine, n) for one in member) for n in counts] for member in work]
    total_s = sum(map(min, told))
    lanes = min(cores, len(work))
    if total_s < WORTH_S or (total_s < COLD_S and not lanes_ready(lanes)):
        return (), cores
    open_lanes(machine.devices, lanes)
    return arranged(told, counts, min(SOLVE_SHARE * total_s, SOLVE_MOST_S)), cores


def arranged(seconds: Sequence[Sequence[float]], cores: Sequence[int], budget_s: float) -> tuple[Turn, ...]:
    """The cores of a good schedule, of what each circuit takes on each number of cores, the longest first.

    >>> arranged([[1.0, 0.6], [4.0, 2.5], [3.0, 2.0]], [1, 2], 0.1)[0].index in (1, 2)
    True
    """
    options = [tuple(Option("cpu", s, cores=n) for s, n in zip(row, cores, strict=True)) for row in seconds]
    tasks = tuple(Task(str(index), choice) for index, choice in enumerate(options))
    problem = Problem(processors=(Processor("cpu", max(cores)),), tasks=tasks)
    placed = sorted(solve(problem, budget_seconds=budget_s).tasks, key=lambda one: one.start_s - one.end_s)
    return tuple(Turn(int(one.name), cores[one.option]) for one in placed)


def run_turns(turns: Sequence[Turn], cores: int, run: Callable[[Turn, int], None]) -> None:
    """Have each turn run in a lane when its cores are free, in their order.

    Lanes are numbered from 1; there are as many as cores, but no more than turns.

    Raises:
        BaseException: what the first run raised; no other one is begun then.
    """
    left = list(reversed(turns))
    busy: dict[int, int] = {}  # lane -> cores
    failed: list[BaseException] = []
    changed = threading.Condition()

    def may_go_on() -> bool:
        return bool(failed) or not left or left[-1].cores + sum(busy.values()) <= cores

    def work(lane: int) -> None:
        while True:
            with changed:
                changed.wait_for(may_go_on)
                if failed or not left:
                    return
                turn = left.pop()
                busy[lane] = turn.cores
            try:
                run(turn, lane)
            except BaseException as error:  # it belongs to who asked for the queue
                failed.append(error)
            with changed:
                del busy[lane]
                changed.notify_all()

    threads = [
        threading.Thread(target=work, args=(lane,), name=f"hetero lane {lane}", daemon=True)
        for lane in range(1, min(cores, len(turns)) + 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _seconds(op: CircuitOp, rows: Any, machine: Machine, cores: int) -> float:
    """What the likeliest way takes; a dry run is left to the turn itself."""
    ways = ways_of(op, specs_of(inputs_of(op, rows)), with_cores(machine, cores), dry_run=False).ways
    return min((way.forecast.first_s for way in ways), default=0.0)
