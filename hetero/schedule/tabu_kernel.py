"""Tabu search on a disjunctive graph, compiled: the inner loop of `hetero.schedule.search`.

Tasks that share a lane (one core's worth of a processor) form a sequence; the longest path over edges and
sequences is the makespan. A move takes a task of a critical path out of its lane and inserts it where the
longest path through it is shortest, on any lane of any of its options. Which positions keep the graph
acyclic, and the length of the path after a move, follow from heads and tails without it:

M. Mastrolilli, L. M. Gambardella, "Effective neighbourhood functions for the flexible job shop problem",
Journal of Scheduling 3(1), 2000. https://doi.org/10.1002/(SICI)1099-1425(200001/02)3:1<3::AID-JOS32>3.0.CO;2-Y

Two things are added to the paper. Transfers: a task that is out of its lane is nowhere, so its own
transfers count as zero where positions are judged feasible, and in full where a position is rated.
Capacity: memory and limited sums are kept up to date, and moves that would break one are not made.

This module imports Numba at its top; import it only where a search is to be run. It is one file though it is long:
Numba notices that what it keeps on disk is out of date by the file of the kernel that is called, not by those of the
kernels which that one calls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from hetero.schedule.arrays import Floats, Ints

__all__ = ["Graph", "State", "search"]

NOWHERE = -1
ITERATION, IMPROVED, RANDOM, KICKS, VAIN_KICKS = range(5)  # of State.counters


class Graph(NamedTuple):
    """What does not change: k options, p processors, both directions of the edges as contiguous rows."""

    first: Ints
    processor: Ints
    seconds: Floats
    in_first: Ints
    in_task: Ints
    in_bytes: Floats
    out_first: Ints
    out_task: Ints
    out_bytes: Floats
    latency: Floats
    rate: Floats
    lane_first: Ints  # p + 1: the lanes of each processor
    memory: Floats
    key: Ints
    key_bytes: Floats
    memory_capacity: Floats
    sums: Floats  # 3 x k: joules, dollars, error
    sum_limits: Floats  # 3, then the limit on memory in all


class State(NamedTuple):
    """What a search changes, the best schedule so far, and scratch space."""

    option: Ints
    lane: Ints
    before: Ints
    after: Ints
    lane_begin: Ints
    order: Ints
    position: Ints
    head: Floats
    tail: Floats
    head_without: Floats
    tail_without: Floats
    tabu: Ints  # n x lanes: not before this iteration
    waiting: Ints
    path: Ints
    memory_used: Floats
    key_count: Ints
    sums_used: Floats  # 3, then memory in all
    best_option: Ints
    best_start: Floats
    best_lane: Ints
    counters: Ints  # see ITERATION and so on
    makespans: Floats  # best


@njit(cache=True, inline="always")
def _transfer(graph: Graph, nbytes: float, here: int, there: int) -> float:
    if here == there or nbytes == 0.0:
        return 0.0
    delay: float = graph.latency[here, there] + nbytes / graph.rate[here, there]
    return delay


@njit(cache=True)
def _random(state: State, below: int) -> int:
    """A number from 0 to below - 1 (a 31-bit linear congruence, so that runs repeat everywhere)."""
    state.counters[RANDOM] = (state.counters[RANDOM] * 1103515245 + 12345) & 0x7FFFFFFF
    number: int = (state.counters[RANDOM] >> 8) % below
    return number


@njit(cache=True)
def _head(graph: Graph, state: State, task: int, place: int) -> float:
    """When the inputs of a task have arrived on a processor."""
    ready = 0.0
    for edge in range(graph.in_first[task], graph.in_first[task + 1]):
        source = graph.in_task[edge]
        chosen = state.option[source]
        arrival = state.head[source] + graph.seconds[chosen]
        arrival += _transfer(graph, graph.in_bytes[edge], graph.processor[chosen], place)
        ready = max(ready, arrival)
    return ready


@njit(cache=True)
def _tail(graph: Graph, state: State, task: int, place: int) -> float:
    """The longest way from the end of a task on a processor to the end of the graph, its lane aside."""
    longest = 0.0
    for edge in range(graph.out_first[task], graph.out_first[task + 1]):
        target = graph.out_task[edge]
        chosen = state.option[target]
        way = _transfer(graph, graph.out_bytes[edge], place, graph.processor[chosen])
        way += graph.seconds[chosen] + state.tail[target]
        longest = max(longest, way)
    return longest


@njit(cache=True)
def _evaluate(graph: Graph, state: State) -> float:
    """Order the tasks, compute heads and tails, and return the makespan."""
    tasks = len(state.option)
    count = 0
    for task in range(tasks):
        state.waiting[task] = graph.in_first[task + 1] - graph.in_first[task]
        if state.before[task] >= 0:
            state.waiting[task] += 1
        if state.waiting[task] == 0:
            state.order[count] = task
            count += 1
    makespan = 0.0
    done = 0
    while done < count:
        task = state.order[done]
        state.position[task] = done
        done += 1
        chosen = state.option[task]
        head = _head(graph, state, task, graph.processor[chosen])
        before = state.before[task]
        if before >= 0:
            head = max(head, state.head[before] + graph.seconds[state.option[before]])
        state.head[task] = head
        makespan = max(makespan, head + graph.seconds[chosen])
        for edge in range(graph.out_first[task], graph.out_first[task + 1]):
            target = graph.out_task[edge]
            state.waiting[target] -= 1
            if state.waiting[target] == 0:
                state.order[count] = target
                count += 1
        after = state.after[task]
        if after >= 0:
            state.waiting[after] -= 1
            if state.waiting[after] == 0:
                state.order[count] = after
                count += 1
    for number in range(tasks - 1, -1, -1):
        task = state.order[number]
        tail = _tail(graph, state, task, graph.processor[state.option[task]])
        after = state.after[task]
        if after >= 0:
            tail = max(tail, graph.seconds[state.option[after]] + state.tail[after])
        state.tail[task] = tail
    return makespan


@njit(cache=True)
def _critical_path(graph: Graph, state: State, makespan: float) -> int:
    """Write one critical path, drawn at random, to `state.path`; return its length."""
    slack = 1e-9 * makespan
    current, seen = NOWHERE, 0
    for task in range(len(state.option)):
        length = graph.seconds[state.option[task]] + state.tail[task]
        if state.head[task] == 0.0 and length >= makespan - slack:
            seen += 1
            if _random(state, seen) == 0:
                current = task
    count = 0
    while current != NOWHERE:
        state.path[count] = current
        count += 1
        chosen = state.option[current]
        end = state.head[current] + graph.seconds[chosen]
        following, seen = NOWHERE, 0
        after = state.after[current]
        if after >= 0:
            length = end + graph.seconds[state.option[after]] + state.tail[after]
            if length >= makespan - slack:
                following, seen = after, 1
        for edge in range(graph.out_first[current], graph.out_first[current + 1]):
            target = graph.out_task[edge]
            there = state.option[target]
            way = _transfer(graph, graph.out_bytes[edge], graph.processor[chosen], graph.processor[there])
            if end + way + graph.seconds[there] + state.tail[target] >= makespan - slack:
                seen += 1
                if _random(state, seen) == 0:
                    following = target
        current = following
    return count


@njit(cache=True)
def _take_out(graph: Graph, state: State, moved: int) -> None:
    """Heads and tails as they were if `moved` were in no lane, took no time and were nowhere."""
    tasks = len(state.option)
    before_moved, after_moved = state.before[moved], state.after[moved]
    place = state.position[moved]
    for number in range(tasks):
        task = state.order[number]
        if number < place:
            state.head_without[task] = state.head[task]
            continue
        here = graph.processor[state.option[task]]
        ready = 0.0
        for edge in range(graph.in_first[task], graph.in_first[task + 1]):
            source = graph.in_task[edge]
            arrival = state.head_without[source]
            if source != moved:
                chosen = state.option[source]
                arrival += graph.seconds[chosen]
                if task != moved:
                    arrival += _transfer(graph, graph.in_bytes[edge], graph.processor[chosen], here)
            ready = max(ready, arrival)
        if task != moved:
            before = before_moved if task == after_moved else state.before[task]
            if before >= 0:
                ready = max(ready, state.head_without[before] + graph.seconds[state.option[before]])
        state.head_without[task] = ready
    for number in range(tasks - 1, -1, -1):
        task = state.order[number]
        if number > place:
            state.tail_without[task] = state.tail[task]
            continue
        here = graph.processor[state.option[task]]
        longest = 0.0
        for edge in range(graph.out_first[task], graph.out_first[task + 1]):
            target = graph.out_task[edge]
            way = state.tail_without[target]
            if target != moved:
                chosen = state.option[target]
                way += graph.seconds[chosen]
                if task != moved:
                    way += _transfer(graph, graph.out_bytes[edge], here, graph.processor[chosen])
            longest = max(longest, way)
        if task != moved:
            after = after_moved if task == before_moved else state.after[task]
            if after >= 0:
                longest = max(longest, graph.seconds[state.option[after]] + state.tail_without[after])
        state.tail_without[task] = longest


@njit(cache=True)
def _new_bytes(graph: Graph, state: State, task: int, option: int) -> float:
    """What choosing `option` instead of the present one adds on its processor."""
    old, key = state.option[task], graph.key[option]
    old_key = graph.key[old]
    if key >= 0:
        others = state.key_count[key] - (1 if old_key == key else 0)
        added = 0.0 if others > 0 else graph.key_bytes[key]
    else:
        added = graph.memory[option]
    if graph.processor[old] == graph.processor[option]:
        if old_key < 0:
            added -= graph.memory[old]
        elif state.key_count[old_key] == 1:
            added -= graph.key_bytes[old_key]
    return added


@njit(cache=True)
def _fits(graph: Graph, state: State, task: int, option: int) -> bool:
    old = state.option[task]
    if old == option:
        return True
    place = graph.processor[option]
    added = _new_bytes(graph, state, task, option)
    if added > 0 and state.memory_used[place] + added > graph.memory_capacity[place]:
        return False
    if added > 0 and graph.sum_limits[3] < np.inf:
        freed = 0.0
        if graph.processor[old] != place:
            old_key = graph.key[old]
            if old_key < 0:
                freed = graph.memory[old]
            elif state.key_count[old_key] == 1:
                freed = graph.key_bytes[old_key]
        if state.sums_used[3] + added - freed > graph.sum_limits[3]:
            return False
    for row in range(3):
        change = graph.sums[row, option] - graph.sums[row, old]
        if change > 0 and state.sums_used[row] + change > graph.sum_limits[row]:
            return False
    return True


@njit(cache=True)
def _account(graph: Graph, state: State, option: int, sign: int) -> None:
    """Add an option to the memory and the sums in use, or take it away."""
    key, nbytes = graph.key[option], graph.memory[option]
    if key >= 0:
        nbytes = 0.0
        if state.key_count[key] == (0 if sign > 0 else 1):
            nbytes = graph.key_bytes[key]
        state.key_count[key] += sign
    state.memory_used[graph.processor[option]] += sign * nbytes
    state.sums_used[3] += sign * nbytes
    for row in range(3):
        state.sums_used[row] += sign * graph.sums[row, option]


@njit(cache=True)
def _move(graph: Graph, state: State, task: int, option: int, lane: int, before: int) -> None:
    """Take a task out of its lane and insert it after `before` (or first) in another."""
    left, right, old_lane = state.before[task], state.after[task], state.lane[task]
    if old_lane >= 0:
        if left >= 0:
            state.after[left] = right
        else:
            state.lane_begin[old_lane] = right
        if right >= 0:
            state.before[right] = left
    if state.option[task] != option:
        _account(graph, state, state.option[task], -1)
        _account(graph, state, option, 1)
        state.option[task] = option
    state.lane[task] = lane
    state.before[task], state.after[task] = NOWHERE, NOWHERE
    if lane < 0:
        return
    following = state.lane_begin[lane] if before < 0 else state.after[before]
    state.before[task], state.after[task] = before, following
    if before >= 0:
        state.after[before] = task
    else:
        state.lane_begin[lane] = task
    if following >= 0:
        state.before[following] = task


@njit(cache=True)
def _best_insertion(
    graph: Graph, state: State, task: int, cutoff: float, aspiration: float, drawn: bool
) -> tuple[float, int, int, int]:
    """The best place for a task that `_take_out` took out: path length, option, lane and predecessor.

    Only places under `cutoff` count, and tabu ones only under `aspiration`. With `drawn`, a place at
    random instead of the best. Option -1 where there is none.
    """
    head_nowhere, tail_nowhere = state.head_without[task], state.tail_without[task]
    iteration = state.counters[ITERATION]
    best, best_option, best_lane, best_before = cutoff, -1, NOWHERE, NOWHERE
    ties = 0
    for option in range(graph.first[task], graph.first[task + 1]):
        if not _fits(graph, state, task, option):
            continue
        place, own = graph.processor[option], graph.seconds[option]
        ready = 0.0
        for edge in range(graph.in_first[task], graph.in_first[task + 1]):
            source = graph.in_task[edge]
            chosen = state.option[source]
            way = _transfer(graph, graph.in_bytes[edge], graph.processor[chosen], place)
            ready = max(ready, state.head_without[source] + graph.seconds[chosen] + way)
        onward = 0.0
        for edge in range(graph.out_first[task], graph.out_first[task + 1]):
            target = graph.out_task[edge]
            chosen = state.option[target]
            way = _transfer(graph, graph.out_bytes[edge], place, graph.processor[chosen])
            onward = max(onward, way + graph.seconds[chosen] + state.tail_without[target])
        if ready + own + onward >= np.inf:
            continue
        if own == 0.0:  # holds no cores, so there is no lane to be inserted into
            length = ready + onward
            if option != state.option[task] and length < best:
                best, best_option, best_lane, best_before, ties = length, option, NOWHERE, NOWHERE, 1
            continue
        empty_seen = False
        for lane in range(graph.lane_first[place], graph.lane_first[place + 1]):
            begin = state.lane_begin[lane]
            if begin == NOWHERE or (begin == task and state.after[task] == NOWHERE):
                if empty_seen:
                    continue  # empty lanes of one processor are all the same
                empty_seen = True
            bar = aspiration if state.tabu[task, lane] > iteration else cutoff
            before, following = NOWHERE, begin
            if following == task:
                following = state.after[task]
            # Every position before the first successor-like task counts, from the last ancestor-like on.
            low = NOWHERE
            scan = following
            while scan >= 0:
                taken = graph.seconds[state.option[scan]]
                late = state.head_without[scan] + taken > head_nowhere
                if not late and state.tail_without[scan] + taken > tail_nowhere:
                    low = scan
                scan = state.after[scan]
                if scan == task:
                    scan = state.after[task]
            if low >= 0:
                before, following = low, state.after[low]
                if following == task:
                    following = state.after[task]
            while True:
                start = ready
                if before >= 0:
                    start = max(start, state.head_without[before] + graph.seconds[state.option[before]])
                rest = onward
                if following >= 0:
                    rest = max(rest, graph.seconds[state.option[following]] + state.tail_without[following])
                length = start + own + rest
                same = (
                    lane == state.lane[task] and option == state.option[task] and before == state.before[task]
                )
                if not same and length < bar:
                    if drawn:
                        ties += 1
                        if _random(state, ties) == 0:
                            best_option, best_lane, best_before = option, lane, before
                    elif length < best:
                        best, best_option, best_lane, best_before, ties = length, option, lane, before, 1
                    elif length == best and best_option >= 0:
                        ties += 1
                        if _random(state, ties) == 0:
                            best_option, best_lane, best_before = option, lane, before
                if following < 0:
                    break
                taken = graph.seconds[state.option[following]]
                late = state.head_without[following] + taken > head_nowhere
                if late and not state.tail_without[following] + taken > tail_nowhere:
                    break
                before, following = following, state.after[following]
                if following == task:
                    following = state.after[task]
    return best, best_option, best_lane, best_before


@njit(cache=True)
def _remember(graph: Graph, state: State, makespan: float) -> None:
    state.makespans[0] = makespan
    state.best_option[:] = state.option
    state.best_start[:] = state.head
    state.best_lane[:] = state.lane


@njit(cache=True)
def _return_to_best(graph: Graph, state: State) -> None:
    """Rebuild the lanes of the best schedule from its starts."""
    tasks = len(state.option)
    for task in range(tasks):
        if state.option[task] != state.best_option[task]:
            _account(graph, state, state.option[task], -1)
            _account(graph, state, state.best_option[task], 1)
            state.option[task] = state.best_option[task]
        state.lane[task] = state.best_lane[task]
        state.before[task], state.after[task] = NOWHERE, NOWHERE
    state.lane_begin[:] = NOWHERE
    last = np.full(len(state.lane_begin), NOWHERE)
    for task in np.argsort(state.best_start):
        lane = state.lane[task]
        if lane < 0:
            continue
        if last[lane] >= 0:
            state.after[last[lane]] = task
            state.before[task] = last[lane]
        else:
            state.lane_begin[lane] = task
        last[lane] = task


@njit(cache=True)
def search(graph: Graph, state: State, iterations: int, target: float, patience: int) -> int:
    """Move critical tasks for a number of iterations; stop early at `target`. Returns those made.

    After `patience` iterations without a better schedule, go back to the best one and kick it: a few
    critical tasks go to random places. Each function is called from one place only, because the compiler
    would inline, and compile, every copy.
    """
    counters = state.counters
    for made in range(iterations):
        makespan = _evaluate(graph, state)
        if makespan < state.makespans[0] * (1 - 1e-12):
            _remember(graph, state, makespan)
            counters[IMPROVED], counters[VAIN_KICKS] = counters[ITERATION], 0
        if state.makespans[0] <= target:
            return made
        counters[ITERATION] += 1
        if counters[KICKS] == 0 and counters[ITERATION] - counters[IMPROVED] > patience:
            _return_to_best(graph, state)
            counters[IMPROVED] = counters[ITERATION]
            counters[VAIN_KICKS] += 1
            counters[KICKS] = 2 + _random(state, 3 + min(counters[VAIN_KICKS], 20))
            continue
        count = _critical_path(graph, state, makespan)
        kick = counters[KICKS] > 0
        begin, end = 0, count
        if kick:
            counters[KICKS] -= 1
            begin = _random(state, count)
            end = begin + 1
        best, task, option, lane, before = np.inf, -1, -1, NOWHERE, NOWHERE
        for step in range(begin, end):
            tried = state.path[step]
            _take_out(graph, state, tried)
            aspiration = np.inf if kick else min(best, state.makespans[0] * (1 - 1e-9))
            length, new_option, new_lane, new_before = _best_insertion(
                graph, state, tried, best, aspiration, kick
            )
            if new_option >= 0:
                best, task, option, lane, before = length, tried, new_option, new_lane, new_before
        if task < 0:
            counters[KICKS] += 1  # all is tabu: next a random move
            continue
        if state.lane[task] >= 0 and not kick:
            tenure = count + graph.first[task + 1] - graph.first[task] + _random(state, 4)
            state.tabu[task, state.lane[task]] = counters[ITERATION] + tenure
        _move(graph, state, task, option, lane, before)
    return iterations
