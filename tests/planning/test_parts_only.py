"""A plan is predicted from its parts: the pipeline as a whole is run once, to record what its nodes are given."""

from __future__ import annotations

from pathlib import Path

import hetero as ht
from hetero.cost.store import ProfileStore

ran: list[str] = []


@ht.node
def one(x: int) -> int:
    ran.append("1")
    return x + 1


@ht.node
def two(x: int) -> int:
    ran.append("2")
    return x * 2


@ht.node
def three(x: int) -> int:
    ran.append("3")
    return x - 3


def test_no_profile_runs_the_whole_pipeline(tmp_path: Path) -> None:
    """The nodes run one after another only while they are recorded, once a sample; a profile repeats one alone, and a
    second plan runs nothing."""
    ran.clear()
    pipeline = ht.pipeline(lambda x: three(two(one(x))))
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        ht.plan(pipeline, 1, calibrate=[5], store=store).close()
        told = "".join(ran)
        assert told.startswith("123123")
        assert told.count("123") == 2
        assert all(told.count(node) > 10 for node in "123")
        ran.clear()
        ht.plan(pipeline, 1, calibrate=[5], store=store).close()
        assert ran == []
