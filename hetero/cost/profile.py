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
from typing import TypeAlias

from hetero.cost.contender import Candidate, Contender, execute, host_run
from hetero.cost.interpolate import Point, interpolate, representatives, sizes_of
from hetero.cost.ledger import Ledger
from hetero.cost.measurement import Measurement, specs_text
from hetero.cost.progress import Progress, Steps, silent
from hetero.cost.race import DEFAULT_EFFORT, Effort, race
from hetero.cost.record import Call
from hetero.cost.roofline import Fits, fit_key, prior
from hetero.cost.store import ProfileStore
from hetero.cost.worth import Bar, Memory, Peer, Skipped, optimistic
from hetero.errors import DeviceError, StoreError
from hetero.values import specs_of

__all__ = ["Candidate", "Effort", "Found", "Prediction", "Profiler", "execute", "host_run"]

Found: TypeAlias = Measurement | DeviceError | Skipped
"""What came of a candidate: its numbers, why it failed, or why it was not worth measuring."""


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
    ``progress`` hears of each candidate. ``taken`` counts the measurements that were taken rather than found. What is
    off by more than ``error_limit`` is not measured further.
    """

    def __init__(
        self,
        store: ProfileStore | None = None,
        deadline: float | None = None,
        progress: Progress | None = None,
        *,
        effort: Effort = DEFAULT_EFFORT,
        error_limit: float = math.inf,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.taken = 0
        self._deadline, self._effort, self._error_limit = deadline, effort, error_limit
        self._progress = progress or silent
        self._clock, self._sleep = clock, sleep
        self._ledger = Ledger(store, now)
        self._shapes: dict[tuple[str, tuple[Call, ...]], _Shapes] = {}
        self._memory = Memory()
        self._last_engine: str | None = None

    def measure(self, candidates: Sequence[Candidate]) -> Mapping[Candidate, Found]:
        """The measurement of each candidate, or why it is out. One that the deadline left no time for is
        absent.

        The measurement of a candidate with several calls is that of an average call: seconds are the mean
        over its calls (see ``predict``), the error is the largest, the repetitions are the fewest.
        """
        steps = self._progress(len(candidates))
        rivals: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            rivals.setdefault(candidate.path, []).append(candidate)
        results: dict[Candidate, Found] = {}
        for of_one_node in rivals.values():
            results.update(self._measure_node(of_one_node, steps))
        return results

    def predict(self, candidate: Candidate) -> Prediction | None:
        """Seconds over all of the candidate's calls from what is measured; None where nothing is.

        A call of a measured shape takes what was measured, another is interpolated over work. Spreads are
        added as they are, not in quadrature: the error of a line is the same error in every call.
        """
        shapes, measured = self._shapes_of(candidate), self._measured(candidate)
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

    def _measure_node(self, rivals: list[Candidate], steps: Steps) -> dict[Candidate, Found]:
        results: dict[Candidate, Found] = {}
        missing: list[Candidate] = []
        for candidate in rivals:
            failure = self._ledger.failure(candidate, self._shapes_of(candidate).wanted)
            if failure is not None:
                results[candidate] = failure
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
    ) -> dict[Candidate, DeviceError | Skipped]:
        """Measure, shape by shape, and file each measurement as soon as it is settled; who failed or was passed over,
        and why."""
        failures: dict[Candidate, DeviceError | Skipped] = {}
        fits = self._fits() if missing else {}
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
                    and not self._is_known(candidate, text)
                ]
                effort = replace(self._effort, candidate_s=self._effort.candidate_s / len(wanted))
                bar = self._bar(rivals, text, fits)
                for contender, verdict in race(entries, effort, bar, begin_turn, self._late):
                    if isinstance(verdict, Skipped):
                        failures[contender.candidate] = verdict
                    elif isinstance(verdict, DeviceError):
                        failures[contender.candidate] = verdict
                        shapes = self._shapes_of(contender.candidate).wanted
                        self._ledger.file_failure(contender.candidate, shapes, verdict)
                    else:
                        specs = specs_of(self._shapes_of(contender.candidate).wanted[text].inputs)
                        self._ledger.file(contender, text, specs)
                        self.taken += 1
                    if verdict != "measured":
                        contender.close()
                        del contenders[contender.candidate]
            failures.update(self._measure_changes(contenders))
        return failures

    def _measure_changes(self, contenders: Mapping[Candidate, Contender]) -> dict[Candidate, DeviceError]:
        """What a change of shapes costs those who are called with several for one request; a Python function prepares
        nothing, and what is called once a request changes between requests only."""
        failures = {}
        for candidate, contender in contenders.items():
            calls = list(self._shapes_of(candidate).wanted.values())
            once = len(candidate.calls) == len({call.sample for call in candidate.calls})
            needless = once or candidate.op.kind == "function" or self._ledger.has_change(candidate)
            if len(calls) < 2 or needless or self._late():
                continue
            try:
                self._ledger.file_change(
                    candidate, contender.time_changes(calls, self._effort.candidate_s / 2)
                )
            except DeviceError as error:
                failures[candidate] = error
        return failures

    def _is_settled(self, candidate: Candidate, rivals: Sequence[Candidate]) -> bool:
        """Whether nothing is left to measure: all shapes are known, or one shows it to be hopeless."""
        wanted = self._shapes_of(candidate).wanted
        if all(self._is_known(candidate, text) for text in wanted):
            return True
        for text in wanted:
            found = self._ledger.get(candidate, text)
            if found is None:
                continue
            bar = self._bar(rivals, text, {})
            # A little under the limit: the best's median may have moved since the candidate was given up.
            if found.low_s > 0.8 * bar.most_s(candidate, ()) or bar.is_wrong(candidate, found.error):
                return True
        return False

    def _is_known(self, candidate: Candidate, text: str) -> bool:
        """Whether there is a measurement that was not cut short."""
        found = self._ledger.get(candidate, text)
        return found is not None and self._effort.knows(found)

    def _bar(self, rivals: Sequence[Candidate], text: str, fits: Fits) -> Bar:
        """What a candidate has to reach on these shapes, from what is known of its rivals."""
        known = [Peer(rival, m.seconds, m.error) for rival in rivals if (m := self._ledger.get(rival, text))]

        def least_s(candidate: Candidate) -> float:
            where = (candidate.device.info, candidate.processor, candidate.variant)
            call = self._shapes_of(candidate).wanted.get(text)
            if call is None or fit_key(*where, candidate.op.kind) not in fits:
                return 0.0
            seconds, spread_s = prior(candidate.op, *where, specs_of(call.inputs), fits)
            return optimistic(seconds, spread_s / seconds) if seconds > 0 else 0.0

        exact = any(rival.variant.exact for rival in rivals)
        return Bar(known, self._error_limit, least_s, self._effort.hopeless, self._memory, exact)

    def _fits(self) -> Fits:
        """Rates of what is measured so far; none where the store cannot be read, which it has said already."""
        try:
            return self._ledger.fits()
        except StoreError:
            return {}

    def _measured(self, candidate: Candidate) -> dict[str, Measurement]:
        """What is known of its shapes, also of those that are not to be measured now but were on another occasion."""
        texts = dict.fromkeys(self._shapes_of(candidate).texts)
        return {text: m for text in texts if (m := self._ledger.get(candidate, text))}

    def _average(self, candidate: Candidate) -> Measurement | None:
        prediction = self.predict(candidate)
        if prediction is None:
            return None
        measured = list(self._measured(candidate).values())
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

    def _late(self) -> bool:
        return self._deadline is not None and self._clock() >= self._deadline
