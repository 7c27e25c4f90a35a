"""Facts about installed packages, told without importing them."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from hetero.device import DeviceStatus

__all__ = ["missing", "version"]


def missing(device: str, package: str, extra: str) -> DeviceStatus | None:
    """The status of a device whose package is not installed; None where it is.

    >>> print(missing("cpu/abacus", "abacus_engine", "abacus"))
    cpu/abacus: not available, the package 'abacus_engine' is not installed (pip install 'hetero[abacus]')
    """
    if importlib.util.find_spec(package) is not None:
        return None
    return DeviceStatus(
        device,
        False,
        reason=f"the package {package!r} is not installed",
        install=f"pip install 'hetero[{extra}]'",
    )


def version(*distributions: str) -> str:
    """The version of the first distribution that is installed; empty where none tells.

    One package may come from several distributions (``onnxruntime``, ``onnxruntime-gpu``).
    """
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""
