"""One colour a device, the same in every chart of a page."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["CONTROL_COLOUR", "colours_of"]

CONTROL_COLOUR = "#dfe3ea"
"""Maps and branches: the program itself, no device."""

# Okabe and Ito's palette (jfly.uni-koeln.de/color), which colour-blind readers can tell apart, a little softened.
_PALETTE = ("#4c9ed9", "#e8a33d", "#3aa686", "#c46a9f", "#8a7fd1", "#d9694a", "#7f9c3f", "#5f6b7a")
_FIXED = {"cpu/python": "#9aa5b4"}


def colours_of(devices: Iterable[str]) -> dict[str, str]:
    """Device -> colour, in the order given. Python functions are grey: they are the mortar between models.

    >>> colours_of(["cpu/python", "cpu/openvino"])
    {'cpu/python': '#9aa5b4', 'cpu/openvino': '#4c9ed9'}
    """
    found: dict[str, str] = {}
    for device in devices:
        if device not in found:
            taken = sum(name not in _FIXED for name in found)
            found[device] = _FIXED.get(device) or _PALETTE[taken % len(_PALETTE)]
    return found
