"""A plan as a value: what was asked, what was decided, what is predicted; with one-line doors to what runs it.

(The module is not called ``plan``: importing it would replace the function ``ht.plan``.)
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from hetero import show
from hetero.arguments import Errors
from hetero.cost.estimate import Estimate
from hetero.cost.metrics import RELATIVE, Metric
from hetero.device import Variant
from hetero.errors import ArgumentError
from hetero.events import Event
from hetero.graph import Graph
from hetero.limits import Limits
from hetero.machine import Machine
from hetero.schedule.problem import Problem
from hetero.schedule.schedule import Schedule

if TYPE_CHECKING:
    from hetero.planning.drift import Proposal
    from hetero.planning.evidence import Evidence
    from hetero.planning.selection import Selection
    from hetero.run.metered import MeteredSession
    from hetero.run.session import Session

__all__ = ["CONTROL", "Choice", "Considered", "MicroBatch", "Pair", "Plan", "Request", "Speeds", "Within"]

CONTROL = "control"
"""The device of maps and branches: the program itself, which runs their items and sides."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a node was given. A map's choice is ``control`` with its ``lanes`` as a setting of the variant
    and, as ``threads``, the cores that all its lanes hold together."""

    device: str
    variant: Variant

    def __str__(self) -> str:
        return f"{self.device} {self.variant}"


@dataclass(frozen=True, slots=True)
class Considered:
    """One option of a node with its estimate for one request, or with the reason why it cannot be chosen."""

    choice: Choice
    estimate: Estimate | None
    reason: str = ""

    @property
    def usable(self) -> bool:
        return self.estimate is not None and not self.reason


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Calls of one node by several requests, made as one call.

    At most ``requests`` of them; the first one waits at most ``wait_s`` for others that are under way.

    Raises:
        ArgumentError: there is nothing to run together, or the wait is no time.
    """

    requests: int
    wait_s: float

    def __post_init__(self) -> None:
        if isinstance(self.requests, bool) or not isinstance(self.requests, int) or self.requests < 2:
            raise ArgumentError(f"requests={self.requests!r}: expected a number of requests >= 2")
        if (
            isinstance(self.wait_s, bool)
            or not isinstance(self.wait_s, int | float)
            or not 0 <= self.wait_s < inf
        ):
            raise ArgumentError(f"wait_s={self.wait_s!r}: expected a number of seconds >= 0")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of the planner."""

    objective: str
    limits: Limits
    selection: Selection
    metric: Metric = RELATIVE
    """What the error limit is about."""


Pair: TypeAlias = tuple[str, Choice, str, Choice]
"""A node and its choice, beside another node and its choice."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """What running side by side does, relative to alone, as it was measured: to one core, by the number of busy cores
    (``cores``), to each lane of a map, by path, choice and lanes (``beside``), and to the first node of a pair beside
    the second (``pairs``)."""

    cores: Mapping[int, float] = field(default_factory=dict)
    beside: Mapping[tuple[str, Choice, int], float] = field(default_factory=dict)
    pairs: Mapping[Pair, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """graph + machine + choices + schedule + predictions.

    ``choices`` has an entry for every path of ``graph.walk()``; ``problem`` and ``schedule`` have one task for each
    top-level node, by its name. ``options`` are all that was considered, the losers and their reasons too.
    """

    graph: Graph
    machine: Machine
    request: Request
    choices: Mapping[str, Choice]
    problem: Problem
    schedule: Schedule
    estimate: Estimate
    options: Mapping[str, tuple[Considered, ...]] = field(default_factory=dict, repr=False)
    evidence: Evidence | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    micro_batches: Mapping[str, MicroBatch] = field(default_factory=dict)
    """The nodes that are run for several requests at once."""
    cluster: str | None = None
    """The address of the Ray cluster that it runs on; None is this machine."""
    speeds: Speeds = field(default_factory=Speeds, repr=False)
    """What planning again, with other constraints, has to know to predict as this plan does."""
    samples: tuple[tuple[Any, ...], ...] = field(default=(), repr=False)
    """The samples it was planned on, kept in this process for planning again; never saved."""
    profiles: Path | None = field(default=None, repr=False)
    """The profile store that it was planned from, which its runs correct; None is that of the user's cache."""
    _open: _Opened = field(default_factory=lambda: _Opened(), repr=False)

    @property
    def objective(self) -> str:
        return self.request.objective

    @property
    def placement(self) -> dict[str, tuple[str, Variant]]:
        """Node path -> (device name, variant). Nodes that a rewrite made one of are named each, all in its place."""
        placed: dict[str, tuple[str, Variant]] = {}
        for path, node in self.graph.walk():
            choice = self.choices[path]
            inside = path.removesuffix(node.name)
            for name in node.stands_for or (node.name,):
                placed[inside + name] = (choice.device, choice.variant)
        return placed

    @property
    def session(self) -> Session:
        """What runs this plan; opened at its first use."""
        return self._open.session(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run once."""
        return self.session.call(args, kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start one request; the future gives its result."""
        return self.session.submit(args, kwargs)

    async def run_async(self, *args: Any, **kwargs: Any) -> Any:
        """Run once, without blocking the event loop."""
        import asyncio

        return await asyncio.wrap_future(self.submit(*args, **kwargs))

    def within(self, deadline_s: float) -> Within:
        """The same plan with a deadline for each request: ``plan.within(0.1)(x)``, ``plan.within(0.1).submit(x)``.

        Not an argument of ``submit`` itself, whose arguments are the pipeline's.
        """
        return Within(self, deadline_s)

    def stream(
        self,
        items: Iterable[Any],
        *,
        in_flight: int | None = None,
        ordered: bool = True,
        deadline_s: float | None = None,
        errors: Errors = "raise",
    ) -> Iterator[Any]:
        """Results of many requests with several in flight, lazily, in the order of the items unless told otherwise.

        An item is the single input of the pipeline, or ``ht.args(...)`` where it takes several. With
        ``errors="return"`` an error is given out in the place of its result and does not end the stream: that of a
        node, or the ``DeadlineError`` of an item that was not answered within ``deadline_s``.
        """
        return self.session.stream(items, in_flight, ordered, deadline_s=deadline_s, errors=errors)

    def iterate(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Run once, and give out the items of the result as they are made, each when it is asked for.

        For pipelines whose result is the value of a generator node, or a map: of a generator's items, or of a list.

        >>> import hetero as ht
        >>> @ht.node
        ... def count(n):
        ...     for i in range(n):
        ...         yield i
        >>> with ht.plan(count, 3) as plan:
        ...     plan(3), next(plan.iterate(10**9))
        ([0, 1, 2], 0)
        """
        return self.session.iterate(args, kwargs)

    def explain(self) -> str:
        """What runs where and why, what lost and by how much, the bound, and once it ran, predicted and measured."""
        from hetero.explain import explain

        return explain(self)

    def report(self, path: str | Path) -> None:
        """Write an HTML report in one file that works offline."""
        from hetero.report.page import write_report

        write_report(self, path)

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON, for ``ht.load_plan(path, pipeline)``; the old file stays intact if that fails."""
        from hetero.plan_files import save_plan

        save_plan(self, path)

    def micro_batched(
        self, requests: int = 8, wait_s: float = 0.002, nodes: Iterable[str] | None = None
    ) -> Plan:
        """The same plan with nodes that are run for several requests at once, where that pays on this machine.

        For many callers at a time, by ``submit``, ``stream`` or from several threads. Each node is run on the plan's
        sample, alone and for ``requests`` requests at once: it is taken where that takes less time a request and gives
        each the same answer, within the plan's error limit. The notes of the plan say which were taken, and why not.

        Args:
            requests: how many requests at most go together.
            wait_s: how long the first one waits for others that are under way; a caller who is alone never waits.
            nodes: which ones to try; without it those whose model has a first axis of any size.

        Raises:
            ArgumentError: the plan has no sample (it was loaded from a file), or a node cannot be run so.
        """
        from hetero.planning.micro_batches import with_micro_batches

        return with_micro_batches(self, MicroBatch(requests, wait_s), None if nodes is None else tuple(nodes))

    def metered(self) -> MeteredSession:
        """A session of its own that says what each request took of the machine's energy and money: ``shares()``.

        Counted where there are counters, else by the power model; the shares add up to the whole.

        >>> import hetero as ht
        >>> @ht.node
        ... def double(x):
        ...     return 2 * x
        >>> with ht.plan(double, 1) as plan, plan.metered() as session:
        ...     list(session.stream([1, 2])), [share.request for share in session.shares()]
        ([2, 4], [0, 1])
        """
        from hetero.run.metered import MeteredSession

        return MeteredSession(self)

    def on_ray(self, address: str | None = None, *, labels: Mapping[str, str] | None = None) -> Plan:
        """The same pipeline planned again for a Ray cluster, with the same face; for its nodes with these labels only.

        A cluster that has grown or shrunk is used as it is then: a plan on a cluster has ``on_ray`` too.
        """
        from hetero.run.ray_plan import plan_for_cluster

        return plan_for_cluster(self, address, labels)

    def stats(self) -> Mapping[str, Any]:
        """By node path: calls, p50 and p99 seconds, bytes moved, predicted seconds; no calls and NaN where it has
        not run."""
        return self._open.stats(self)

    @property
    def events(self) -> tuple[Event, ...]:
        """What went wrong while it ran and was repaired, and nodes that drifted from their predictions, in order."""
        return self._open.events()

    def reconsider(self) -> Proposal | None:
        """A better plan by what the runs so far have shown, with its expected gain; None where nothing has drifted, or
        no plan gains enough. Nothing is switched: this plan goes on, the proposed one runs when it is called."""
        from hetero.planning.drift import reconsider

        return reconsider(self, self.stats())

    def close(self) -> None:
        """End what runs; a closed plan raises ``ClosedError`` when it is called."""
        self._open.close()

    def __enter__(self) -> Plan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return self.explain()

    def __repr__(self) -> str:
        return f"<plan of {self.graph.name!r} for {self.objective}: {show.seconds(self.estimate.seconds)}>"


@dataclass(frozen=True, slots=True)
class Within:
    """A plan whose requests are dropped where they are not answered within ``deadline_s`` seconds.

    Raises (from every method, or its future):
        DeadlineError: the deadline has passed.
    """

    plan: Plan
    deadline_s: float

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run once, and wait no longer than that."""
        return self.plan.session.call(args, kwargs, deadline_s=self.deadline_s)

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start one request; the future gives its result."""
        return self.plan.session.submit(args, kwargs, deadline_s=self.deadline_s)

    def iterate(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """The items of one result as they are made; the deadline is looked at whenever one has been."""
        return self.plan.session.iterate(args, kwargs, deadline_s=self.deadline_s)

    async def run_async(self, *args: Any, **kwargs: Any) -> Any:
        """Run once, without blocking the event loop."""
        import asyncio

        return await asyncio.wrap_future(self.submit(*args, **kwargs))


class _Opened:
    """The session of a plan: the one thing about a plan that changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._closed = False

    def session(self, plan: Plan) -> Session:
        found = self._session
        if found is not None:  # every call asks, and a lock is a tenth of what a quick call takes
            return found
        with self._lock:
            if self._session is None:
                from hetero.errors import ClosedError
                from hetero.run.open import open_session

                if self._closed:
                    raise ClosedError(f"plan of {plan.graph.name!r} is closed; make a new one with ht.plan")
                self._session = open_session(plan)
            return self._session

    def stats(self, plan: Plan) -> Mapping[str, Any]:
        if self._session is not None:
            return self._session.stats()
        from hetero.run.watchdog import with_predictions

        return with_predictions(plan, {})

    def events(self) -> tuple[Event, ...]:
        return () if self._session is None else self._session.events

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._session is not None:
                self._session.close()

    def __reduce__(self) -> tuple[type[_Opened], tuple[()]]:  # a plan travels without what runs it
        return _Opened, ()
