"""Options of circuits that are plainly worse than another one by their forecasts: never run, not even to be measured.

Measuring drops what is slow, but only after a first run, and a state vector of 28 qubits or a decision diagram that
explodes takes minutes for that. The least that an option may take is compared with the most that another may: one
whose forecast is uncertain is no reason for dropping another. It is itself held to what it is likely to take, and not
to the least: a run that was begun in order to measure it is not ended before its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hetero.cost.circuit_laws import DIAGRAMS
from hetero.cost.circuits import Forecast, forecasts
from hetero.cost.dry_run import ready_dry_run
from hetero.ops.circuit import CircuitOp
from hetero.planning.evidence import Evidence
from hetero.planning.options import Candidate
from hetero.values import Specs

__all__ = ["HOPELESS", "dominated", "hopeless", "unending"]

HOPELESS = 5.0
"""An option is dropped where its least is over so many times the most of another."""

UNGUARDED_S = 60.0
"""What is not certain and likely to take longer is begun only where it can be ended."""

NARROW = 14
"""Up to so many qubits nothing takes long enough for a dry run of a decision diagram to be worth starting a process."""

SHORT_S = 0.1
"""What cannot take longer than this is measured whatever it is compared with: that is cheap, and surer."""


def hopeless(candidates: Iterable[Candidate], evidence: Evidence) -> dict[Candidate, str]:
    """The candidates that are not worth a run, or not safe to begin, with the reason."""
    found: dict[Candidate, str] = {}
    nodes: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        if isinstance(candidate.op, CircuitOp):
            nodes.setdefault(candidate.path, []).append(candidate)
    for path, rivals in nodes.items():
        op, calls = rivals[0].op, evidence.calls.get(path, ())
        assert isinstance(op, CircuitOp)
        specs: Specs = max(calls, key=lambda call: call.nbytes).inputs if calls else op.example_specs()
        if op.features.qubits > NARROW and any(rival.info.engine == DIAGRAMS for rival in rivals):
            ready_dry_run()
        told = forecasts(op, specs, [(rival.info, rival.variant) for rival in rivals])
        inline = [rival.info.isolation != "process" for rival in rivals]
        found.update({rivals[index]: reason for index, reason in unending(told, inline).items()})
        found.update({rivals[index]: reason for index, reason in dominated(told).items()})
    return found


def dominated(told: Sequence[Forecast | None]) -> Mapping[int, str]:
    """The numbers of the forecasts that another one beats for certain, each with the reason."""
    known = [(index, one) for index, one in enumerate(told) if one is not None]
    if not known:
        return {}
    surest = min(one.high_s for _, one in known)
    return {
        index: f"predicted {_seconds(one.seconds)}, at least {_seconds(one.low_s)}, where another takes at most "
        f"{_seconds(surest)}: {one.why}"
        for index, one in known
        if (one.low_s if one.certain else one.seconds) > max(HOPELESS * surest, SHORT_S)
    }


def unending(told: Sequence[Forecast | None], inline: Sequence[bool]) -> Mapping[int, str]:
    """The numbers of the forecasts of what may never end, and cannot be ended because it runs in this process."""
    return {
        index: f"likely to take {_seconds(one.seconds)}, and a run in this process cannot be ended: {one.why}"
        for index, (one, here) in enumerate(zip(told, inline, strict=True))
        if one is not None and here and not one.certain and one.seconds > UNGUARDED_S
    }


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g} s"
