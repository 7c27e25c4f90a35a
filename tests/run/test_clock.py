"""Reading the clock costs nothing where it would be felt."""

from __future__ import annotations

import time

from plans_by_hand import plan_of

import hetero as ht
from hetero.run.session import Session
from hetero.run.timing import ENOUGH, SELDOM


@ht.node
def quick(x: int) -> int:
    return x + 1


@ht.node
def slow(x: int) -> int:
    time.sleep(2e-5)
    return x + 1


def timed(node: ht.tracing.Callee, calls: int, *, tracing: bool = False) -> tuple[int, int, int]:
    """How many calls were counted, timed and traced."""

    @ht.pipeline
    def alone(x: int) -> int:
        return node(x)

    with Session(plan_of(alone.trace())) as session:
        for x in range(calls):
            assert session.call((x,)) == x + 1
        session.tracing = tracing
        for x in range(calls):
            assert session.call((x,)) == x + 1
        (stats,) = session.stats().values()
        recorder = session._engines.current.executor._workshop._recorder  # type: ignore[attr-defined]
        (rows,) = (len(block.ring) for block in recorder._blocks if block.ring)
        return stats.calls, rows, len(session.trace)


def test_quick_nodes_are_timed_seldom_and_counted_always() -> None:
    """After enough runs of a block whose nodes take next to nothing, one run in sixteen is timed."""
    calls = 1600
    counted, rows, _ = timed(quick, calls)
    assert counted == 2 * calls
    # A pause of the machine may make a run look slow, after which runs are timed until the next one.
    assert rows < ENOUGH + 4 * calls / (SELDOM + 1)


def test_slow_nodes_are_timed_always() -> None:
    """Where a node takes longer than reading the clock by far, no run is left out."""
    assert timed(slow, 300) == (600, 600, 0)


def test_a_trace_has_every_run() -> None:
    """While tracing is on, quick nodes are timed as all others are."""
    counted, _, spans = timed(quick, 400, tracing=True)
    assert (counted, spans) == (800, 400)
