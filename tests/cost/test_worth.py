"""Which ways of running a node are worth a run, judged by what is known of the others."""

from __future__ import annotations

import math
from itertools import repeat

import pytest

from hetero.cost.worth import Bar, Memory, Peer, optimistic
from hetero.device import Variant

from .fakes import Clock, FakeEngine, call, candidate, profiler
from .free import FREE

CLOCK = Clock()


def way(
    engine: str = "a", threads: int = 1, precision: str = "fp32", seconds: float = 1.0, error: float = 0.0
) -> Peer:
    variant = Variant(precision, threads, exact=precision == "fp32")  # type: ignore[arg-type]
    made = candidate(FakeEngine(CLOCK, repeat(seconds), engine=engine), op=FREE, variant=variant)
    return Peer(made, seconds, error)


def test_more_threads_divide_the_time_at_best() -> None:
    """Half of what one thread takes is too much where another takes less with two."""
    slow, fast, wanted = way("a", seconds=4.0), way("b", threads=2, seconds=1.0), way("a", threads=2)
    assert Bar([slow]).skip(wanted.candidate, []) == ""
    assert "2.00 s at best" in Bar([slow, fast]).skip(wanted.candidate, [])


def test_a_way_that_leaves_cores_free_gets_more_than_its_due() -> None:
    """On two cores, one thread may take twice as long as another: that one may serve a call at a time."""
    assert Bar([way("a")]).most_s(way("b").candidate, []) == pytest.approx(2.0)
    assert Bar([way("a", threads=2)]).most_s(way("b", threads=2).candidate, []) == pytest.approx(1.15)


def test_a_precision_that_cannot_keep_the_limit_is_not_run() -> None:
    """Unless there is nothing exact to take instead; a wider limit lets it run."""
    coarse = way(precision="bf16").candidate
    assert "bf16 is off by" in Bar(error_limit=1e-4, exact=True).skip(coarse, [])
    assert Bar(error_limit=1e-4).skip(coarse, []) == ""
    assert Bar(error_limit=1e-2, exact=True).skip(coarse, []) == ""


def test_what_was_wrong_bars_what_computes_alike() -> None:
    """Other threads of the same engine and precision here; the same elsewhere, where it was far over the limit."""
    wrong = way(precision="bf16", error=0.5)
    bar = Bar(error_limit=1e-2)
    assert "computes alike" in bar.skip(way(precision="bf16", threads=2).candidate, [wrong])
    bar.memory.note([wrong], bar)
    assert "computes alike" in bar.skip(way(precision="bf16", threads=2).candidate, [])
    assert bar.skip(way("b", precision="bf16").candidate, []) == ""


def test_who_lost_plainly_elsewhere_loses_here() -> None:
    """A ratio on other shapes is believed to within a factor."""
    memory = Memory()
    bar = Bar([way("a")], memory=memory)
    memory.note([way("a"), way("b", seconds=9.0), way("c", seconds=1.5)], bar)
    assert "at best" in bar.skip(way("b").candidate, [])
    assert bar.skip(way("c").candidate, []) == ""


def test_thorough_means_everything() -> None:
    """Nothing is passed over where nothing is hopeless."""
    bar = Bar([way("a"), way("b", seconds=99.0)], error_limit=1e-9, hopeless=math.inf, exact=True)
    assert bar.skip(way("b", threads=2, precision="int8").candidate, []) == ""
    assert optimistic(3.0, 1.0) == 1.0


def test_a_profile_passes_over_what_cannot_win() -> None:
    """It is not compiled, and its reason is among the results."""
    clock = Clock()
    slow, fast = FakeEngine(clock, repeat(4.0), engine="slow"), FakeEngine(clock, repeat(0.5), engine="fast")
    ways = [
        candidate(engine, call(), op=FREE, variant=Variant(threads=n))
        for engine in (slow, fast)
        for n in (1, 2)
    ]
    results = profiler(clock).measure(ways)
    assert (slow.compiled, fast.compiled) == (1, 2)
    assert "not measured" in str(results[ways[1]])
