"""Graphs as chains of segments: what cuts them, and the bound that follows is never more than the truth."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task, solve
from hetero.schedule.arrays import Arrays, to_arrays
from hetero.schedule.bounds import Ends, quick_bound
from hetero.schedule.clock import now
from hetero.schedule.series import cut_tasks, processor_kinds, segments
from hetero.schedule.series_bound import series_bound, staggered_load
from hetero.schedule.usable import usable_options

from .brute_force import optimum
from .random_problems import problems

PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))

LINKS = (Link("p", "q", 5.0, 1.0), Link("q", "p", 5.0, 1.0))


@PATIENT
@given(problem=problems())
def test_cut_tasks_are_before_or_after_every_other(problem: Problem) -> None:
    """As following all edges from each task shows."""
    arrays = arrays_of(problem)
    if arrays is None:
        return
    later = {task: reached(arrays, task) for task in range(arrays.tasks)}
    cuts = [
        task
        for task in arrays.order.tolist()
        if all(other == task or other in later[task] or task in later[other] for other in later)
    ]
    assert cut_tasks(arrays).tolist() == cuts


@PATIENT
@given(problem=problems())
def test_the_bound_is_never_above_the_optimum(problem: Problem) -> None:
    """Of problems with one segment and a chain behind it, whose parts are solved or only looked at."""
    problem = forked(problem)
    arrays = arrays_of(problem)
    if arrays is None:
        return
    best, known = optimum(problem, "latency"), Ends.of(arrays)
    if best is not None:
        for solver in (alone, lambda part, _seconds: 0.0):
            bound = series_bound(arrays, known, target_s=best, until=now() + 60.0, solver=solver)
            assert bound <= best * (1 + 1e-9)


@PATIENT
@given(problem=problems(max_tasks=4))
def test_the_load_between_heads_and_tails_is_a_bound(problem: Problem) -> None:
    """Whatever the problem, not only for segments."""
    arrays, best = arrays_of(problem), optimum(problem, "latency")
    if arrays is not None and best is not None:
        assert staggered_load(arrays, Ends.of(arrays)) <= best * (1 + 1e-9)


def test_what_is_parallel_costs_transfers_or_time() -> None:
    """Two tasks of 3 s between two of no time: one after the other, since a link takes 5 s."""
    problem = Problem(
        (Processor("p"), Processor("q")),
        (anywhere("a", 0.0), anywhere("b", 3.0), anywhere("c", 3.0), anywhere("d", 0.0)),
        tuple(Edge(one, other, 1.0) for one, other in ("ab", "ac", "bd", "cd")),
        LINKS,
    )
    arrays = arrays_of(problem)
    assert arrays is not None
    assert quick_bound(arrays) < 3.01
    assert bound_of(arrays) >= 5.99


def test_a_chain_moves_on_where_memory_is_full() -> None:
    """Four tasks of 1 s and 1 byte, on processors that hold 2 bytes each: one transfer of 6 s at least."""
    problem = Problem(
        (Processor("p", memory_bytes=2), Processor("q", memory_bytes=2)),
        tuple(anywhere(name, 1.0) for name in "abcdef"),
        tuple(Edge(one, other, 1.0) for one, other in ("ab", "bc", "cd", "de", "df")),
        LINKS,
    )
    full = replace(
        problem, tasks=tuple(replace(t, options=heavy(t)) if t.name in "abcd" else t for t in problem.tasks)
    )
    free, tight = arrays_of(problem), arrays_of(full)
    assert free is not None
    assert tight is not None
    assert len(segments(tight)) == 3
    # Without a segment there is nothing to be solved, and the bound is left to the critical path.
    assert bound_of(tight) == 0.0
    with_end = replace(
        full, tasks=(*full.tasks, anywhere("g", 1.0)), edges=(*full.edges, Edge("e", "g"), Edge("f", "g"))
    )
    arrays = arrays_of(with_end)
    assert arrays is not None
    assert 12.9 < bound_of(arrays) <= solve(with_end).makespan_s


def test_processors_are_of_one_kind_where_nothing_tells_them_apart() -> None:
    """Speed does, and so does a link."""
    processors = tuple(Processor(name) for name in "pqrs")
    tasks = (
        Task(
            "a",
            tuple(Option(processor.name, 2.0 if processor.name == "s" else 1.0) for processor in processors),
        ),
    )
    pairs = [(a, b) for a in "pqrs" for b in "pqrs" if a != b]
    links = tuple(Link(a, b, 9.0 if "r" in (a, b) else 1.0, 1.0) for a, b in pairs)
    arrays = arrays_of(Problem(processors, tasks, (), links))
    assert arrays is not None
    assert processor_kinds(arrays).tolist() == [0, 0, 2, 3]


def anywhere(name: str, seconds: float) -> Task:
    return Task(name, (Option("p", seconds), Option("q", seconds)))


def heavy(task: Task) -> tuple[Option, ...]:
    return tuple(replace(option, memory_bytes=1) for option in task.options)


def forked(problem: Problem) -> Problem:
    """The problem with its second and fourth task before or after all others."""
    names = [task.name for task in problem.tasks]
    known = {(edge.source, edge.target) for edge in problem.edges}
    cuts = names[::3]
    wanted = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if a in cuts or b in cuts]
    return replace(
        problem, edges=(*problem.edges, *(Edge(a, b, 1.0) for a, b in wanted if (a, b) not in known))
    )


def bound_of(arrays: Arrays) -> float:
    return series_bound(arrays, Ends.of(arrays), target_s=1e9, until=now() + 60.0, solver=alone)


def alone(part: Arrays, _seconds: float) -> float:
    """The exact length of a small part, by trying everything."""
    return optimum(as_problem(part), "latency") or 0.0


def as_problem(arrays: Arrays) -> Problem:
    """Arrays of one to a few tasks as a problem again."""
    names = [f"p{number}" for number in range(arrays.processors)]
    options = [
        Option(names[arrays.processor[k]], float(arrays.seconds[k]), cores=int(arrays.cores[k]))
        for k in range(arrays.options)
    ]
    return Problem(
        tuple(Processor(name, int(cores)) for name, cores in zip(names, arrays.capacity, strict=True)),
        tuple(
            Task(f"t{t}", tuple(options[arrays.first[t] : arrays.first[t + 1]])) for t in range(arrays.tasks)
        ),
        tuple(
            Edge(f"t{a}", f"t{b}", float(nbytes))
            for a, b, nbytes in zip(arrays.source, arrays.target, arrays.nbytes, strict=True)
        ),
        tuple(
            Link(names[a], names[b], float(arrays.latency[a, b]), float(arrays.rate[a, b]))
            for a in range(arrays.processors)
            for b in range(arrays.processors)
            if a != b and arrays.latency[a, b] < float("inf")
        ),
    )


def reached(arrays: Arrays, task: int) -> set[int]:
    found: set[int] = set()
    ahead = [task]
    while ahead:
        here = ahead.pop()
        for edge in arrays.outgoing[arrays.outgoing_first[here] : arrays.outgoing_first[here + 1]].tolist():
            target = int(arrays.target[edge])
            if target not in found:
                found.add(target)
                ahead.append(target)
    return found


def arrays_of(problem: Problem) -> Arrays | None:
    try:
        return to_arrays(problem, usable_options(problem, "latency", Limits()))
    except InfeasibleError:
        return None
