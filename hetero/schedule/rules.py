"""What makes a problem well-formed: one rule a function, run in order by `check`.

Each raises `ProblemError` with one line that names the place, what was found and what is allowed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from hetero.errors import ProblemError

if TYPE_CHECKING:
    from hetero.schedule.problem import Limits, Problem

__all__ = ["check", "check_limits", "topological_order"]

LARGEST = 1e30
"""Of any number in a problem, so that no sum or product of them can overflow; its inverse is the slowest link."""

MOST_CORES = 10**9

HALF_A_PAIR = re.compile("[\ud800-\udfff]")
"""What a JSON text can say, and nothing can print."""


def check(problem: Problem) -> None:
    """Raise `ProblemError` at the first rule that the problem breaks."""
    for rule in RULES:
        rule(problem)


def names_are_unique(problem: Problem) -> None:
    for kind, names in (
        ("processor", [p.name for p in problem.processors]),
        ("task", [t.name for t in problem.tasks]),
    ):
        for name in names:
            if not isinstance(name, str) or not name:
                raise ProblemError(f"{kind} name {name!r}; it must be a string that is not empty")
            if HALF_A_PAIR.search(name):
                raise ProblemError(f"{kind} name {name!r} has half of a surrogate pair; it must be text")
        for name, count in Counter(names).items():
            if count > 1:
                raise ProblemError(f"{kind} {name!r} is there {count} times; names must be unique")


def processors_have_capacity(problem: Problem) -> None:
    for processor in problem.processors:
        place = f"processor {processor.name!r}"
        _whole(place, "cores", processor.cores)
        if processor.memory_bytes is not None:
            _number(place, "memory_bytes", processor.memory_bytes)


def links_join_known_processors(problem: Problem) -> None:
    known = {p.name for p in problem.processors}
    seen: set[tuple[str, str]] = set()
    for link in problem.links:
        place = f"link from {link.source!r} to {link.target!r}"
        for name in (link.source, link.target):
            _known(place, "processor", name, known)
        if (link.source, link.target) in seen:
            raise ProblemError(f"{place} is there twice; a pair of processors has one link")
        seen.add((link.source, link.target))
        _number(place, "latency_s", link.latency_s)
        _number(place, "bytes_per_s", link.bytes_per_s)
        if link.bytes_per_s < 1 / LARGEST:
            raise ProblemError(
                f"{place}: bytes_per_s is {link.bytes_per_s}; it must be more than {1 / LARGEST:g}, "
                "or leave the link out"
            )


def options_are_possible(problem: Problem) -> None:
    known = {p.name for p in problem.processors}
    for task in problem.tasks:
        if not task.options:
            raise ProblemError(f"task {task.name!r} has no options; it must have at least one")
        for index, option in enumerate(task.options):
            place = f"task {task.name!r}, option {index}"
            _known(place, "processor", option.processor, known)
            _whole(place, "cores", option.cores)
            for field in ("seconds", "memory_bytes", "joules", "dollars", "error"):
                _number(place, field, getattr(option, field))
            if option.resident is not None and not isinstance(option.resident, str):
                raise ProblemError(f"{place}: resident is {option.resident!r}; it must be a string or null")


def edges_join_known_tasks(problem: Problem) -> None:
    known = {t.name for t in problem.tasks}
    for edge in problem.edges:
        place = f"edge from {edge.source!r} to {edge.target!r}"
        for name in (edge.source, edge.target):
            _known(place, "task", name, known)
        _number(place, "bytes", edge.nbytes)


def graph_has_no_cycle(problem: Problem) -> None:
    index = {task.name: number for number, task in enumerate(problem.tasks)}
    pairs = [(index[edge.source], index[edge.target]) for edge in problem.edges]
    order = topological_order(len(problem.tasks), pairs)
    if len(order) < len(problem.tasks):
        names = [problem.tasks[number].name for number in _cycle(pairs, set(order))]
        shown = names if len(names) <= 8 else [*names[:7], "...", names[0]]
        raise ProblemError(f"edges form a cycle: {' -> '.join(shown)}; the graph must be acyclic")


def limits_are_numbers(problem: Problem) -> None:
    check_limits(problem.limits)


def check_limits(limits: Limits) -> None:
    """Raise `ProblemError` where a limit is not a number that something could be compared with."""
    for field in fields(limits):
        value = getattr(limits, field.name)
        if value is not None:
            _number("limits", field.name, value)


RULES: tuple[Callable[[Problem], None], ...] = (
    names_are_unique,
    processors_have_capacity,
    links_join_known_processors,
    options_are_possible,
    edges_join_known_tasks,
    graph_has_no_cycle,
    limits_are_numbers,
)


def topological_order(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    """Kahn's order, smallest number first among equals; shorter than `count` where there is a cycle."""
    waiting = [0] * count
    followers: list[list[int]] = [[] for _ in range(count)]
    for source, target in pairs:
        waiting[target] += 1
        followers[source].append(target)
    order = [number for number in range(count) if waiting[number] == 0]
    for number in order:
        for follower in followers[number]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                order.append(follower)
    return order


def _cycle(pairs: list[tuple[int, int]], done: set[int]) -> list[int]:
    """One cycle among the tasks that Kahn's algorithm could not finish, first task repeated at the end.

    Walks backwards: every unfinished task has an unfinished predecessor, while a successor may be missing.
    """
    before = {target: source for source, target in pairs if source not in done and target not in done}
    node = next(iter(before))
    path: list[int] = []
    while node not in path:
        path.append(node)
        node = before[node]
    return [*path[path.index(node) :], node][::-1]


def _number(place: str, field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ProblemError(f"{place}: {field} is {value!r}; it must be a number")
    number: Any = value  # whole numbers too large for a float can still be compared with one
    if not 0 <= number < math.inf:
        raise ProblemError(f"{place}: {field} is {value}; it must be finite and not negative")
    if number > LARGEST:
        raise ProblemError(f"{place}: {field} is more than {LARGEST:g}, the largest that is understood")


def _whole(place: str, field: str, value: object) -> None:
    number: Any = value
    if isinstance(value, bool) or not isinstance(value, Integral) or number < 1:
        raise ProblemError(f"{place}: {field} is {value!r}; it must be a whole number, 1 or more")
    if number > MOST_CORES:
        raise ProblemError(f"{place}: {field} is more than {MOST_CORES:,}, the most that are understood")


def _known(place: str, kind: str, name: object, known: Iterable[str]) -> None:
    if not isinstance(name, str) or name not in known:
        listing = ", ".join(map(repr, list(known)[:12])) or "none"
        raise ProblemError(f"{place}: unknown {kind} {name!r}; known: {listing}")
