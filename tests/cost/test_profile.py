"""Measuring: fair between candidates, no longer than needed, never twice, never a crash."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetero.cost.measurement import Measurement
from hetero.cost.profile import Effort, execute, host_run
from hetero.cost.record import Call
from hetero.device import Variant
from hetero.errors import DeviceError, WorkerError
from hetero.ops.base import Outputs

from .fakes import IDENTITY, Clock, FakeEngine, call, candidate, profiler, store_in


def noisy(seconds: float, seed: int = 0) -> Iterator[float]:
    """Timings with a floor and a tail, as real ones have."""
    random = np.random.default_rng(seed)
    while True:
        yield seconds * (1 + random.exponential(0.02))


def measured(results: Any, which: Any) -> Measurement:
    found = results[which]
    assert isinstance(found, Measurement), found
    return found


def test_the_median_and_the_cold_start_are_told_apart() -> None:
    """Compiling and a slow first run are in cold_s and not in the seconds."""
    clock = Clock()
    engine = FakeEngine(clock, chain([2.0], repeat(0.01)), compile_s=0.5)
    found = measured(profiler(clock).measure([(c := candidate(engine))]), c)
    assert found.seconds == pytest.approx(0.01)
    assert found.cold_s == pytest.approx(2.5)
    assert found.error == 0.0
    assert found.measured_at == 1000.0
    assert found.low_s <= found.seconds <= found.high_s


def test_steady_timings_need_few_runs_and_noisy_ones_more() -> None:
    """Measuring stops once the median is known to within the tolerance."""
    clock = Clock()
    runs = []
    for times in (repeat(0.01), noisy(0.01)):
        engine = FakeEngine(clock, iter(times))
        profiler(clock, effort=Effort(tolerance=0.002, candidate_s=60)).measure([candidate(engine)])
        runs.append(engine.runs)
    assert 6 <= runs[0] < runs[1]


def test_a_candidate_s_time_is_bounded() -> None:
    """Timings that never settle end with the candidate's share of the time."""
    clock = Clock()
    wild = (0.01 * (1 + i % 7) for i in range(10**6))
    engine = FakeEngine(clock, wild, compile_s=0.0)
    profiler(clock, effort=Effort(tolerance=1e-6, candidate_s=2.0)).measure([candidate(engine)])
    assert clock.now < 3.0


def test_candidates_take_turns_so_that_drift_hits_both_alike() -> None:
    """A machine that slows down by half while measuring does not favour who came first."""
    clock = Clock()

    def drifting() -> Iterator[float]:
        while True:
            yield 0.01 * (1 + min(1.0, clock.now / 4))

    a, b = FakeEngine(clock, drifting(), engine="a"), FakeEngine(clock, drifting(), engine="b")
    first, second = candidate(a), candidate(b)
    results = profiler(clock, effort=Effort(tolerance=1e-6, candidate_s=1.0)).measure([first, second])
    assert measured(results, first).seconds == pytest.approx(measured(results, second).seconds, rel=0.05)


def test_engines_rest_before_each_other_s_turns_and_not_before_their_own() -> None:
    """The pause is taken where the engine changes."""
    clock = Clock()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)

    one = [candidate(FakeEngine(clock, engine="a"), variant=Variant(threads=n)) for n in (1, 2)]
    p = profiler(clock)
    p._sleep = sleep
    p.measure(one)
    assert pauses == []
    p.measure([candidate(FakeEngine(clock, engine=e), path="other") for e in ("a", "b")])
    assert pauses
    assert set(pauses) == {0.05}


def test_a_hopeless_candidate_is_dropped_early_and_kept_in_the_table() -> None:
    """What takes far longer than the best is measured once or twice, and what was measured stays."""
    clock = Clock()
    good, bad = FakeEngine(clock, repeat(0.01)), FakeEngine(clock, repeat(5.0), engine="slow")
    fast, slow = candidate(good), candidate(bad)
    results = profiler(clock).measure([fast, slow])
    assert bad.runs == 2
    assert measured(results, slow).seconds == pytest.approx(5.0)
    assert measured(results, slow).repetitions == 1
    assert measured(results, fast).repetitions > 3


def test_a_hiccup_does_not_make_a_candidate_hopeless() -> None:
    """A few slow runs, while something else kept the machine busy, are given a second chance."""
    clock = Clock()
    unlucky = FakeEngine(clock, chain(repeat(0.09, 3), repeat(0.01)), engine="unlucky")
    results = profiler(clock).measure([candidate(FakeEngine(clock)), (c := candidate(unlucky))])
    assert measured(results, c).seconds == pytest.approx(0.01)


def test_runs_shorter_than_the_clock_are_timed_in_groups() -> None:
    """A microsecond's run is not drowned by the clock's own cost."""
    clock = Clock()
    engine = FakeEngine(clock, repeat(1e-6))
    found = measured(profiler(clock).measure([(c := candidate(engine))]), c)
    assert found.seconds == pytest.approx(1e-6)
    assert engine.runs > 50 * found.repetitions / 2


def test_a_second_profiler_measures_nothing(tmp_path: Path) -> None:
    """What the store knows is not run, compiled or measured again: good, hopeless and failing ones."""
    clock = Clock()

    def broken(*inputs: Any) -> Outputs:
        raise ValueError("no such kernel")

    good, bad = FakeEngine(clock), FakeEngine(clock, repeat(9.0), engine="slow")
    refusing = FakeEngine(clock, run=broken, engine="broken")
    candidates = [candidate(engine, call(4), call(400), call(40)) for engine in (good, bad, refusing)]
    with store_in(tmp_path) as store:
        first = profiler(clock, store).measure(candidates)
    compiled = [engine.compiled for engine in (good, bad, refusing)]
    with store_in(tmp_path) as store:
        again = profiler(clock, store)
        second = again.measure(candidates)
    assert [engine.compiled for engine in (good, bad, refusing)] == compiled == [1, 1, 1]
    assert again.taken == 0
    assert {c: str(r) for c, r in second.items()} == {c: str(r) for c, r in first.items()}


def test_another_engine_version_is_measured_anew(tmp_path: Path) -> None:
    """Entries of an older engine are not used."""
    clock = Clock()
    with store_in(tmp_path) as store:
        profiler(clock, store).measure([candidate(FakeEngine(clock, version="1"))])
        newer = profiler(clock, store)
        newer.measure([candidate(FakeEngine(clock, version="2"))])
    assert newer.taken == 1


@pytest.mark.parametrize("when", ["compile", "first run", "later run"])
def test_a_candidate_that_raises_is_a_reason_and_not_a_crash(when: str) -> None:
    """The reason names node, device and what was raised; the others are measured."""
    clock = Clock()
    limit = {"compile": 0, "first run": 0, "later run": 5}[when]

    def run(*inputs: Any) -> Outputs:
        if bad.runs > limit:
            raise MemoryError("out of memory")
        return inputs

    bad, good = FakeEngine(clock, run=run, engine="bad"), FakeEngine(clock, engine="good")
    if when == "compile":
        bad.compile = lambda op, variant: run()  # type: ignore[method-assign, assignment, return-value]
        bad.runs = 1
    loser, winner = candidate(bad), candidate(good)
    results = profiler(clock).measure([loser, winner])
    reason = results[loser]
    assert isinstance(reason, DeviceError)
    assert "cpu/bad" in str(reason)
    assert "out of memory" in str(reason)
    assert isinstance(reason.__cause__, MemoryError)
    assert isinstance(results[winner], Measurement)
    assert bad.compiled == bad.closed


def test_a_dead_worker_is_tried_again(tmp_path: Path) -> None:
    """A failure that says nothing about the next time is not remembered."""
    clock = Clock()

    def die(*inputs: Any) -> Outputs:
        raise WorkerError("worker died")

    with store_in(tmp_path) as store:
        c = candidate(FakeEngine(clock, run=die))
        assert isinstance(profiler(clock, store).measure([c])[c], WorkerError)
        c = candidate(FakeEngine(clock))
        assert isinstance(profiler(clock, store).measure([c])[c], Measurement)


def test_wrong_outputs_are_measured_as_such() -> None:
    """The error is the largest relative difference from the recorded outputs; infinite for another shape."""
    clock = Clock()
    off = FakeEngine(clock, run=lambda x: (x * np.float32(1.01),), engine="off")
    wrong = FakeEngine(clock, run=lambda x: (x[:-1],), engine="wrong")
    results = profiler(clock).measure([(a := candidate(off)), (b := candidate(wrong))])
    assert measured(results, a).error == pytest.approx(0.01, rel=1e-3)
    assert measured(results, b).error == math.inf


def test_ctrl_c_keeps_what_is_finished_and_closes_everything(tmp_path: Path) -> None:
    """An interrupt in the middle of the second node leaves the first one's measurement and nothing else."""
    clock = Clock()

    def interrupt(*inputs: Any) -> Outputs:
        if second.runs == 4:
            raise KeyboardInterrupt
        return inputs

    first, second = FakeEngine(clock), FakeEngine(clock, run=interrupt, engine="second")
    with store_in(tmp_path) as store:
        with pytest.raises(KeyboardInterrupt):
            profiler(clock, store).measure([candidate(first, path="a"), candidate(second, path="b")])
        assert [row.about.engine for row in store.rows()] == ["fake"]
    assert (first.compiled, second.compiled) == (first.closed, second.closed) == (1, 1)


def test_the_deadline_leaves_the_rest_out() -> None:
    """Nothing is begun after the deadline; who was begun keeps what was timed; the others are absent."""
    clock = Clock()
    engines = [FakeEngine(clock, repeat(0.5), engine=f"e{i}") for i in range(4)]
    candidates = [candidate(engine) for engine in engines]
    results = profiler(clock, deadline=3.0).measure(candidates)
    assert candidates[0] in results
    assert candidates[-1] not in results
    assert engines[-1].compiled == 0


def test_what_a_deadline_cut_short_is_measured_again_when_there_is_time(tmp_path: Path) -> None:
    """A single timing is used while there is nothing better, and is not the last word."""
    clock = Clock()
    c = candidate(FakeEngine(clock, repeat(0.5)))
    with store_in(tmp_path) as store:
        rough = measured(profiler(clock, store, deadline=0.9).measure([c]), c)
        assert rough.repetitions < 3
        assert measured(profiler(clock, store).measure([c]), c).repetitions >= 3


def test_what_another_occasion_measured_counts_where_no_time_is_left(tmp_path: Path) -> None:
    """A shape that would not be picked today, with nothing else measured: the average is made of it."""
    clock = Clock()
    calls = tuple(call(size) for size in (10, 20, 30, 40, 50))
    engine = FakeEngine(clock, repeat(0.01))
    with store_in(tmp_path) as store:
        profiler(clock, store).measure([candidate(engine, calls[1])])
        late = profiler(clock, store, deadline=0.0)
        found = measured(late.measure([c := candidate(engine, *calls)]), c)
    assert late.taken == 0
    assert found.seconds == pytest.approx(0.01 * sum((10, 20, 30, 40, 50)) / 20 / len(calls))


def test_of_many_calls_a_few_are_measured_and_the_rest_lies_between() -> None:
    """An op of 90 shapes is run on three of them, and its total is near what all would have taken."""
    clock = Clock()
    calls = tuple(call(size) for size in range(10, 100))

    def run(x: Any) -> Outputs:
        clock.sleep(len(x) * 1e-3)
        return (x,)

    engine = FakeEngine(clock, repeat(0.005), run=run)
    p = profiler(clock)
    c = candidate(engine, *calls)
    found = measured(p.measure([c]), c)
    prediction = p.predict(c)
    assert p.taken == 3
    assert prediction is not None
    true = sum(0.005 + len(one.inputs[0]) * 1e-3 for one in calls)
    assert prediction.seconds == pytest.approx(true, rel=0.01)
    assert prediction.measured == 3
    assert found.seconds == pytest.approx(true / len(calls), rel=0.01)
    assert prediction.spread_s > 0


def test_calls_of_one_shape_are_measured_once() -> None:
    """The same shape again is not another measurement."""
    clock = Clock()
    p = profiler(clock)
    c = candidate(FakeEngine(clock), call(4), call(4), call(4))
    p.measure([c])
    assert p.taken == 1
    prediction = p.predict(c)
    assert prediction is not None
    assert prediction.seconds == pytest.approx(0.03)


def test_nothing_is_predicted_from_nothing() -> None:
    """Without any measurement there is no prediction."""
    clock = Clock()
    assert profiler(clock).predict(candidate(FakeEngine(clock))) is None


def test_progress_hears_of_every_candidate_once() -> None:
    """The steps told are as many as were announced, whatever becomes of the candidates."""
    clock = Clock()
    told: list[str] = []
    totals: list[int] = []

    class Bar:
        def __init__(self, total: int) -> None:
            totals.append(total)

        def advance(self, text: str) -> None:
            told.append(text)

    candidates = [candidate(FakeEngine(clock, engine=e), call(4), call(40)) for e in "ab"]
    profiler(clock, progress=Bar).measure(candidates)
    assert totals == [2]
    assert [text.split()[2] for text in told] == ["cpu/a", "cpu/b"]


def test_execute_closes_also_when_the_body_fails() -> None:
    """The executable is let go of whatever happens to it."""
    engine = FakeEngine(Clock())
    with pytest.raises(ZeroDivisionError), execute(engine, IDENTITY, Variant()):
        raise ZeroDivisionError
    assert engine.closed == 1


class FarMemory:
    """Values in it are marked, and running on unmarked ones is an error."""

    space = "far"

    def put(self, value: Any) -> Any:
        return ("far", value)

    def get(self, value: Any) -> Any:
        assert value[0] == "far"
        return value[1]


def test_inputs_are_in_the_device_s_memory_and_transfers_are_not_timed() -> None:
    """A device of another memory space gets its own values; putting them there takes no part in the seconds."""
    clock = Clock()

    class Slow(FarMemory):
        def put(self, value: Any) -> Any:
            clock.sleep(7.0)
            return super().put(value)

    def run(x: Any) -> Outputs:
        assert x[0] == "far"
        return (x,)

    engine = FakeEngine(clock, run=run, memory=Slow(), compile_s=0.5)
    found = measured(profiler(clock).measure([(c := candidate(engine))]), c)
    assert found.seconds == pytest.approx(0.01)
    assert found.cold_s == pytest.approx(0.51)
    with execute(engine, IDENTITY, Variant()) as executable:
        assert host_run(engine, executable)(3) == (3,)


def test_two_nodes_of_one_op_share_their_measurements() -> None:
    """The second use of a model on the same shapes costs nothing."""
    clock = Clock()
    p = profiler(clock)
    engine = FakeEngine(clock)
    shared: tuple[Call, ...] = (call(),)
    results = p.measure(
        [(a := candidate(engine, *shared, path="a")), (b := candidate(engine, *shared, path="b"))]
    )
    assert p.taken == 1
    assert results[a] == results[b]


def test_an_asynchronous_device_is_timed_until_its_outputs_are_there() -> None:
    """Submitting is quick and says nothing: the time is that of waiting."""
    clock = Clock()

    class Queued:
        """A run that was submitted and takes its time while someone waits."""

        token = None

        def __init__(self, inputs: Any) -> None:
            self.inputs = tuple(inputs)

        def wait(self, timeout_s: float | None = None) -> Outputs:
            clock.sleep(0.25)
            return self.inputs

        def cancel(self) -> bool:
            return False

    class Queue(FakeEngine):
        def compile(self, op: Any, variant: Variant) -> Any:
            self.compiled += 1
            return self

        def start(self, inputs: Any) -> Queued:
            clock.sleep(0.001)
            return Queued(inputs)

        def close(self) -> None:
            self.closed += 1

    found = measured(profiler(clock).measure([(c := candidate(Queue(clock)))]), c)
    assert found.seconds == pytest.approx(0.251)


def test_an_exact_way_is_measured_beside_an_inexact_one_that_is_faster() -> None:
    """The inexact one may be taken out for what it does to the pipeline's result: then the best exact one is needed."""
    clock = Clock()
    coarse = candidate(FakeEngine(clock, repeat(0.01)), variant=Variant("bf16", exact=False))
    quick = candidate(FakeEngine(clock, repeat(0.025)), variant=Variant(threads=2))
    slow = candidate(FakeEngine(clock, repeat(0.04)), variant=Variant())
    results = profiler(clock, error_limit=math.inf).measure([coarse, quick, slow])
    assert measured(results, quick).seconds == pytest.approx(0.025)
    assert measured(results, quick).repetitions > 2
