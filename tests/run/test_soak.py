"""A few seconds of the soak benchmark."""

import logging
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_a_mixed_load_with_faults_loses_nothing(monkeypatch, caplog):
    """Killed workers, a device that comes and goes, deadlines, overload: no request is lost, doubled or wrong."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr("hetero.run.failover.LONGEST_PAUSE_S", 0.5)
    import soak

    caplog.set_level(logging.ERROR, "hetero")
    wrong = soak.soak(5.0)
    # What a few seconds say about memory is noise; the benchmark runs for minutes.
    assert [line for line in wrong if "memory" not in line] == []
    sys.modules.pop("soak")
