"""Measure candidates: each node's against each other, in turns, on recorded inputs, no longer than needed.

Turns are blocks of runs, not single runs: an engine right after another one runs slower than by itself, for
caches and thread pools. All candidates of a node take their turns in every round, so that a drift of the
machine's speed hits all of them alike.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from hetero.cost.contender import Candidate, Contender, execute, host_run
from hetero.cost.interpolate import Point, interpolate, representatives, sizes_of
from hetero.cost.measurement import About, Measurement, ProfileKey, specs_text, variant_text
from hetero.cost.progress import Progress, Steps, silent
from hetero.cost.race import DEFAULT_EFFORT, Effort, race
from hetero.cost.record import Call
from hetero.cost.store import ProfileStore
from hetero.errors import DeviceError, WorkerError
from hetero.values import digest_of, specs_of

__all__ = ["Candidate", "Effort", "Prediction", "Profiler", "execute", "host_run"]

_FAILURE = "failure"
_FAILURE_HOLDS_S = 7 * 24 * 3600.0
"""How long a refusal is believed without trying again: the machine may have been short of memory, say."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Seconds of all of a candidate's calls, one after the other, and of each; ``measured`` says how many of
    them have shapes that were measured, the others are interpolated."""

    seconds: float
    spread_s: float
    per_call: tuple[float, ...]
    measured: int


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The shapes of some calls as text, their amounts of work, and the calls that are measured for all of
    them."""

    texts: tuple[str, ...]
    sizes: tuple[float, ...]
    wanted: Mapping[str, Call]


class Profiler:
    """Measures what the store does not know, and files it.

    ``deadline`` is a time of ``clock`` (``time.perf_counter``) after which nothing more is begun.
    ``progress`` hears of each candidate. ``taken`` counts the measurements that were taken rather than found.
    """

    def __init__(
        self,
        store: ProfileStore | None = None,
        deadline: float | None = None,
        progress: Progress | None = None,
        *,
        effort: Effort = DEFAULT_EFFORT,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.taken = 0
        self._store, self._deadline, self._effort = store, deadline, effort
        self._progress = progress or silent
        self._clock, self._sleep, self._now = clock, sleep, now
        self._known: dict[ProfileKey, Measurement] = {}
        self._shapes: dict[tuple[str, tuple[Call, ...]], _Shapes] = {}
        self._last_engine: str | None = None

    def measure(self, candidates: Sequence[Candidate]) -> Mapping[Candidate, Measurement | DeviceError]:
        """The measurement of each candidate, or why it is out. One that the deadline left no time for is
        absent.

        The measurement of a candidate with several calls is that of an average call: seconds are the mean
        over its calls (see ``predict``), the error is the largest, the repetitions are the fewest.
        """
        steps = self._progress(len(candidates))
        rivals: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            rivals.setdefault(candidate.path, []).append(candidate)
        results: dict[Candidate, Measurement | DeviceError] = {}
        for of_one_node in rivals.values():
            results.update(self._measure_node(of_one_node, steps))
        return results

    def predict(self, candidate: Candidate) -> Prediction | None:
        """Seconds over all of the candidate's calls from what is measured; None where nothing is.

        A call of a measured shape takes what was measured, another is interpolated over work. Spreads are
        added as they are, not in quadrature: the error of a line is the same error in every call.
        """
        shapes = self._shapes_of(candidate)
        measured = {text: m for text in dict.fromkeys(shapes.texts) if (m := self._get(candidate, text))}
        if not measured:
            return None
        size_of = dict(zip(shapes.texts, shapes.sizes, strict=True))
        known = {text: Point(size_of[text], m.seconds, m.spread_s) for text, m in measured.items()}
        lines = list(known.values())
        calls = [
            known[text] if text in known else interpolate(lines, size)
            for text, size in zip(shapes.texts, shapes.sizes, strict=True)
        ]
        return Prediction(
            seconds=sum(call.seconds for call in calls),
            spread_s=sum(call.spread_s for call in calls),
            per_call=tuple(call.seconds for call in calls),
            measured=sum(text in known for text in shapes.texts),
        )

    def _measure_node(
        self, rivals: list[Candidate], steps: Steps
    ) -> dict[Candidate, Measurement | DeviceError]:
        results: dict[Candidate, Measurement | DeviceError] = {}
        missing: list[Candidate] = []
        for candidate in rivals:
            reason = self._known_failure(candidate)
            if reason is not None:
                results[candidate] = DeviceError(reason)
            elif not self._is_settled(candidate, rivals):
                missing.append(candidate)
                continue
            steps.advance(f"{candidate}: known")
        # Variants of one engine side by side: fewer changes of engine, fewer pauses.
        missing.sort(key=lambda candidate: candidate.device.info.engine)
        results.update(self._measure_missing(missing, rivals, steps))
        for candidate in rivals:
            if candidate not in results and (average := self._average(candidate)) is not None:
                results[candidate] = average
        return results

    def _measure_missing(
        self, missing: Sequence[Candidate], rivals: Sequence[Candidate], steps: Steps
    ) -> dict[Candidate, DeviceError]:
        """Measure, shape by shape, and file each measurement as soon as it is settled; who failed, and
        why."""
        failures: dict[Candidate, DeviceError] = {}
        with ExitStack() as stack:
            # Compiled once each for all shapes; every one is closed at the end, also after Ctrl-C.
            contenders = {candidate: Contender(candidate, self._clock) for candidate in missing}
            for contender in contenders.values():
                stack.callback(contender.close)
            told: set[Candidate] = set()

            def begin_turn(contender: Contender) -> None:
                if contender.candidate not in told:
                    told.add(contender.candidate)
                    steps.advance(str(contender.candidate))
                engine = contender.candidate.device.info.engine
                if self._last_engine not in (None, engine):
                    self._sleep(self._effort.pause_s)
                self._last_engine = engine

            wanted = dict.fromkeys(
                text for candidate in missing for text in self._shapes_of(candidate).wanted
            )
            for text in wanted:
                entries = [
                    (contender, call)
                    for candidate, contender in contenders.items()
                    if (call := self._shapes_of(candidate).wanted.get(text))
                    and self._get(candidate, text) is None
                ]
                effort = replace(self._effort, candidate_s=self._effort.candidate_s / len(wanted))
                best_s = self._best_s(rivals, text)
                for contender, verdict in race(entries, effort, best_s, begin_turn, self._late):
                    if isinstance(verdict, DeviceError):
                        failures[contender.candidate] = verdict
                        self._remember_failure(contender.candidate, verdict)
                    else:
                        self._file(contender, text)
                    if verdict != "measured":
                        contender.close()
                        del contenders[contender.candidate]
        return failures

    def _is_settled(self, candidate: Candidate, rivals: Sequence[Candidate]) -> bool:
        """Whether nothing is left to measure: all shapes are known, or one that shows it to be hopeless."""
        known = {text: self._get(candidate, text) for text in self._shapes_of(candidate).wanted}
        # A little under the limit: the best's median may have moved since the candidate was given up.
        limit = 0.8 * self._effort.hopeless
        return all(known.values()) or any(
            m and m.low_s > limit * self._best_s(rivals, t) for t, m in known.items()
        )

    def _best_s(self, rivals: Sequence[Candidate], text: str) -> float:
        known = (self._get(rival, text) for rival in rivals)
        return min((m.seconds for m in known if m is not None), default=math.inf)

    def _average(self, candidate: Candidate) -> Measurement | None:
        prediction = self.predict(candidate)
        if prediction is None:
            return None
        measured = [m for text in self._shapes_of(candidate).wanted if (m := self._get(candidate, text))]
        if len(measured) == len(prediction.per_call) == 1:
            return measured[0]
        count = len(prediction.per_call)
        seconds = prediction.seconds / count
        total = sum(m.seconds for m in measured)
        errors = [m.error for m in measured if m.error is not None]
        return Measurement(
            seconds=seconds,
            spread_s=prediction.spread_s / count,
            # The interval of the average is taken to be as wide, relatively, as those it is made of.
            low_s=seconds * sum(m.low_s for m in measured) / total if total else seconds,
            high_s=seconds * sum(m.high_s for m in measured) / total if total else seconds,
            repetitions=min(m.repetitions for m in measured),
            cold_s=max(m.cold_s for m in measured),
            error=max(errors) if errors else None,
            measured_at=min(m.measured_at for m in measured),
        )

    def _shapes_of(self, candidate: Candidate) -> _Shapes:
        key = (candidate.op.digest, candidate.calls)
        if key not in self._shapes:
            specs = [specs_of(call.inputs) for call in candidate.calls]
            texts, sizes = tuple(map(specs_text, specs)), sizes_of(candidate.op, specs)
            chosen = representatives(sizes, texts, self._effort.shapes)
            self._shapes[key] = _Shapes(texts, sizes, {texts[i]: candidate.calls[i] for i in chosen})
        return self._shapes[key]

    def _key(self, candidate: Candidate, text: str) -> ProfileKey:
        fingerprint = candidate.device.info.fingerprint(candidate.processor)
        return ProfileKey(candidate.op.digest, fingerprint, variant_text(candidate.variant), text)

    def _get(self, candidate: Candidate, text: str) -> Measurement | None:
        key = self._key(candidate, text)
        if key not in self._known and self._store is not None:
            stored = self._store.get(key)
            if stored is not None:
                self._known[key] = stored
        return self._known.get(key)

    def _file(self, contender: Contender, text: str) -> None:
        timing, candidate = contender.timing, contender.candidate
        measurement = Measurement(
            timing.seconds,
            timing.spread_s,
            timing.low_s,
            timing.high_s,
            timing.repetitions,
            contender.cold_s,
            contender.error,
            self._now(),
        )
        key = self._key(candidate, text)
        self._known[key] = measurement
        self.taken += 1
        if self._store is not None:
            work = candidate.op.work(specs_of(self._shapes_of(candidate).wanted[text].inputs))
            flops, nbytes = (work.flops, work.nbytes) if work else (None, None)
            info = candidate.device.info
            about = About(candidate.op.name, candidate.op.kind, info.name, info.engine, flops, nbytes)
            self._store.put(key, measurement, about)

    def _failure_key(self, candidate: Candidate) -> str:
        key = self._key(candidate, "; ".join(self._shapes_of(candidate).wanted))
        return digest_of(key.op, key.device, key.variant, key.specs)

    def _known_failure(self, candidate: Candidate) -> str | None:
        if self._store is None:
            return None
        record = self._store.get_record(_FAILURE, self._failure_key(candidate))
        if record is None or self._now() - record["at"] > _FAILURE_HOLDS_S:
            return None
        return str(record["reason"])

    def _remember_failure(self, candidate: Candidate, error: DeviceError) -> None:
        # A dead worker or a full memory says nothing about the next time.
        transient = isinstance(error, WorkerError) or isinstance(error.__cause__, MemoryError)
        if self._store is not None and not transient:
            record = {"reason": str(error), "at": self._now()}
            self._store.put_record(_FAILURE, self._failure_key(candidate), record)

    def _late(self) -> bool:
        return self._deadline is not None and self._clock() >= self._deadline
