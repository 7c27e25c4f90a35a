"""Devices that are lost, and the plan that goes on without them until they are back.

All of it is done by one thread of its own, which exists from the first failure on: who runs requests is never held up
by it. A device counts as lost when it cannot be built on any more, when a call hangs in it, or when it fails several
requests in a row; it is back when everything can be built on it again and the plan's own sample runs through.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from hetero.errors import DeviceError, HeteroError, InfeasibleError, UnavailableError
from hetero.events import EventLog
from hetero.planning.repair import repair
from hetero.plans import CONTROL, Plan
from hetero.run.engine import Engine, Engines
from hetero.run.executor import AtWork, Launched
from hetero.run.health import LOST_AFTER, NO_STRIKES, Strikes, after_failure
from hetero.run.local import LocalExecutor
from hetero.run.retry import device_of, runs_once

__all__ = ["Failover"]

Reopen: TypeAlias = Callable[[Plan], LocalExecutor]
Again: TypeAlias = Callable[[bool], None]
Moved: TypeAlias = Callable[[Engine, Collection[str]], None]

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
TRIAL_S = 30.0


class Failover:
    """Replaces the engine of a session by one without the lost devices, and back.

    ``moved`` is told of an engine that was replaced, whose waiting requests belong to the new one, and of the lost
    devices, where whatever still runs may never end.
    """

    def __init__(self, engines: Engines, log: EventLog, reopen: Reopen, moved: Moved) -> None:
        self._engines, self._log, self._reopen, self._moved = engines, log, reopen, moved
        self._whole = engines.current.plan
        self._lost: dict[str, Callable[[], bool]] = {}  # each with whether its hung call has returned
        self._strikes: dict[str, Strikes] = {}
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.pause_s = FIRST_PAUSE_S

    def failed(self, engine: Engine, error: BaseException, again: Again) -> None:
        """A request has failed for its device as often as it may; ``again`` is told whether that has changed."""
        self._do(partial(self._examine, engine, error, again))

    def hung(self, engine: Engine, flight: Launched, at: AtWork) -> None:
        """A call has taken longer than anything that its estimate allows."""
        self._do(partial(self._quarantine, engine, flight, at))

    def close(self, patience_s: float = 5.0) -> None:
        """Let the thread end, which may be opening something just now."""
        with self._lock:
            thread, self._closed = self._thread, True
            self._jobs.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience_s)

    def _do(self, job: Callable[[], None]) -> None:
        with self._lock:
            if not self._closed:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._loop, name="hetero failover", daemon=True)
                    self._thread.start()
                self._jobs.put(job)
                return
        job()  # which finds that nothing is repaired any more

    def _loop(self) -> None:
        pause_s = self.pause_s
        while True:
            try:
                job = self._jobs.get(timeout=pause_s)
                if job is None:  # the last one: nothing is put after it
                    return
                pause_s = self.pause_s
                self._guarded(job)
                del job
            except Empty:
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                if self._guarded(self._try_return):
                    pause_s = self.pause_s
            self._guarded(self._tidy)

    def _guarded(self, work: Callable[[], object]) -> object:
        """Do something, whatever comes of it: requests wait for this thread, so it must not end."""
        try:
            return work()
        except Exception as unforeseen:  # told, for whoever can do something about it
            self._log.add(
                "failover failed", self._whole.graph.name, f"{type(unforeseen).__name__}: {unforeseen}"
            )
            return None

    def _tidy(self) -> None:
        """Close engines that nobody is inside of; take out of them who was inside of a stage and waits now."""
        for error in self._engines.sweep():
            self._log.add("not closed", self._whole.graph.name, str(error))
        for engine in self._engines.retired:
            self._moved(engine, self._lost)

    def _examine(self, engine: Engine, error: BaseException, again: Again) -> None:
        """Is it the device, or this one request?"""
        try:
            outcome = not self._closed and self._is_repaired(engine, error)
        except Exception as unforeseen:  # whatever it is, the request that failed has to be answered
            self._log.add(
                "not repaired", self._whole.graph.name, f"{type(unforeseen).__name__}: {unforeseen}"
            )
            outcome = False
        again(outcome and not runs_once(engine.executor.program))

    def _is_repaired(self, engine: Engine, error: BaseException) -> bool:
        """Whether a request that fails on an engine would find another one now."""
        if engine is not self._engines.current:  # repaired since
            return True
        device = device_of(engine.executor.program, error)
        if device is None or device in self._lost:
            return False
        why = self._why_lost(engine, device)
        return why is not None and self._lose(device, why)

    def _why_lost(self, engine: Engine, device: str) -> str | None:
        executor = engine.executor
        assert isinstance(executor, LocalExecutor), "only what runs here is repaired here"
        try:
            executor.probe(device)
        except DeviceError as error:
            return str(error)
        paths = {path for path, choice in engine.plan.choices.items() if choice.device == device}
        calls = sum(stats.calls for path, stats in executor.stats().items() if path in paths)
        strikes = self._strikes[device] = after_failure(self._strikes.get(device, NO_STRIKES), calls)
        if strikes.number < LOST_AFTER or not self._has_plan_without(device):
            return None  # it does what it is asked: the requests themselves may be to blame
        return f"it failed {strikes.number} requests in a row"

    def _has_plan_without(self, device: str) -> bool:
        try:
            repair(self._whole, {*self._lost, device})
        except InfeasibleError:
            return False
        return True

    def _quarantine(self, engine: Engine, flight: Launched, at: AtWork) -> None:
        if self._closed or at.stage not in flight.inside:
            return  # it has come back meanwhile
        if at.path and at.device not in self._lost:
            self._lose(
                at.device,
                f"{at}, and what hangs in this process cannot be stopped: no further call goes there",
                lambda: at.stage not in flight.inside,
            )

    def _lose(self, device: str, why: str, returned: Callable[[], bool] = lambda: True) -> bool:
        """Go on without a device; False where nothing else can do its work."""
        self._log.add("lost", device, why)
        self._lost[device] = returned
        started_s = time.monotonic()
        while True:
            try:
                plan = repair(self._whole, self._lost.keys())
                planned_s = time.monotonic() - started_s
                executor = self._reopen(plan)
            except InfeasibleError as error:
                self._refuse(device, why, error)
                return False
            except DeviceError as error:
                if not error.device or error.device in self._lost:
                    self._refuse(device, why, error)
                    return False
                self._log.add("lost", error.device, str(error))
                self._lost[error.device] = lambda: True
                continue
            self._take(plan, executor)
            self._log.add(
                "repaired",
                device,
                f"planned again without it in {planned_s:.3f} s: {_changes(self._whole, plan)}",
            )
            return True

    def _refuse(self, device: str, why: str, error: HeteroError) -> None:
        message = f"device {device} is lost ({why}) and nothing else can do its work: {error}"
        self._engines.refusal = lambda: UnavailableError(message)
        self._log.add("stopped", self._whole.graph.name, message)
        self._moved(self._engines.current, self._lost)

    def _take(self, plan: Plan, executor: LocalExecutor) -> None:
        old = self._engines.replace(plan, executor)
        self._engines.refusal = None
        self._moved(old, self._lost)

    def _try_return(self) -> bool:
        """Use again what has come back; whether something has."""
        for device, returned in list(self._lost.items()):
            if not returned():
                continue
            rest = self._lost.keys() - {device}
            executor = None
            try:
                plan = repair(self._whole, rest) if rest else self._whole
                executor = self._reopen(plan)
                _try_out(plan, executor)
            except (HeteroError, TimeoutError):  # not yet; it is asked again after a longer pause
                if executor is not None and not executor.busy:
                    executor.close()
                continue
            del self._lost[device]
            self._strikes.pop(device, None)
            self._take(plan, executor)
            self._log.add(
                "back", device, f"it is used again: {_changes(self._whole, plan) or 'as first planned'}"
            )
            return True
        return False


def _try_out(plan: Plan, executor: LocalExecutor) -> None:
    """Run the plan's sample, where there is one and nothing forbids it.

    Raises:
        NodeError: it fails.
        TimeoutError: it takes far too long.
    """
    if not plan.samples or runs_once(executor.program):
        return
    ended: Future[Any] = Future()

    def done(result: Any, error: BaseException | None) -> None:
        ended.set_result(None) if error is None else ended.set_exception(error)

    flight = executor.launch(plan.samples[0], done)
    try:
        ended.result(TRIAL_S)
    finally:
        flight.cancel()


def _changes(before: Plan, now: Plan) -> str:
    """What runs somewhere else than it did."""
    return ", ".join(
        f"{path} on {choice}"
        for path, choice in now.choices.items()
        if choice != before.choices[path] and choice.device != CONTROL
    )
