"""One measured way of running an op: what it is filed under, and the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hetero.device import DeviceInfo, Variant
from hetero.errors import ArgumentError
from hetero.machine import Processor
from hetero.ops.base import Op
from hetero.values import ContainerSpec, ObjectSpec, Spec, Specs, digest_of

__all__ = ["NOTHING_KNOWN", "About", "Measurement", "ProfileKey", "Row", "specs_text", "variant_text"]

_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class ProfileKey:
    """What a measurement belongs to: the same op, device, variant and input specs, and nothing else.

    ``op`` is the op's content hash and ``device`` the device's fingerprint (processor model, features and
    cores, engine and its version, driver), so a profile taken with another engine version is never found.
    """

    op: str
    device: str
    variant: str
    specs: str

    @classmethod
    def of(cls, op: Op, info: DeviceInfo, processor: Processor, variant: Variant, specs: Specs) -> ProfileKey:
        return cls(op.digest, info.fingerprint(processor), variant_text(variant), specs_text(specs))


@dataclass(frozen=True, slots=True)
class Measurement:
    """The warm seconds of one run, their spread, and what came with them.

    ``seconds`` is the median and ``spread_s`` half the interquartile range; ``low_s`` and ``high_s`` bound
    the median with 95% confidence. Few ``repetitions`` say that it was cut short: a hopeless option, a slow
    op or a spent budget. ``cold_s`` is load + compile + first run;
    ``evicted_s`` is the median of warm runs that find the caches filled by others, None where it was not taken apart
    (a long run). ``error`` is the largest relative L2
    difference of an output from the reference on the same inputs (infinite where they cannot be compared),
    None where it was not measured. ``measured_at`` is in seconds since the epoch.

    Raises:
        ArgumentError: a time is negative, NaN or infinite.
    """

    seconds: float
    spread_s: float
    low_s: float
    high_s: float
    repetitions: int
    cold_s: float
    error: float | None = None
    measured_at: float = 0.0
    evicted_s: float | None = None

    @property
    def among_others_s(self) -> float:
        """Seconds of a run that finds the caches filled by other ops."""
        return self.seconds if self.evicted_s is None else max(self.seconds, self.evicted_s)

    def __post_init__(self) -> None:
        for name in ("seconds", "spread_s", "low_s", "high_s", "cold_s", "measured_at"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ArgumentError(f"measurement: {name} is {value!r}; a finite number >= 0 is needed")
        if self.error is not None and not self.error >= 0:
            raise ArgumentError(f"measurement: error is {self.error!r}; a number >= 0 or None is needed")

    def joined(self, later: Measurement) -> Measurement:
        """Both as one, from two builds of the same: how a build's memory happens to lie makes it some percent faster or
        slower for its whole life, and the middle of two is nearer to the next one."""
        return Measurement(
            seconds=(self.seconds + later.seconds) / 2,
            spread_s=max((self.spread_s + later.spread_s) / 2, abs(self.seconds - later.seconds) / 2),
            low_s=(self.low_s + later.low_s) / 2,
            high_s=(self.high_s + later.high_s) / 2,
            repetitions=self.repetitions + later.repetitions,
            cold_s=max(self.cold_s, later.cold_s),
            error=later.error if self.error is None else max(self.error, later.error or 0.0),
            measured_at=later.measured_at,
            evicted_s=self.evicted_s if later.evicted_s is None else later.evicted_s,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: an infinite error becomes the text ``"inf"``, which JSON has no number for."""
        return asdict(self) | {"error": "inf" if self.error == math.inf else self.error}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        return cls(**{**data, "error": math.inf if data.get("error") == "inf" else data.get("error")})


@dataclass(frozen=True, slots=True)
class About:
    """What a person and the roofline's fit want to know of a row, whose key holds hashes only."""

    op: str = ""
    kind: str = ""
    device: str = ""
    engine: str = ""
    flops: float | None = None
    nbytes: float | None = None


NOTHING_KNOWN = About()


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the profile store."""

    key: ProfileKey
    measurement: Measurement
    about: About = NOTHING_KNOWN


def variant_text(variant: Variant) -> str:
    """A variant as text that does not depend on the order of its settings.

    >>> variant_text(Variant(threads=2, settings={"streams": 1, "layout": "nhwc"}))
    'fp32 threads=2 layout=nhwc streams=1'
    """
    settings = (f"{key}={value}" for key, value in sorted(variant.settings.items()))
    return " ".join([variant.precision, f"threads={variant.threads}", *settings])


def specs_text(specs: Specs) -> str:
    """Specs as text in full (``str`` of a spec is shortened for people); a hash stands for the tail of a long
    one.

    >>> from hetero.values import specs_of
    >>> specs_text(specs_of(("word", [1.5])))
    'str:4; list(float:24)'
    """
    text = "; ".join(map(_spec_text, specs))
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 40]}... #{digest_of(text)}"


def _spec_text(spec: Spec) -> str:
    if isinstance(spec, ObjectSpec):
        return f"{spec.type}:{spec.nbytes}"
    if isinstance(spec, ContainerSpec):
        items = [_spec_text(item) for item in spec.items]
        if spec.type == "dict":
            items = [f"{key}={item}" for key, item in zip(spec.keys, items, strict=True)]
        return f"{spec.type}({', '.join(items)})"
    return str(spec)
