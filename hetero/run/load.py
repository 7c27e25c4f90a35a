"""A plan under load: how many requests a second it answers, and how long each waits.

Two kinds of load, which answer two questions:

- *closed*: so many users, each of whom sends the next request when the last one is answered. What is the most that the
  plan can do? A slow plan slows its users down, so that latencies look better than a crowd would find them.
- *open*: requests arrive as they please, by a Poisson process of a given rate, whether or not the plan keeps up. How
  long does a request take? Latency counts from when a request was to be sent, not from when the driver got round to
  it, so that a stall is seen by all who would have come meanwhile (G. Tene calls its neglect coordinated omission).

    from hetero.run.load import closed_loop, open_loop

    print(closed_loop(plan, [page], users=4))
    print(open_loop(plan, [page], rate=20.0))

A rate of a few answers says little: one more or less would change it. So a closed loop goes on until it has seen enough
of them, within bounds, and a load that has not tells no rate.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hetero import show
from hetero.arguments import call_arguments
from hetero.errors import ArgumentError, OverloadError

__all__ = ["FEWEST", "STRETCH", "Load", "LoadCurve", "Target", "closed_loop", "load_curve", "open_loop"]

SECONDS = 5.0

FEWEST = 5
"""Answers below which no rate is told; nor below one for each user, since their answers may come all at once."""

STRETCH = 5.0
"""Times its own seconds that a closed loop may last, to see so many."""

DRAIN_S = 5.0
"""How long an open loop waits at its end for answers that are still under way."""

ENOUGH = 1.05
"""A curve stops adding users where twice as many bring less than this factor of throughput."""

UTILISATIONS = (0.3, 0.6, 0.8)
"""Shares of the most that was seen in a closed loop, at which a curve tries open loops."""


class Target(Protocol):
    """What takes load: a plan, or a session."""

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]: ...


@dataclass(frozen=True, slots=True)
class Load:
    """What one load gave. ``users`` of a closed loop, ``rate`` (requests a second) of an open one.

    ``latencies_s`` are of the requests that were sent within the load: infinite where a request was rejected, failed,
    or was not answered in the end. ``answers`` are those that came in a window of ``window_s`` seconds.
    """

    latencies_s: tuple[float, ...]
    window_s: float
    answers: int
    users: int | None = None
    rate: float | None = None
    failed: int = 0

    @property
    def per_second(self) -> float | None:
        """Answers a second, within the window; None where there were too few to tell.

        >>> Load((0.25,) * 12, 3.0, 12, users=1).per_second, Load((2.0,), 4.0, 2, users=1).per_second
        (4.0, None)
        """
        enough = self.answers >= _enough(self.users or 0) and self.window_s > 0
        return self.answers / self.window_s if enough else None

    def percentile_s(self, percent: float) -> float:
        """The latency that so many percent of the requests do not exceed; of no requests it is NaN.

        >>> Load((0.1, 0.3, 0.2), 1.0, 3, users=1).percentile_s(50)
        0.2
        """
        ordered = sorted(self.latencies_s)
        if not ordered:
            return math.nan
        return ordered[
            max(0, math.ceil(percent / 100 * len(ordered)) - 1)
        ]  # a latency that was seen, not a mean

    @property
    def p50_s(self) -> float:
        return self.percentile_s(50)

    @property
    def p99_s(self) -> float:
        return self.percentile_s(99)

    @property
    def name(self) -> str:
        return f"{self.users} in flight" if self.rate is None else f"{show.rate(self.rate)} a second"

    @property
    def counted(self) -> str:
        """What the rate is told from.

        >>> Load((2.0,), 4.0, 2, users=1).counted
        '2 answers in 4.00 s'
        """
        return f"{self.answers} answer{'' if self.answers == 1 else 's'} in {show.seconds(self.window_s)}"

    def __str__(self) -> str:
        """
        >>> print(Load((0.25,) * 12, 3.0, 12, users=1))
        1 in flight: 4 a second (12 answers in 3.00 s), p50 250 ms, p99 250 ms
        >>> print(Load((2.0,), 4.0, 2, users=1))
        1 in flight: too few answers for a rate, give it more seconds (2 answers in 4.00 s), p50 2.00 s, p99 2.00 s
        """
        few = "too few answers for a rate, give it more seconds"
        rate = few if self.per_second is None else f"{show.rate(self.per_second)} a second"
        lost = f", {self.failed} of {len(self.latencies_s)} not answered" if self.failed else ""
        waits = f"p50 {_time(self.p50_s)}, p99 {_time(self.p99_s)}"
        return f"{self.name}: {rate} ({self.counted}), {waits}{lost}"


def _enough(users: int) -> int:
    return max(FEWEST, users)


def _time(value: float) -> str:
    return show.seconds(value) if math.isfinite(value) else "-"


def closed_loop(
    target: Target, inputs: Sequence[Any], *, users: int, seconds: float = SECONDS, warm_up_s: float = 0.2
) -> Load:
    """So many users, each with one request under way at all times.

    Args:
        inputs: what requests are made of, in turn: single arguments, or ``ht.args(...)``.
        seconds: how long, after the warm-up; up to ``STRETCH`` times that where too few answers came for a rate.

    Raises:
        ArgumentError: no inputs, no users, or no time.
        HeteroError: whatever a request raises; a load of errors measures nothing.
    """
    items = _inputs(inputs)
    if users < 1 or not seconds > 0:
        raise ArgumentError(f"closed_loop(users={users}, seconds={seconds}): both must be positive")
    begin_s = time.perf_counter() + warm_up_s
    turn = itertools.count()
    taken: list[tuple[float, float]] = []
    answers_s: list[float] = []
    errors: list[Exception] = []

    def goes_on(now_s: float) -> bool:
        enough = len(answers_s) >= users + _enough(users)
        return not errors and now_s < begin_s + (seconds if enough else STRETCH * seconds)

    def use() -> None:
        while goes_on(sent_s := time.perf_counter()):
            args, kwargs = items[next(turn) % len(items)]
            try:
                target.submit(*args, **kwargs).result()
            except Exception as error:  # raised below, in the caller's thread
                errors.append(error)
                return
            done_s = time.perf_counter()
            if sent_s >= begin_s:
                taken.append((sent_s, done_s))
            if done_s >= begin_s and goes_on(done_s):
                answers_s.append(done_s)

    threads = [threading.Thread(target=use, name=f"user {number}") for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    # The window is from an answer to an answer: one that begins and ends anywhere is off by an answer, or by one of
    # each user where all come at once. So the first one of each user opens it.
    counted = sorted(answers_s)[users - 1 :]
    return Load(
        latencies_s=tuple(done_s - sent_s for sent_s, done_s in taken),
        window_s=counted[-1] - counted[0] if counted else 0.0,
        answers=max(0, len(counted) - 1),
        users=users,
    )


def open_loop(
    target: Target, inputs: Sequence[Any], *, rate: float, seconds: float = SECONDS, seed: int = 0
) -> Load:
    """Requests at random moments, ``rate`` a second on average, whatever the plan makes of them.

    Raises:
        ArgumentError: no inputs, or a rate or time that is not positive.
    """
    items = _inputs(inputs)
    if not (rate > 0 and seconds > 0 and math.isfinite(rate)):
        raise ArgumentError(f"open_loop(rate={rate}, seconds={seconds}): both must be positive numbers")
    moments = list(_poisson(rate, seconds, seed))
    done_s: list[float] = [math.inf] * len(moments)
    futures: list[Future[Any]] = []
    began_s = time.perf_counter()
    for number, moment in enumerate(moments):
        if (ahead := began_s + moment - time.perf_counter()) > 0:
            time.sleep(ahead)
        args, kwargs = items[number % len(items)]
        try:
            future = target.submit(*args, **kwargs)
        except OverloadError:  # a rejection is an answer that nobody can use
            continue
        future.add_done_callback(_noting(done_s, number))
        futures.append(future)
    rest_s = began_s + seconds - time.perf_counter()
    if rest_s > 0:
        time.sleep(rest_s)
    wait(futures, timeout=DRAIN_S)
    latencies = tuple(done - (began_s + moment) for done, moment in zip(done_s, moments, strict=True))
    return Load(
        latencies_s=latencies,
        window_s=seconds,
        answers=sum(done < began_s + seconds for done in done_s),
        rate=rate,
        failed=sum(math.isinf(latency) for latency in latencies),
    )


def _poisson(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Moments of arrival within the window: the gaps between them are exponential."""
    random = np.random.default_rng(seed)
    moment = 0.0
    while (moment := moment + float(random.exponential(1 / rate))) < seconds:
        yield moment


def _noting(done_s: list[float], number: int) -> Callable[[Future[Any]], None]:
    def note(future: Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            done_s[number] = time.perf_counter()

    return note


def _inputs(inputs: Sequence[Any]) -> list[tuple[Any, Any]]:
    if not inputs:
        raise ArgumentError("a load needs at least one input to send")
    return [call_arguments(item) for item in inputs]


@dataclass(frozen=True, slots=True)
class LoadCurve:
    """Throughput against load: closed loops by users, and open loops at shares of the most that those gave."""

    closed: tuple[Load, ...]
    open: tuple[Load, ...]

    @property
    def capacity(self) -> float:
        """The most answers a second that were seen; 0 where no load had enough of them for a rate."""
        return max((load.per_second or 0.0 for load in self.closed), default=0.0)


def load_curve(
    target: Target,
    inputs: Sequence[Any],
    *,
    users: Sequence[int] | None = None,
    rates: Sequence[float] | None = None,
    seconds: float = 1.0,
) -> LoadCurve:
    """Loads one after the other, of ``seconds`` each.

    Without ``users``: 1, 2, 4, ... as long as more of them bring more; without ``rates``: shares of what those reach.
    """
    closed: list[Load] = []
    for count in users if users is not None else (1, 2, 4, 8, 16):
        most = LoadCurve(tuple(closed), ()).capacity
        closed.append(closed_loop(target, inputs, users=count, seconds=seconds))
        grown = (closed[-1].per_second or 0.0) > ENOUGH * most
        if users is None and not grown:
            break
    curve = LoadCurve(tuple(closed), ())
    if rates is None:
        rates = [share * curve.capacity for share in UTILISATIONS if curve.capacity > 0]
    opened = tuple(open_loop(target, inputs, rate=rate, seconds=seconds) for rate in rates)
    return LoadCurve(curve.closed, opened)
