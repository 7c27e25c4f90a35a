"""One more measurement where it would change the decision, and none elsewhere."""

from __future__ import annotations

from pathlib import Path

from planning.made import evidence, first, info

import hetero as ht
from hetero.cost.measurement import Measurement
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.machine import Processor
from hetero.planning.doubt import QUICKLY, doubt_of, doubts, hopeful
from hetero.planning.options import Candidate
from hetero.plans import Considered

GRAPH = ht.pipeline(lambda x: first(x)).trace()
SEEN = evidence(GRAPH)
WAY = Candidate("first", GRAPH["first"].op, info("cpu/a"), Processor("cpu", cores=2), Variant())


def known(repetitions: int, evicted_s: float | None = 0.01) -> Measurement:
    return Measurement(0.01, 1e-4, 0.0099, 0.0101, repetitions, 0.5, 0.0, 1.0, evicted_s)


def test_a_quick_measurement_is_in_doubt_and_a_careful_one_is_not(tmp_path: Path) -> None:
    """What was not measured at all had a reason, and is not in doubt either."""
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        assert doubt_of(WAY, SEEN, store) == (0.0, None)
        key = WAY.key(SEEN.calls["first"][0].inputs)
        store.put(key, known(2, None))
        assert doubt_of(WAY, SEEN, store)[0] == QUICKLY
        store.put(key, known(60))
        assert doubt_of(WAY, SEEN, store) == (0.0, None)


def test_what_is_in_doubt_counts_as_good_as_it_may_be(tmp_path: Path) -> None:
    """The others stay as they are."""
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        store.put(WAY.key(SEEN.calls["first"][0].inputs), known(2, None))
        doubtful = doubts({"first": [WAY]}, SEEN, store)
    from planning.made import option

    mine, other = Considered(WAY.choice, option("cpu/a", 1.0).estimate), option("cpu/b", 1.0)
    best = hopeful({"first": (mine, other)}, doubtful)["first"]
    assert [round(o.estimate.seconds, 6) for o in best if o.estimate] == [1 - QUICKLY, 1.0]
