"""Runs correct profiles: beside them, never in their place, and only of what they really tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from planning.made import GRAPH_OF_TWO as GRAPH
from planning.made import TENSOR, machine, option, setting

from hetero.cost.correction import Correction, Corrections
from hetero.cost.measurement import Measurement, ProfileKey, specs_text
from hetero.cost.store import ProfileStore
from hetero.limits import Limits
from hetero.planning.corrections import corrections, file_corrections
from hetero.planning.options import Candidate, considered
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Plan, Request

MACHINE = machine("cpu/a", "cpu/b")
SHAPE = specs_text((TENSOR,))


@dataclass(frozen=True)
class Seen:
    p50_s: float
    predicted_s: float | None = 1.0
    calls: int = 100
    spread_s: float = 0.2
    shapes: tuple[str, ...] = (SHAPE,) * 3


def planned() -> Plan:
    ways = (option("cpu/a", 1.0), option("cpu/b", 1.2))
    made = setting(GRAPH, {"first": ways, "second": ways})
    return settle(GRAPH, MACHINE, Request("latency", Limits(), Selection()), made, None, 1.0)


def key_of(plan: Plan, path: str) -> ProfileKey:
    choice = plan.choices[path]
    op = dict(GRAPH.walk())[path].op
    return ProfileKey.of(op, MACHINE.device(choice.device), MACHINE.processors[0], choice.variant, (TENSOR,))


def test_a_median_is_kept_with_its_spread_and_what_all_others_took_meanwhile() -> None:
    """The key is the profile's own; the origin is whose runs they were."""
    plan = planned()
    found = corrections(plan, {"first": Seen(3.0), "second": Seen(1.5)}, now_s=7.0)
    assert found[key_of(plan, "first")] == Correction(3.0, 0.2, 100, 1.5, GRAPH.name, 7.0)
    assert found[key_of(plan, "first")].alone_s == 2.0


@pytest.mark.parametrize(
    "seen",
    [
        Seen(1.05),
        Seen(3.0, calls=3),
        Seen(3.0, None),
        Seen(3.0, shapes=(SHAPE,) * 2),
        Seen(3.0, shapes=(SHAPE, SHAPE, "float32[9]")),
    ],
    ids=["as predicted", "few calls", "not predicted", "shapes hardly known", "other shapes"],
)
def test_what_tells_nothing_of_the_profile_corrects_nothing(seen: Seen) -> None:
    """A prediction that holds is no news, and a median over several shapes is that of none."""
    assert corrections(planned(), {"first": seen, "second": Seen(1.0)}, now_s=7.0) == {}


def test_planning_again_takes_the_correction_and_the_profile_stays(tmp_path: Path) -> None:
    """Until the profile is measured again."""
    profile = Measurement(1.0, 0.1, 0.9, 1.1, 9, 2.0, error=0.0, measured_at=5.0)
    plan = replace(planned(), profiles=tmp_path / "profiles.sqlite")
    key = key_of(plan, "first")
    found = corrections(plan, {"first": Seen(3.0), "second": Seen(1.0)}, now_s=7.0)
    assert plan.evidence is not None
    way = Candidate(
        "first",
        dict(GRAPH.walk())["first"].op,
        MACHINE.device(plan.choices["first"].device),
        MACHINE.processors[0],
        plan.choices["first"].variant,
    )
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        store.put(key, profile)
        file_corrections(plan, found)
        estimate = considered(way, plan.evidence, store, Corrections(store)).estimate
        assert estimate is not None
        assert (estimate.seconds, estimate.sources["seconds"]) == (3.0, "corrected by runs")
        assert store.get(key) == profile
        store.put(key, replace(profile, measured_at=9.0))
        estimate = considered(way, plan.evidence, store, Corrections(store)).estimate
        assert estimate is not None
        assert (estimate.seconds, estimate.sources["seconds"]) == (1.0, "measured")
