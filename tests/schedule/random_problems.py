"""Random problems for tests: small enough to solve by brute force, with every feature of the format."""

from __future__ import annotations

from hypothesis import strategies as st

from hetero.schedule import Edge, Link, Option, Problem, Processor, Task

SECONDS = st.one_of(
    st.integers(0, 9).map(float),
    st.floats(0.001, 9.0, allow_nan=False),
    st.sampled_from([0.1, 0.2, 0.3, 1e-6]),
)


@st.composite
def problems(draw: st.DrawFn, max_tasks: int = 5, max_options: int = 3) -> Problem:
    """Up to `max_tasks` tasks on up to 3 processors, some pairs without a link, some memory tight."""
    names = [f"p{i}" for i in range(draw(st.integers(1, 3)))]
    processors = tuple(
        Processor(name, draw(st.integers(1, 3)), draw(st.one_of(st.none(), st.integers(4, 12))))
        for name in names
    )
    links = tuple(
        Link(a, b, draw(st.sampled_from([0.0, 0.25, 1.0])), draw(st.sampled_from([1.0, 3.0])))
        for a in names
        for b in names
        if a != b and draw(st.integers(0, 9)) > 0
    )
    count = draw(st.integers(0, max_tasks))
    tasks = tuple(
        Task(f"t{i}", tuple(draw(st.lists(options(names), min_size=1, max_size=max_options))))
        for i in range(count)
    )
    edges = tuple(
        Edge(f"t{a}", f"t{b}", draw(st.sampled_from([0, 1, 2.5, 7])))
        for b in range(count)
        for a in range(b)
        if draw(st.integers(0, 2)) == 0
    )
    return Problem(processors, tasks, edges, links)


@st.composite
def options(draw: st.DrawFn, names: list[str]) -> Option:
    """Mostly possible options; a few need more cores or memory than there is."""
    return Option(
        processor=draw(st.sampled_from(names)),
        seconds=draw(SECONDS),
        cores=draw(st.sampled_from([1, 1, 1, 2, 3])),
        memory_bytes=draw(st.integers(0, 4)),
        joules=draw(st.sampled_from([0, 0.5, 1, 2.7])),
        dollars=draw(st.sampled_from([0, 1e-6, 3e-6])),
        error=draw(st.sampled_from([0, 1e-4, 1e-2])),
        resident=draw(st.sampled_from([None, None, "shared", "other"])),
    )
