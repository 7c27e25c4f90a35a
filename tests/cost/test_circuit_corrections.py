"""Runs on the user's machine correct the shipped rates of simulators, slowly and within bounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hetero.cost import circuit_corrections
from hetero.cost.circuit_corrections import ENOUGH, MOST, Corrections


def test_a_few_runs_correct_nothing_and_enough_do() -> None:
    """The median of the ratios, once there are enough; another method's forecasts stay as they are."""
    known = Corrections()
    for _ in range(ENOUGH - 1):
        known.observe("aer statevector", 1.0, 2.0)
    assert known.factor("aer statevector") == 1.0
    known.observe("aer statevector", 1.0, 50.0)  # a busy moment
    assert known.factor("aer statevector") == pytest.approx(2.0)
    assert known.factor("statevector") == 1.0


def test_no_correction_is_wild_and_short_runs_say_nothing() -> None:
    """At most a factor of four; what takes a millisecond is about calls."""
    known = Corrections()
    for _ in range(ENOUGH):
        known.observe("slow", 0.01, 10.0)
        known.observe("quick", 0.0001, 0.001)
        known.observe("unknown", float("inf"), 1.0)
    assert known.factor("slow") == MOST
    assert known.factor("quick") == known.factor("unknown") == 1.0


def test_the_next_process_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned is kept in the file; a damaged one is begun anew."""
    monkeypatch.setattr(circuit_corrections, "SAVE_EVERY_S", 0.0)
    path = tmp_path / "simulators.json"
    known = Corrections(path)
    for _ in range(ENOUGH):
        known.observe("statevector", 1.0, 0.5)
    assert Corrections(path).factor("statevector") == pytest.approx(0.5)
    assert len(json.loads(path.read_text())["statevector"]) == ENOUGH
    path.write_text("[1, 2")
    assert Corrections(path).factor("statevector") == 1.0
    path.write_text("[1, 2]")
    assert Corrections(path).factor("statevector") == 1.0
