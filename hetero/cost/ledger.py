"""What is known of candidates: measurements and refusals, in memory and in the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from hetero.cost.contender import Candidate, Contender
from hetero.cost.measurement import About, Measurement, ProfileKey, variant_text
from hetero.cost.roofline import Fits, fit
from hetero.cost.store import ProfileStore
from hetero.errors import DeviceError, WorkerError
from hetero.values import Specs, digest_of

__all__ = ["Ledger", "change_seconds_of"]

_FAILURE = "failure"
_CHANGE = "change of shapes"
_FAILURE_HOLDS_S = 7 * 24 * 3600.0
"""How long a refusal is believed without trying again: the machine may have been short of memory, say."""


class Ledger:
    """Looks candidates up and files what was found out. Without a store it remembers for its own life.

    ``now`` is the time in seconds since the epoch.
    """

    def __init__(self, store: ProfileStore | None, now: Callable[[], float] = time.time) -> None:
        self._store, self._now = store, now
        self._known: dict[ProfileKey, Measurement] = {}

    def get(self, candidate: Candidate, specs_text: str) -> Measurement | None:
        key = _key(candidate, specs_text)
        if key not in self._known and self._store is not None:
            stored = self._store.get(key)
            if stored is not None:
                self._known[key] = stored
        return self._known.get(key)

    def file(self, contender: Contender, specs_text: str, specs: Specs) -> None:
        """File what the contender's timings say, as one transaction, together with what an earlier build took."""
        candidate, timing = contender.candidate, contender.timing
        measurement = Measurement(
            timing.seconds,
            timing.spread_s,
            timing.low_s,
            timing.high_s,
            timing.repetitions,
            contender.cold_s,
            contender.error,
            self._now(),
            contender.evicted_s,
        )
        key = _key(candidate, specs_text)
        earlier = self.get(candidate, specs_text)
        if earlier is not None and earlier.repetitions > 1:
            measurement = earlier.joined(measurement)
        self._known[key] = measurement
        if self._store is not None:
            op, info, work = candidate.op, candidate.device.info, candidate.op.work(specs)
            flops, nbytes = (work.flops, work.nbytes) if work else (None, None)
            self._store.put(key, measurement, About(op.name, op.kind, info.name, info.engine, flops, nbytes))

    def fits(self) -> Fits:
        """The rates of every device, variant and kind of op of which enough is measured."""
        return {} if self._store is None else fit(self._store.rows())

    def failure(self, candidate: Candidate, shapes: Iterable[str]) -> DeviceError | None:
        """Why the candidate failed on these shapes the last time, if it did so lately."""
        if self._store is None:
            return None
        record = self._store.get_record(_FAILURE, _failure_key(candidate, shapes))
        if record is None or self._now() - record["at"] > _FAILURE_HOLDS_S:
            return None
        return DeviceError(record["reason"])

    def file_failure(self, candidate: Candidate, shapes: Iterable[str], error: DeviceError) -> None:
        # A dead worker or a full memory says nothing about the next time.
        transient = isinstance(error, WorkerError) or isinstance(error.__cause__, MemoryError)
        if self._store is not None and not transient:
            record = {"reason": str(error), "at": self._now()}
            self._store.put_record(_FAILURE, _failure_key(candidate, shapes), record)

    def has_change(self, candidate: Candidate) -> bool:
        """Whether it is known what a change of shapes costs the candidate; without a store nobody would look it up."""
        return self._store is None or self._store.get_record(_CHANGE, _change_key_of(candidate)) is not None

    def file_change(self, candidate: Candidate, seconds: float) -> None:
        if self._store is not None:
            self._store.put_record(_CHANGE, _change_key_of(candidate), {"seconds": seconds})


def change_seconds_of(store: ProfileStore, key: ProfileKey) -> float:
    """What a change of shapes costs a call of this op in this way; 0 where it was not measured."""
    record = store.get_record(_CHANGE, _change_key(key))
    return 0.0 if record is None else float(record["seconds"])


def _change_key_of(candidate: Candidate) -> str:
    return _change_key(_key(candidate, ""))


def _change_key(key: ProfileKey) -> str:
    """One for all shapes: preparing a model hangs on its number of operators rather than on their sizes."""
    return digest_of(key.op, key.device, key.variant)


def _key(candidate: Candidate, specs_text: str) -> ProfileKey:
    fingerprint = candidate.device.info.fingerprint(candidate.processor)
    return ProfileKey(candidate.op.digest, fingerprint, variant_text(candidate.variant), specs_text)


def _failure_key(candidate: Candidate, shapes: Iterable[str]) -> str:
    key = _key(candidate, "; ".join(shapes))
    return digest_of(key.op, key.device, key.variant, key.specs)
