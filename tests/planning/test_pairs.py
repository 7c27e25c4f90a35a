"""Two nodes beside each other: measured where that may decide, once, and told."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_devices import FakeBackend, Register
from planning.made import first, machine, option, second, setting
from tiny_models import affine

import hetero as ht
from hetero.cost.beside import Side
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.limits import Limits
from hetero.planning import pairs
from hetero.planning.contention import Contention, overlaps
from hetero.planning.control import Setting
from hetero.planning.measure import Samples
from hetero.planning.pairs import MOST, speeds_of_pairs
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Choice, Pair, Plan, Request
from hetero.schedule.solve import solve
from hetero.schedule.warm import SMALL, random_problem

X = np.ones((2, 4), np.float32)
WIDE = ht.pipeline(lambda x: (first(x), second(x))).trace()
CHAIN = ht.pipeline(lambda x: second(first(x))).trace()
WHERE = machine("cpu/good")


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The search, which a busy machine may take longer to load than a plan has time."""
    solve(random_problem(SMALL), budget_seconds=60.0)


def asked(
    graph: Any, options: Any, speed: float, monkeypatch: pytest.MonkeyPatch, objective: str = "latency"
) -> Mapping[Pair, float]:
    """The pairs whose speeds are asked for, each of which is answered with this one."""
    monkeypatch.setattr(pairs, "_speeds", lambda *_: (speed, speed))
    request = Request(objective, Limits(), Selection())
    made = setting(graph, options, contention=Contention({2: 0.5}))

    def chosen(hoped: Setting) -> Plan:
        return settle(graph, WHERE, request, hoped, None, 5.0)

    with ProfileStore(":memory:") as store:
        return speeds_of_pairs(graph, WHERE, request, made, chosen, Samples(graph, (), None), store, None)


def ways(wide_s: float) -> tuple[Any, ...]:
    return option("cpu/good", 1.0), option("cpu/good", wide_s, threads=2)


def test_a_pair_is_asked_for_where_it_may_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the model would not let them overlap; at no loss 1.0 s side by side beats 1.4 s in turn."""
    both = {"first": ways(0.7), "second": ways(0.7)}
    assert len(asked(WIDE, both, 0.6, monkeypatch)) == 2
    assert asked(CHAIN, both, 0.6, monkeypatch) == {}
    assert asked(WIDE, both, 0.6, monkeypatch, "throughput") == {}


def test_where_not_even_its_best_would_pay_no_pair_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """1.02 s in turn beside 1.0 s at once is no gain."""
    assert asked(WIDE, {"first": ways(0.51), "second": ways(0.51)}, 0.6, monkeypatch) == {}


def test_many_ways_to_overlap_are_not_all_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that loses leads to the next best, up to a number."""
    some = option("cpu/good", 1.0)
    many = tuple(
        replace(some, choice=Choice("cpu/good", Variant(settings={"way": i}))) for i in range(2 * MOST)
    )
    assert len(asked(WIDE, {"first": many, "second": many}, 0.5, monkeypatch)) == 2 * MOST


def test_a_pair_is_as_fast_as_it_was_beside_its_rivals_whatever_the_profiles_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each runs 0.9 times while its rival, which takes 0.7 s, runs once: in 0.78 s, for which its profile says 1 s. By
    other estimates that is another speed; nothing is measured again for it."""
    measured: list[int] = []

    def scripted(*_: object) -> tuple[float, float]:
        measured.append(1)
        return 0.9, 0.9

    monkeypatch.setattr(pairs, "speeds_of_pair", scripted)
    monkeypatch.setattr(pairs, "_side", lambda way, _: way)
    request, samples = Request("latency", Limits(), Selection()), Samples(WIDE, ((X,),), None)
    known: Mapping[Pair, float] = {}
    with ProfileStore(":memory:") as store:
        for rival_s in (0.7, 0.65):
            options = {"first": ways(rival_s), "second": ways(rival_s)}
            made = setting(WIDE, options, contention=Contention({2: 0.5}), pairs=known)

            def chosen(hoped: Setting) -> Plan:
                return settle(WIDE, WHERE, request, hoped, None, 5.0)

            known = speeds_of_pairs(WIDE, WHERE, request, made, chosen, samples, store, None)
            assert [*known.values()] == pytest.approx([0.9 / rival_s, 0.9 / rival_s])
    assert len(measured) == 1


def two_models(x: Any) -> Any:
    return affine("one")(x), affine("two", factor=3.0)(x)


@pytest.mark.parametrize("at_once", [True, False])
def test_devices_that_differ_beside_each_other_are_found_out(
    at_once: bool, tmp_path: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both take the same time alone; the plan overlaps those that can, says what was measured, and measures it once.
    The parts run beside each other with nothing between them: the pipeline as a whole runs once, to record its calls.
    """
    monkeypatch.setattr("hetero.planning.decide.core_efficiency", lambda *_: told_of_cores(0.7))
    device = register(FakeBackend("scripted", seconds=0.004))
    looked: list[int] = []

    def scripted(sides: tuple[Side, Side], rivals: tuple[Side, Side]) -> tuple[float, float]:
        looked.append(1)
        assert {side.op.name for side in sides} == {"one", "two"}
        assert [rival.op.name for rival in rivals] == [side.op.name for side in sides]
        return (1.0, 0.9) if at_once else (0.5, 0.5)

    monkeypatch.setattr(pairs, "speeds_of_pair", scripted)
    traced = ht.pipeline(two_models, name="pair")
    whole: list[int] = []
    monkeypatch.setattr("hetero.planning.measure.record", partial(counting, whole))
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        with ht.plan(traced, X, allow=["scripted"], store=store) as plan:
            assert bool(overlaps(plan.problem, plan.schedule)) == at_once
            (note,) = [line for line in plan.notes if "side by side" in line]
            assert note.startswith(
                "side by side, contention measured" if at_once else "measured side by side"
            )
            assert sorted(plan.speeds.pairs.values()) == ([0.9, 1.0] if at_once else [0.5, 0.5])
            saved = tmp_path / "plan.json"
            plan.save(saved)
        assert ht.load_plan(saved, traced).speeds == plan.speeds
        assert len(whole) == 1
        device.runs = 0
        ht.plan(traced, X, allow=["scripted"], store=store).close()
        assert device.runs == 0
        assert len(looked) == 1


def counting(whole: list[int], *args: Any) -> Any:
    from hetero.cost.record import record

    whole.append(1)
    return record(*args)


def told_of_cores(speed: float) -> Any:
    from hetero.cost.contention import CoreSpeeds

    return CoreSpeeds({2: speed}, 0.0)


def test_what_fails_beside_another_one_is_not_run_so(tmp_path: Path, register: Register) -> None:
    """Each runs alone; the second call inside at once is an error."""
    register(FakeBackend("fragile", change=Alone()))
    with (
        ProfileStore(tmp_path / "profiles.sqlite") as store,
        ht.plan(ht.pipeline(two_models, name="pair"), X, allow=["fragile"], store=store) as plan,
    ):
        assert not overlaps(plan.problem, plan.schedule)
        assert set(plan.speeds.pairs.values()) == {0.5}


class Alone:
    """A part of a run that two may not be in."""

    def __init__(self) -> None:
        self.busy = threading.Lock()

    def __call__(self, value: Any) -> Any:
        if not self.busy.acquire(blocking=False):
            raise RuntimeError("only one at a time")
        try:
            time.sleep(0.004)
        finally:
            self.busy.release()
        return value
