"""What runs say of a profile: the running median of a node's calls, kept beside what was measured of it by itself.

A profile is never overwritten by it. It is taken on a machine that does nothing else, in blocks; runs are what users
do, beside whatever else there is. So a correction also says how much slower than predicted everything else on the
processor was meanwhile, and corrects an estimate by the rest only: on a machine that was busy no other way would have
been better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hetero.cost.measurement import Measurement, ProfileKey
from hetero.cost.store import ProfileStore
from hetero.values import digest_of

__all__ = ["Correction", "Corrections", "put_correction"]

_KIND = "correction"


@dataclass(frozen=True, slots=True)
class Correction:
    """The median ``seconds`` of ``calls`` calls in runs, half their interquartile range, and whose runs they were.

    ``usual`` is how many times what was predicted all nodes of the processor took meanwhile, in the middle.
    """

    seconds: float
    spread_s: float
    calls: int
    usual: float
    origin: str
    corrected_at: float

    @property
    def alone_s(self) -> float:
        """Seconds on a machine that does nothing else."""
        return self.seconds / self.usual


class Corrections:
    """All that a store holds, read once.

    >>> import tempfile
    >>> from hetero.cost.measurement import Measurement, ProfileKey
    >>> key = ProfileKey("op", "device", "fp32 threads=1", "float32[3]")
    >>> profile = Measurement(1.0, 0.1, 0.9, 1.1, 9, 2.0, measured_at=10.0)
    >>> with ProfileStore(tempfile.mkdtemp() + "/profiles.sqlite") as store:
    ...     put_correction(store, key, Correction(3.0, 0.2, 500, 1.5, "ocr", corrected_at=20.0))
    ...     Corrections(store).of(key, profile).alone_s
    2.0
    """

    def __init__(self, store: ProfileStore) -> None:
        self._found: Mapping[str, dict[str, Any]] = store.records(_KIND)

    def of(self, key: ProfileKey, profile: Measurement) -> Correction | None:
        """The correction of a profile; None where there is none, or where it was measured again since."""
        found = self._found.get(_name(key)) if self._found else None
        correction = None if found is None else Correction(**found)
        return correction if correction and correction.corrected_at > profile.measured_at else None


def put_correction(store: ProfileStore, key: ProfileKey, correction: Correction) -> None:
    """File a correction, in the place of an earlier one."""
    store.put_record(_KIND, _name(key), asdict(correction))


def _name(key: ProfileKey) -> str:
    return digest_of(key.op, key.device, key.variant, key.specs)
