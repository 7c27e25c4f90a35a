"""What a session finds out by itself about its predictions while it runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import until

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.events import EventLog
from hetero.plans import Plan
from hetero.run import watch
from hetero.run.timing import NodeStats, Recorder

PAUSE_S = {"slow": 0.002, "steady": 0.002}


@ht.node
def slow(x: int) -> int:
    time.sleep(PAUSE_S["slow"])
    return x


@ht.node
def steady(x: int) -> int:
    time.sleep(PAUSE_S["steady"])
    return x


@ht.pipeline
def both(x: int) -> int:
    return steady(slow(x))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProfileStore]:
    before = dict(PAUSE_S)
    with ProfileStore(tmp_path / "profiles.sqlite") as opened:
        yield opened
    PAUSE_S.update(before)


def planned(store: ProfileStore) -> Plan:
    return ht.plan(both, 1, store=store, allow="python")


def run(plan: Plan, times: int = 25) -> None:
    for _ in range(times):
        plan(1)


def test_a_node_that_becomes_slower_is_told_of_once_without_anybody_asking(store: ProfileStore) -> None:
    """The event says what planning again would gain; the plan itself stays as it is."""
    with planned(store) as plan:
        placement = plan.placement
        PAUSE_S["slow"] = 0.02
        run(plan)
        log = plan.session._reception.log
        until(lambda: log.since())
        (event,) = (one for one in plan.events if (one.kind, one.subject) == ("drift", "slow"))
        assert "times the" in event.message
        assert "plan" in event.message.split("; ")[-1]
        assert plan.placement == placement


def test_the_runs_of_a_plan_correct_the_next_one(store: ProfileStore) -> None:
    """It says so, and what was measured stays in the store."""
    with planned(store) as plan:
        profiles = {row.key: row.measurement for row in store.rows()}
        PAUSE_S["slow"] = 0.02
        for _ in range(3):
            plan.stats()  # the call after it is looked at
            run(plan, 10)
    with planned(store) as again:
        option = next(one for one in again.options["slow"] if one.choice == plan.choices["slow"])
    assert option.estimate is not None
    assert option.estimate.sources["seconds"] == "corrected by runs"
    assert option.estimate.seconds > 2 * plan.estimate.seconds
    assert {row.key: row.measurement for row in store.rows()} == profiles


def test_drift_that_was_over_is_told_again_when_it_comes_back(store: ProfileStore) -> None:
    """And as long as it lasts, only once."""
    log = EventLog()
    look = watch.Look(log)
    drifted = {"slow": NodeStats(100, 0.02, 0.02, predicted_s=0.002)}
    with planned(store) as plan:
        for _ in range(2):
            look.tell(plan, drifted)
        assert len(log.since()) == 1
        look.tell(plan, {})
        look.tell(plan, drifted)
        assert len(log.since()) == 2


def test_nodes_that_drift_at_once_are_one_event(store: ProfileStore) -> None:
    """It is of the farthest and names the others."""
    log = EventLog()
    drifted = {
        "steady": NodeStats(100, 0.004, 0.004, predicted_s=0.002),
        "slow": NodeStats(100, 0.02, 0.02, predicted_s=0.002),
    }
    with planned(store) as plan:
        watch.Look(log).tell(plan, drifted)
    (event,) = log.since()
    assert event.subject == "slow"
    assert event.message.startswith("takes 20 ms, 10.00 times the 2 ms predicted; steady drifted less; ")


def test_calls_that_are_far_from_the_others_are_counted_as_outliers() -> None:
    """They move neither the median nor its spread much; times that vary by a few percent have none."""
    recorder = Recorder({})
    note = recorder.block(["node"], "")["note"]
    for number in range(100):
        note((0.0, 1.0 + 0.001 * (number % 10)))
    assert recorder.stats()["node"].outliers == 0
    for _ in range(3):
        note((0.0, 9.0))
    found = recorder.stats()["node"]
    assert (found.outliers, found.timed) == (3, 103)
    assert found.p50_s == pytest.approx(1.0, abs=0.01)
    assert found.spread_s < 0.01


ENDS_DURING_A_LOOK = """
import threading, time
from hetero.run import watch

class Session:
    def look(self):
        began.set()
        time.sleep(0.3)
        print("looked", flush=True)

began, session = threading.Event(), Session()
watch.FIRST_S = 0.01
watch.watch(session)
began.wait()
"""


def test_a_process_waits_for_the_look_that_is_under_way_when_it_ends() -> None:
    """Else its thread may be inside of a library when the interpreter goes away, which aborts the process."""
    command = [sys.executable, "-c", ENDS_DURING_A_LOOK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "looked\n"), done.stderr
