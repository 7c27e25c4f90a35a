"""The compiled part of ``hetero.schedule.small``: depth-first branch and bound over tasks in the order of their starts.

A node of the tree is a partial schedule. Its children place one more task whose predecessors are placed, with one of
its options, where its cores come free first and never before the last start. That every optimum is reached so, and
that a child is not needed which starts after some waiting task could have ended, are the usual arguments for active
schedules (J. H. Patterson, R. Slowinski, F. B. Talbot, J. Weglarz, "An algorithm for a general class of precedence and
resource constrained scheduling problems", in: Advances in Project Scheduling, Elsevier, 1989, chapter 1).

A node is dropped where a bound on all of its completions does not beat the best schedule known, or where a node with
the same tasks placed and nothing later in any respect was there before.

This module imports Numba at its top; import it only where a search is to be run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from hetero.schedule.arrays import Floats, Ints

__all__ = ["Graph", "Prices", "branch_and_bound"]

SLOTS = 1 << 15
"""Of remembered nodes. One that is overwritten is only forgotten: what it would have dropped is searched again."""

NOISE = 1e-12


class Graph(NamedTuple):
    """What does not change: k options, m edges sorted by target, p processors, q limited sums.

    A sum may reach 1 in the units of ``quantity``. The cores of processor ``i`` are ``base[i]`` to ``base[i + 1]``.
    ``step_s``: where all times are multiples of it, only a whole step counts as shorter; else 0. ``one_place``: any
    option of a task may stand in for any other that ends later.
    """

    first: Ints
    task: Ints
    processor: Ints
    seconds: Floats
    cores: Ints
    tails: Floats
    quantity: Floats  # q x k
    in_first: Ints
    source: Ints
    delay: Floats  # m x p x p
    order: Ints
    base: Ints
    step_s: float
    one_place: bool


class Prices(NamedTuple):
    """Sets of multipliers (``hetero.schedule.tradeoff.Multipliers``), a row each."""

    flow: Floats
    ending: Floats
    weight: Floats
    price: Floats
    toll: Floats


class _Least(NamedTuple):
    """Of each task, over its options: the shortest duration, the least time from its start to the end of the graph, the
    least of each sum and each toll; and the flow that begins there."""

    seconds: Floats
    onward: Floats
    quantity: Floats
    toll: Floats
    surplus: Floats


class _Node(NamedTuple):
    """The path from the root: a level for each task that is placed; options, starts and ends by task."""

    free: Floats  # levels x cores: when each comes free, sorted within its processor
    spent: Floats  # levels x q
    last: Floats  # levels: the last start; so are the next two
    longest: Floats
    mask: Ints
    placed: Ints
    start: Floats
    end: Floats


class _Children(NamedTuple):
    """By level: options, their starts, how many, and which is next."""

    option: Ints
    start: Floats
    number: Ints
    turn: Ints


class _Seen(NamedTuple):
    """Nodes by a hash of the tasks placed, and room for the one that is looked up."""

    mask: Ints
    place: Ints
    state: Floats
    own_place: Ints
    own_state: Floats


@njit(cache=True)
def branch_and_bound(
    graph: Graph, prices: Prices, best_s: float, enough_s: float, most_nodes: int
) -> tuple[Ints, Floats, float, bool]:
    """Options and starts of the best schedule below ``best_s`` (empty where there is none), its makespan, and whether
    nothing shorter exists. Stops at ``enough_s`` and after ``most_nodes``."""
    tasks, options, width = len(graph.first) - 1, len(graph.task), graph.base[-1]
    sums = graph.quantity.shape[0]
    least = _least(graph, prices)
    node = _Node(
        np.zeros((tasks + 1, width)),
        np.zeros((tasks + 1, sums)),
        np.zeros(tasks + 1),
        np.zeros(tasks + 1),
        np.zeros(tasks + 1, np.int64),
        np.full(tasks, -1, np.int64),
        np.zeros(tasks),
        np.zeros(tasks),
    )
    children = _Children(
        np.zeros((tasks + 1, options), np.int64),
        np.zeros((tasks + 1, options)),
        np.zeros(tasks + 1, np.int64),
        np.zeros(tasks + 1, np.int64),
    )
    size = width + tasks + sums + 2
    seen = _Seen(
        np.full(SLOTS, -1, np.int64),
        np.zeros((SLOTS, tasks), np.int64),
        np.zeros((SLOTS, size)),
        np.zeros(tasks, np.int64),
        np.zeros(size),
    )
    path = np.zeros(tasks, np.int64)
    followers = np.zeros(tasks, np.int64)  # bit masks
    for t in range(tasks):
        for e in range(graph.in_first[t], graph.in_first[t + 1]):
            followers[graph.source[e]] |= np.int64(1) << t
    everything = (np.int64(1) << tasks) - 1

    found, found_start = np.zeros(0, np.int64), np.zeros(0)
    goal = _goal(best_s, graph.step_s)
    nodes = level = 0
    entering = True
    while level >= 0:
        if entering:
            entering = False
            nodes += 1
            children.number[level] = children.turn[level] = 0
            if node.mask[level] == everything:
                if node.longest[level] < best_s:
                    best_s = node.longest[level]
                    goal = _goal(best_s, graph.step_s)
                    found, found_start = node.placed.copy(), node.start.copy()
                    if best_s <= enough_s:
                        return found, found_start, best_s, True
            elif nodes > most_nodes:
                return found, found_start, best_s, False
            elif _bound(graph, prices, least, node, level) <= goal and not _was_seen(
                graph, seen, node, level, followers
            ):
                _expand(graph, prices, least, node, children, level, goal)
        if children.turn[level] == children.number[level]:
            level -= 1
            if level >= 0:
                node.placed[path[level]] = -1
            continue
        turn = children.turn[level]
        children.turn[level] += 1
        option, start = children.option[level, turn], children.start[level, turn]
        if (start + graph.seconds[option] + graph.tails[option]) * (1 - NOISE) <= goal:
            _place(graph, node, level, option, start)
            path[level] = graph.task[option]
            level += 1
            entering = True
    return found, found_start, best_s, True


@njit(cache=True)
def _goal(best_s: float, step_s: float) -> float:
    """What the bound of a node must not be above."""
    return best_s - 0.5 * step_s if step_s > 0.0 else best_s * (1 - NOISE)


@njit(cache=True)
def _least(graph: Graph, prices: Prices) -> _Least:
    tasks, sums, sets = len(graph.first) - 1, graph.quantity.shape[0], prices.toll.shape[0]
    least = _Least(
        np.full(tasks, np.inf),
        np.full(tasks, np.inf),
        np.full((sums, tasks), np.inf),
        np.full((sets, tasks), np.inf),
        prices.ending.copy(),
    )
    for o in range(len(graph.task)):
        t = graph.task[o]
        least.seconds[t] = min(least.seconds[t], graph.seconds[o])
        least.onward[t] = min(least.onward[t], graph.seconds[o] + graph.tails[o])
        for q in range(sums):
            least.quantity[q, t] = min(least.quantity[q, t], graph.quantity[q, o])
        for m in range(sets):
            least.toll[m, t] = min(least.toll[m, t], prices.toll[m, o])
    for t in range(tasks):
        for e in range(graph.in_first[t], graph.in_first[t + 1]):
            for m in range(sets):
                least.surplus[m, t] -= prices.flow[m, e]
                least.surplus[m, graph.source[e]] += prices.flow[m, e]
    return least


@njit(cache=True)
def _bound(graph: Graph, prices: Prices, least: _Least, node: _Node, level: int) -> float:
    """No completion of a node is shorter: by the longest chain of what waits, and by each set of multipliers, under
    which what is placed counts as it is and each task that waits pays its least."""
    tasks, now = len(graph.first) - 1, node.last[level]
    bound = node.longest[level]
    earliest = np.zeros(tasks)
    for i in range(tasks):
        t = graph.order[i]
        if node.placed[t] < 0:
            at = now
            for e in range(graph.in_first[t], graph.in_first[t + 1]):
                u = graph.source[e]
                at = max(at, node.end[u] if node.placed[u] >= 0 else earliest[u] + least.seconds[u])
            earliest[t] = at
            bound = max(bound, at + least.onward[t])
    for m in range(prices.toll.shape[0]):
        value = 0.0
        for p in range(len(graph.base) - 1):
            busy = 0.0
            for c in range(graph.base[p], graph.base[p + 1]):
                busy += max(now, node.free[level, c])
            value += prices.weight[m, p] * busy
        for t in range(tasks):
            if node.placed[t] >= 0:
                value += prices.ending[m, t] * node.end[t]
            else:
                value += least.toll[m, t] + least.surplus[m, t] * now
                for e in range(graph.in_first[t], graph.in_first[t + 1]):
                    if node.placed[graph.source[e]] >= 0:
                        value += prices.flow[m, e] * node.end[graph.source[e]]
        for q in range(graph.quantity.shape[0]):
            value += prices.price[m, q] * (node.spent[level, q] - 1.0 - 1e-9)
        bound = max(bound, value * (1 - NOISE))
    return float(bound)


@njit(cache=True)
def _was_seen(graph: Graph, seen: _Seen, node: _Node, level: int, followers: Ints) -> bool:
    """Whether a node with the same tasks placed and nothing later was there before; if not, this one is remembered."""
    tasks, width, now, mask = len(graph.first) - 1, graph.base[-1], node.last[level], node.mask[level]
    state, place = seen.own_state, seen.own_place
    for c in range(width):
        state[c] = max(now, node.free[level, c])
    for t in range(tasks):
        awaited = node.placed[t] >= 0 and (followers[t] & ~mask) != 0
        state[width + t] = node.end[t] if awaited else 0.0
        place[t] = graph.processor[node.placed[t]] if awaited else -1
    for q in range(graph.quantity.shape[0]):
        state[width + tasks + q] = node.spent[level, q]
    state[-2], state[-1] = now, node.longest[level]
    slot = ((mask * 2654435761) >> 7) % SLOTS
    if seen.mask[slot] == mask:
        nothing_later = True
        for i in range(len(state)):
            nothing_later = nothing_later and seen.state[slot, i] <= state[i]
        for t in range(tasks):
            nothing_later = nothing_later and seen.place[slot, t] == place[t]
        if nothing_later:
            return True
    seen.mask[slot] = mask
    for i in range(len(state)):
        seen.state[slot, i] = state[i]
    for t in range(tasks):
        seen.place[slot, t] = place[t]
    return False


@njit(cache=True)
def _expand(
    graph: Graph, prices: Prices, least: _Least, node: _Node, children: _Children, level: int, goal: float
) -> None:
    """The children of a node: by start, then the task with the longest way to go, then by the toll of its options."""
    tasks, sums, now = len(graph.first) - 1, graph.quantity.shape[0], node.last[level]
    rest = node.spent[level].copy()  # with what every waiting task takes at least
    for t in range(tasks):
        if node.placed[t] < 0:
            for q in range(sums):
                rest[q] += least.quantity[q, t]
    wait_until = np.inf
    for t in range(tasks):
        ready = node.placed[t] < 0
        for e in range(graph.in_first[t], graph.in_first[t + 1]):
            ready = ready and node.placed[graph.source[e]] >= 0
        if not ready:
            continue
        soonest, latest = np.inf, -1.0
        for o in range(graph.first[t], graph.first[t + 1]):
            p, start = graph.processor[o], now
            for e in range(graph.in_first[t], graph.in_first[t + 1]):
                u = graph.source[e]
                start = max(start, node.end[u] + graph.delay[e, graph.processor[node.placed[u]], p])
            if graph.seconds[o] > 0.0:
                start = max(start, node.free[level, graph.base[p] + graph.cores[o] - 1])
            fits = start < np.inf
            for q in range(sums):
                fits = fits and rest[q] - least.quantity[q, t] + graph.quantity[q, o] <= 1.0 + NOISE
            if fits:  # what does not fit now will not fit later
                end = start + graph.seconds[o]
                soonest, latest = min(soonest, end), max(latest, end)
                if (end + graph.tails[o]) * (1 - NOISE) <= goal:
                    _insert(prices, least, children, level, o, t, start, graph.task)
        wait_until = min(wait_until, soonest if graph.one_place else latest)
    kept = 0
    for i in range(children.number[level]):
        o, start = children.option[level, i], children.start[level, i]
        # A task without a duration ends when it starts: at that moment it is not too late for itself.
        late = start >= wait_until if graph.seconds[o] > 0.0 else start > wait_until
        if not late or start <= now:
            children.option[level, kept], children.start[level, kept] = o, start
            kept += 1
    children.number[level] = kept


@njit(cache=True)
def _insert(
    prices: Prices,
    least: _Least,
    children: _Children,
    level: int,
    option: int,
    t: int,
    start: float,
    task: Ints,
) -> None:
    """Put a child in its place."""
    i = children.number[level]
    while i > 0:
        other, before = children.option[level, i - 1], children.start[level, i - 1]
        if before < start:
            break
        if before == start:
            mine, its = least.onward[t], least.onward[task[other]]
            if its > mine or (its == mine and prices.toll[0, other] <= prices.toll[0, option]):
                break
        children.option[level, i], children.start[level, i] = other, before
        i -= 1
    children.option[level, i], children.start[level, i] = option, start
    children.number[level] += 1


@njit(cache=True)
def _place(graph: Graph, node: _Node, level: int, option: int, start: float) -> None:
    """The next level: one more task placed, on the cores that came free first."""
    t, p, end = graph.task[option], graph.processor[option], start + graph.seconds[option]
    node.placed[t], node.start[t], node.end[t] = option, start, end
    for c in range(graph.base[-1]):
        node.free[level + 1, c] = node.free[level, c]
    if end > start:
        taken, last = graph.cores[option], graph.base[p + 1]
        to = graph.base[p]
        for c in range(
            graph.base[p] + taken, last
        ):  # those that stay free, as long as they do so before the end
            if node.free[level, c] < end:
                node.free[level + 1, to] = node.free[level, c]
                to += 1
        for c in range(taken):
            node.free[level + 1, to + c] = end
    for q in range(graph.quantity.shape[0]):
        node.spent[level + 1, q] = node.spent[level, q] + graph.quantity[q, option]
    node.last[level + 1] = start
    node.longest[level + 1] = max(node.longest[level], end)
    node.mask[level + 1] = node.mask[level] | (np.int64(1) << t)
