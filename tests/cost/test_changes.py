"""What a change of shapes costs an engine: timed, filed, found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetero.cost.changes import change_seconds, changes_a_request
from hetero.cost.ledger import change_seconds_of
from hetero.cost.measurement import ProfileKey
from hetero.values import specs_of

from .fakes import CPU, PLAIN, Clock, FakeEngine, call, candidate, profiler, store_in
from .free import FREE


def test_a_change_costs_what_a_first_call_takes_longer_than_a_second() -> None:
    """An engine that prepares for each new shape is found out, however long its calls are."""
    clock, last = Clock(), [()]

    def run(inputs: tuple[int]) -> None:
        clock.sleep(inputs[0] + (0.25 if inputs != last[0] else 0.0))
        last[0] = inputs

    assert change_seconds(run, [(1,), (2,), (4,)], clock, budget_s=1e9) == pytest.approx(0.25)
    assert change_seconds(run, [(1,), (2,)], clock, budget_s=0.0) == pytest.approx(0.25)


def test_an_engine_that_prepares_nothing_loses_nothing() -> None:
    """Noise in its favour is no gain."""
    clock = Clock()
    assert change_seconds(lambda inputs: clock.sleep(1.0), [(1,), (2,)], clock, budget_s=1e9) == 0.0


def test_changes_of_a_request_are_those_between_its_own_calls() -> None:
    """A map over shapes by chance changes nearly every time; a node that runs once a request never does."""
    assert changes_a_request([1] * 10, samples=1) == pytest.approx(9.0)
    assert changes_a_request([5, 5], samples=2) == pytest.approx(2.5)
    assert changes_a_request([3], samples=3) == changes_a_request([], samples=1) == 0.0


def test_a_profile_over_several_shapes_keeps_what_a_change_costs(tmp_path: Path) -> None:
    """The planner finds it under the op, the device and the variant, whatever the shapes; functions have none."""
    clock, engine = Clock(), None
    engine = FakeEngine(clock)
    small, large = call(4), call(8)
    for op, expected in ((FREE, True), (candidate(engine).op, False)):
        with store_in(tmp_path / op.kind) as store:
            profiler(clock, store).measure([candidate(engine, small, large, op=op)])
            key = ProfileKey.of(op, engine.info, CPU, PLAIN, specs_of(small.inputs))
            kept = store.get_record("change of shapes", _record_key(key))
            assert (kept is not None) == expected
            assert change_seconds_of(store, key) == 0.0


def _record_key(key: ProfileKey) -> str:
    from hetero.values import digest_of

    return digest_of(key.op, key.device, key.variant)
