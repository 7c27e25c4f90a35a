"""Runtimes that run a graph of empty nodes: each a context manager that gives a function which runs it once.

A runtime that is not installed here says so by its absence from ``available``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import overhead_starpu
from overhead_graphs import Parents, sinks

import hetero as ht
from hetero.run.session import Session

sys.path.append(str(Path(__file__).parent.parent / "tests" / "run"))
from plans_by_hand import plan_of

Run: TypeAlias = Callable[[], object]
Runtime: TypeAlias = Callable[[Parents], AbstractContextManager[Run]]


def one(x: Any) -> Any:
    return x


def two(x: Any, y: Any) -> Any:
    return x


one_node, two_node = ht.node(one), ht.node(two)


@contextmanager
def plain_loop(parents: Parents) -> Iterator[Run]:
    """The calls themselves: what every other one is compared with."""

    def run() -> object:
        values: list[Any] = []
        for some in parents:
            if len(some) == 2:
                values.append(two(values[some[0]], values[some[1]]))
            else:
                values.append(one(values[some[0]] if some else 1))
        return values[-1]

    yield run


def traced(parents: Parents) -> Any:
    @ht.pipeline
    def graph(x: Any) -> Any:
        values: list[Any] = []
        for some in parents:
            if len(some) == 2:
                values.append(two_node(values[some[0]], values[some[1]]))
            else:
                values.append(one_node(values[some[0]] if some else x))
        return [values[i] for i in sinks(parents)]

    return graph.trace()


@contextmanager
def hetero_one_lane(parents: Parents) -> Iterator[Run]:
    """A plan without overlap, in the caller's thread."""
    with Session(plan_of(traced(parents))) as session:
        yield lambda: session.call((1,))


@contextmanager
def hetero_two_lanes(parents: Parents) -> Iterator[Run]:
    """A plan on two lanes: each node on the one that is free first, which hands values to and fro far too often."""
    graph = traced(parents)
    times: dict[str, tuple[float, float]] = {}
    free = [0.0, 0.0]
    for node, some in zip(graph, parents, strict=True):
        ready = max((times[graph.nodes[i].name][1] for i in some), default=0.0)
        lane = min((0, 1), key=lambda i: max(free[i], ready))
        start = max(free[lane], ready)
        times[node.name] = start, start + 1
        free[lane] = start + 1
    with Session(plan_of(graph, times=times)) as session:
        yield lambda: session.call((1,))


@contextmanager
def thread_pool(parents: Parents) -> Iterator[Run]:
    """``concurrent.futures``: a task a node, which waits for its parents' futures, that were submitted before it."""
    with ThreadPoolExecutor(2) as pool:

        def task(some: list[Future[Any]]) -> Any:
            return two(some[0].result(), some[1].result()) if len(some) == 2 else one(some[0].result())

        def run() -> object:
            futures: list[Future[Any]] = []
            for some in parents:
                waited = [futures[i] for i in some]
                futures.append(pool.submit(task, waited) if waited else pool.submit(one, 1))
            return [futures[i].result() for i in sinks(parents)]

        yield run


@contextmanager
def dask_threads(parents: Parents) -> Iterator[Run]:
    """Dask's threaded scheduler on a raw graph."""
    from dask.threaded import get

    graph: dict[str, Any] = {}
    for i, some in enumerate(parents):
        taken = [f"n{j}" for j in some]
        graph[f"n{i}"] = (two, *taken) if len(taken) == 2 else (one, *(taken or [1]))
    wanted = [f"n{i}" for i in sinks(parents)]
    yield lambda: get(graph, wanted, num_workers=2)


@contextmanager
def ray_tasks(parents: Parents) -> Iterator[Run]:
    """A Ray task a node."""
    import ray

    single, double = ray.remote(one), ray.remote(two)

    def run() -> object:
        refs: list[Any] = []
        for some in parents:
            taken = [refs[i] for i in some] or [1]
            refs.append((double if len(some) == 2 else single).remote(*taken))
        return ray.get([refs[i] for i in sinks(parents)])

    with _ray():
        yield run


@contextmanager
def ray_actor(parents: Parents) -> Iterator[Run]:
    """A call of one Ray actor a node."""
    import ray

    class Host:
        def one(self, x: Any) -> Any:
            return x

        def two(self, x: Any, y: Any) -> Any:
            return x

    with _ray():
        host: Any = ray.remote(Host).remote()  # type: ignore[attr-defined]  # an actor class is made on the fly

        def run() -> object:
            refs: list[Any] = []
            for some in parents:
                taken = [refs[i] for i in some] or [1]
                refs.append((host.two if len(some) == 2 else host.one).remote(*taken))
            return ray.get([refs[i] for i in sinks(parents)])

        yield run


@contextmanager
def _ray() -> Iterator[None]:
    import ray

    if not ray.is_initialized():
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield


def available() -> dict[str, Runtime]:
    """By name, each runtime that is here."""
    found: dict[str, Runtime] = {
        "plain loop": plain_loop,
        "hetero, one lane": hetero_one_lane,
        "hetero, two lanes": hetero_two_lanes,
        "concurrent.futures": thread_pool,
    }
    if overhead_starpu.package():
        found["StarPU"] = overhead_starpu.starpu
    if find_spec("dask"):
        found["dask, threads"] = dask_threads
    if find_spec("ray"):
        found |= {"ray tasks": ray_tasks, "ray actor": ray_actor}
    return found


def absent() -> list[str]:
    """Those that are not here, for the reader of the table."""
    missing = [name for name in ("dask", "ray") if not find_spec(name)]
    return missing + (
        [] if overhead_starpu.package() else ["StarPU (its library, pkg-config and a C compiler)"]
    )
