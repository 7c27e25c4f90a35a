"""Local search on a list of tasks and their options, compiled: the inner loop of `hetero.schedule.moldable`.

A list and a choice of options stand for the schedule in which each task in turn starts as early as its data and enough
free cores allow, in gaps too (the serial schedule generation scheme: R. Kolisch, "Serial and parallel
resource-constrained project scheduling methods revisited", EJOR 90, 1996,
https://doi.org/10.1016/0377-2217(95)00357-6). A move gives a task of a critical path another option, or puts it or what
it waits for elsewhere in the list. It is accepted by the value some moves ago (E. Burke, Y. Bykov, "The late acceptance
hill-climbing heuristic", EJOR 258, 2017, https://doi.org/10.1016/j.ejor.2016.07.012).

This module imports Numba at its top; import it only where a search is to be run. It is one file for the reason given in
`hetero.schedule.tabu_kernel`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from hetero.schedule.arrays import Floats, Ints

__all__ = ["Given", "State", "search"]

RANDOM, ITERATION, IMPROVED, REMEMBERED, PATH = range(5)  # of State.counters
MEAN_END_WEIGHT = 0.05
"""Of the mean end beside the makespan: schedules as long as each other are told apart by it."""


class Given(NamedTuple):
    """What does not change: k options, p processors, both directions of the edges as contiguous rows."""

    first: Ints
    processor: Ints
    seconds: Floats
    cores: Ints
    in_first: Ints
    in_task: Ints
    in_bytes: Floats
    out_first: Ints
    out_task: Ints
    latency: Floats
    rate: Floats
    capacity: Ints
    memory: Floats
    key: Ints
    key_processor: Ints
    memory_capacity: Floats
    sums: Floats  # 3 x k: joules, dollars, error
    sum_limits: Floats  # 3, then the limit on memory in all
    limited: bool


class State(NamedTuple):
    """The schedule at hand (row 0), the one that is tried (row 1), the best (row 2), and scratch space."""

    option: Ints  # 3 x n, as are the next two
    order: Ints
    start: Floats
    position: Ints
    path: Ints
    history: Floats
    values: Floats  # of the schedule at hand, and the best makespan
    counters: Ints
    moments: Floats  # p x 2n + 2, as is the next: cores in use from each moment to the next
    used: Ints
    steps: Ints  # p
    held: Floats  # p
    key_bytes: Floats


@njit(cache=True)
def _random(state: State, below: int) -> int:
    """A number from 0 to below - 1 (a 31-bit linear congruence, so that runs repeat everywhere)."""
    state.counters[RANDOM] = (state.counters[RANDOM] * 1103515245 + 12345) & 0x7FFFFFFF
    number: int = (state.counters[RANDOM] >> 8) % below
    return number


@njit(cache=True, inline="always")
def _transfer(given: Given, nbytes: float, here: int, there: int) -> float:
    if here == there or nbytes == 0.0:
        return 0.0
    delay: float = given.latency[here, there] + nbytes / given.rate[here, there]
    return delay


@njit(cache=True)
def _cut(state: State, place: int, moment: float) -> int:
    """The number of the step of a processor that begins at `moment`, which is split off if there is none."""
    moments, used = state.moments[place], state.used[place]
    count = state.steps[place]
    step = int(np.searchsorted(moments[:count], moment))
    if moments[step] == moment:
        return step
    for number in range(count, step, -1):
        moments[number], used[number] = moments[number - 1], used[number - 1]
    moments[step], used[step] = moment, used[step - 1]
    state.steps[place] = count + 1
    return step


@njit(cache=True)
def _reserve(given: Given, state: State, ready: float, option: int) -> float:
    """Take an option's cores as early as they are free from `ready` on; the start."""
    place, seconds = given.processor[option], given.seconds[option]
    if seconds == 0.0:
        return ready
    moments, used = state.moments[place], state.used[place]
    free = given.capacity[place] - given.cores[option]
    step = int(np.searchsorted(moments[: state.steps[place]], ready, side="right")) - 1
    start = ready
    while True:
        if used[step] > free:
            start = moments[step + 1]
        elif moments[step + 1] >= start + seconds:
            break
        step += 1
    end = start + seconds
    if end > start:
        begin = _cut(state, place, start)
        for step in range(begin, _cut(state, place, end)):
            used[step] += given.cores[option]
    return start


@njit(cache=True)
def _decode(given: Given, state: State, row: int, most: float) -> float:
    """Start the tasks of a row in its order; the row's value, infinite once its makespan exceeds `most`."""
    option, order, start = state.option[row], state.order[row], state.start[row]
    state.steps[:] = 2
    state.moments[:, 0], state.moments[:, 1] = 0.0, np.inf
    state.used[:, 0] = 0
    makespan, total = 0.0, 0.0
    for task in order:
        chosen = option[task]
        ready = 0.0
        for edge in range(given.in_first[task], given.in_first[task + 1]):
            source = given.in_task[edge]
            before = option[source]
            way = _transfer(given, given.in_bytes[edge], given.processor[before], given.processor[chosen])
            ready = max(ready, start[source] + given.seconds[before] + way)
        if ready > most:
            return np.inf
        start[task] = _reserve(given, state, ready, chosen)
        end = start[task] + given.seconds[chosen]
        if end > most:
            return np.inf
        makespan = max(makespan, end)
        total += end
    value: float = makespan + MEAN_END_WEIGHT * total / len(order)
    return value


@njit(cache=True)
def _makespan(given: Given, state: State, row: int) -> float:
    makespan = 0.0
    for task in range(len(state.position)):
        makespan = max(makespan, state.start[row, task] + given.seconds[state.option[row, task]])
    return makespan


@njit(cache=True)
def _keeps_limits(given: Given, state: State, row: int) -> bool:
    """Whether a row's options keep the processors' memory and the limited sums."""
    state.held[:] = 0.0
    state.key_bytes[:] = 0.0
    option = state.option[row]
    for chosen in option:
        key = given.key[chosen]
        if key < 0:
            state.held[given.processor[chosen]] += given.memory[chosen]
        else:
            state.key_bytes[key] = max(state.key_bytes[key], given.memory[chosen])
    for key in range(len(given.key_processor)):
        state.held[given.key_processor[key]] += state.key_bytes[key]
    if state.held.sum() > given.sum_limits[3]:
        return False
    for place in range(len(state.held)):
        if state.held[place] > given.memory_capacity[place]:
            return False
    for number in range(3):
        taken = 0.0
        for chosen in option:
            taken += given.sums[number, chosen]
        if taken > given.sum_limits[number]:
            return False
    return True


@njit(cache=True)
def _trace(given: Given, state: State) -> None:
    """Write a chain of tasks that each start when the one before lets them to `state.path`, drawn at random."""
    option, start = state.option[0], state.start[0]
    makespan = _makespan(given, state, 0)
    slack = 1e-9 * makespan
    current, seen, count = -1, 0, 0
    for task in range(len(option)):
        if start[task] + given.seconds[option[task]] >= makespan - slack:
            seen += 1
            if _random(state, seen) == 0:
                current = task
    while current >= 0:
        state.path[count] = current
        count += 1
        begin, here = start[current], given.processor[option[current]]
        following, seen = -1, 0
        if begin <= slack or count == len(option):
            break
        for edge in range(given.in_first[current], given.in_first[current + 1]):
            source = given.in_task[edge]
            way = _transfer(given, given.in_bytes[edge], given.processor[option[source]], here)
            if start[source] + given.seconds[option[source]] + way >= begin - slack:
                seen += 1
                if _random(state, seen) == 0:
                    following = source
        for task in range(len(option)):
            own = given.seconds[option[task]]
            if (
                own > 0.0
                and given.processor[option[task]] == here
                and abs(start[task] + own - begin) <= slack
            ):
                seen += 1
                if _random(state, seen) == 0:
                    following = task
        current = following
    state.counters[PATH] = count


@njit(cache=True)
def _shift(given: Given, state: State, task: int, forward: bool) -> bool:
    """Put a task of the tried row elsewhere in the list, between its predecessors and its successors."""
    order, position = state.order[1], state.position
    here = position[task]
    low, high = 0, len(order) - 1
    for edge in range(given.in_first[task], given.in_first[task + 1]):
        low = max(low, position[given.in_task[edge]] + 1)
    for edge in range(given.out_first[task], given.out_first[task + 1]):
        high = min(high, position[given.out_task[edge]] - 1)
    if forward:
        if here <= low:
            return False
        there = low + _random(state, here - low)
        for number in range(here, there, -1):
            order[number] = order[number - 1]
    else:
        if here >= high:
            return False
        there = here + 1 + _random(state, high - here)
        for number in range(here, there):
            order[number] = order[number + 1]
    order[there] = task
    return True


@njit(cache=True)
def _move(given: Given, state: State) -> bool:
    """Make the tried row a neighbour of the one at hand; whether it is another one and keeps the limits."""
    state.option[1, :], state.order[1, :] = state.option[0], state.order[0]
    tasks = len(state.position)
    task = state.path[_random(state, state.counters[PATH])]
    if _random(state, 4) == 0:  # what is not critical may stand in the way all the same
        task = _random(state, tasks)
    kind = _random(state, 5)
    if kind >= 3:
        return _shift(given, state, task, kind == 3)
    ways = given.first[task + 1] - given.first[task]
    if ways == 1:
        return _shift(given, state, task, True)
    other = given.first[task] + _random(state, ways - 1)
    state.option[1, task] = other if other < state.option[0, task] else other + 1
    if kind == 2:
        _shift(given, state, task, _random(state, 2) == 0)
    return not given.limited or _keeps_limits(given, state, 1)


@njit(cache=True)
def _keep(given: Given, state: State, value: float) -> None:
    """Take the tried row as the one at hand, its list sorted by starts, and remember it if it is the best."""
    state.option[0, :], state.start[0, :] = state.option[1], state.start[1]
    tried = state.order[1]
    # Sorted by starts the list stands for the same schedule or a better one; ties keep their places.
    state.order[0, :] = tried[np.argsort(state.start[1][tried], kind="mergesort")]
    for number in range(len(tried)):
        state.position[state.order[0, number]] = number
    state.values[0] = value
    makespan = _makespan(given, state, 0)
    if makespan < state.values[1] * (1 - 1e-12):
        state.values[1] = makespan
        state.option[2, :], state.order[2, :], state.start[2, :] = (
            state.option[0],
            state.order[0],
            state.start[0],
        )
        state.counters[IMPROVED] = state.counters[ITERATION]
    _trace(given, state)


@njit(cache=True)
def search(given: Given, state: State, iterations: int, target: float, patience: int) -> int:
    """Try a number of moves; stop early at `target`. Returns those made.

    After `patience` moves for each remembered value without a better schedule, go back to the best one, and remember
    twice as many values: a longer memory accepts more.
    """
    counters, history = state.counters, state.history
    for made in range(iterations):
        if state.values[1] <= target:
            return made
        if (
            counters[ITERATION] == 0
            or counters[ITERATION] - counters[IMPROVED] > patience * counters[REMEMBERED]
        ):
            if counters[ITERATION] > 0:
                counters[REMEMBERED] = min(2 * counters[REMEMBERED], len(history))
            state.option[1, :], state.order[1, :] = state.option[2], state.order[2]
            value = _decode(given, state, 1, np.inf)
            _keep(given, state, value)
            history[:] = value
            counters[IMPROVED] = counters[ITERATION]
        counters[ITERATION] += 1
        place = counters[ITERATION] % counters[REMEMBERED]
        bar = max(history[place], state.values[0])
        if _move(given, state):
            value = _decode(given, state, 1, bar)
            if value <= bar:
                _keep(given, state, value)
        history[place] = min(history[place], state.values[0])
    return iterations
