"""What samples showed, small enough to keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planning.made import first, second

import hetero as ht
from hetero.cost.record import record
from hetero.cost.store import ProfileStore
from hetero.planning.evidence import Evidence, evidence_key, evidence_of, recall, remember

GRAPH = ht.pipeline(
    lambda xs, t: ht.map(lambda x: ht.branch(t, lambda: first(x), lambda: second(x)), xs)
).trace()


def seen(*samples: tuple[Any, ...]) -> Evidence:
    return evidence_of(GRAPH, record(GRAPH, samples))


def test_calls_lengths_and_sides_are_counted() -> None:
    """Equal calls are one entry with their number; means are over the samples."""
    found = seen(([np.zeros(2), np.zeros(2)], True), ([np.zeros(3)], False), ([], True))
    assert found.lengths["map#1"] == (2, 1, 0)
    assert found.taken["map#1/branch#1"] == (True, True, False)
    (call,) = found.calls["map#1/branch#1/then/first"]
    assert call.count == 2
    assert found.per_request("map#1/branch#1/then/first") == pytest.approx(2 / 3)
    assert found.output_nbytes("map#1/branch#1/otherwise/second", 0) == pytest.approx(24 / 3)
    assert found.per_request("nothing") == 0


def test_it_survives_json_and_the_store(tmp_path: Path) -> None:
    """Kept under the content of the graph and the samples."""
    found = seen(([np.zeros(2), {"a": (1, "x")}], True))
    assert Evidence.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with ProfileStore(tmp_path / "s.sqlite") as store:
        assert recall(store, "k") is None
        remember(store, "k", found)
        assert recall(store, "k") == found


def test_the_key_is_of_graph_and_values() -> None:
    """Another value, another order, or another graph is another key."""
    other = ht.pipeline(lambda xs, t: ht.map(first, xs)).trace()
    keys = [
        evidence_key(GRAPH, [([1], True)]),
        evidence_key(GRAPH, [([2], True)]),
        evidence_key(GRAPH, [([1], False)]),
        evidence_key(GRAPH, [([1], True), ([1], True)]),
        evidence_key(other, [([1], True)]),
    ]
    assert len(set(keys)) == len(keys)
    assert evidence_key(GRAPH, [([1], True)]) == keys[0]


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 0},
        {"samples": "1"},
        {"calls": []},
        {"calls": {"a": [[[], [], 0]]}},
        {"calls": {"a": [[[["tensor", "float33", [1]]], [], 1]]}},
        {"calls": {"a": [[[["tensor", "float32", [-1]]], [], 1]]}},
        {"calls": {"a": [[[["gone", [], []]], [], 1]]}},
        {"lengths": {"map#1": [-1]}},
        {"taken": {"branch#1": ["yes"]}},
    ],
)
def test_damaged_evidence_is_refused(change: dict[str, Any]) -> None:
    """A file may say anything; what is read is what could have been seen."""
    good = seen(([1], True)).to_dict()
    with pytest.raises((ValueError, TypeError)):
        Evidence.from_dict(good | change)
