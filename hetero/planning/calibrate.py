"""Variants that are fitted to the samples: which samples they were fitted to is part of what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hetero.cost.record import Call
from hetero.device import Variant
from hetero.ops.onnx import OnnxOp
from hetero.ops.torch import TorchOp
from hetero.values import digest_of

if TYPE_CHECKING:
    from hetero.planning.options import Candidate

__all__ = ["calibrated", "keep_inputs"]


def calibrated(variant: Variant, samples_key: str, path: str) -> Variant:
    """The variant fitted to what the node at ``path`` is given on these samples."""
    name = digest_of("calibration", samples_key, path)[:12]
    return replace(variant, settings={**variant.settings, "calibration": name})


def keep_inputs(candidates: Iterable[Candidate], calls_of: Callable[[str], Sequence[Call]]) -> None:
    """Keep the inputs that the candidates' calibrations name, where that is not done yet."""
    from hetero.ops.onnx_quantise import has_calibration, keep_calibration

    for candidate in candidates:
        name = candidate.variant.settings.get("calibration")
        if isinstance(name, str) and isinstance(candidate.op, OnnxOp | TorchOp) and not has_calibration(name):
            keep_calibration(name, candidate.op, [call.inputs for call in calls_of(candidate.path)])
