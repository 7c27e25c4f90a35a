"""Which devices a plan may use: ``allow`` and ``deny``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hetero.device import DeviceInfo, DeviceStatus
from hetero.errors import ArgumentError, InfeasibleError, UnknownNameError
from hetero.machine import Machine
from hetero.registry import Row

__all__ = ["Selection", "select", "words"]

PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Selection:
    """Words that match a device exactly: its name, its engine, its processor or that one's vendor, its supplier.

    ``allow`` None allows everything; a device that is both allowed and denied is denied.
    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()

    @classmethod
    def of(cls, allow: str | Iterable[str] | None, deny: str | Iterable[str] | None) -> Selection:
        """From what a caller gave: one word, several, or None.

        >>> Selection.of("openvino", None)
        Selection(allow=('openvino',), deny=())
        """
        return cls(None if allow is None else _words("allow", allow), _words("deny", deny or ()))


def _words(option: str, given: str | Iterable[str]) -> tuple[str, ...]:
    found = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(word, str) for word in found):
        raise ArgumentError(f"{option}={given!r}: expected names of devices, engines, vendors or suppliers")
    return found


def words(device: DeviceInfo) -> frozenset[str]:
    """Every word that matches this device."""
    return frozenset({device.name, device.engine, device.processor, device.vendor, device.supplier} - {""})


def known_words(machine: Machine, rows: Iterable[Row], statuses: Iterable[DeviceStatus]) -> list[str]:
    """Every word that means something, here or where other devices are available."""
    found = {word for device in machine.devices for word in words(device)}
    found |= {word for row in rows for word in (row.engine, row.device)}
    found |= {status.name for status in statuses}
    found |= {word for p in machine.processors for word in (p.name, p.vendor) if word}
    return sorted(found)


def select(
    machine: Machine, selection: Selection, known: Iterable[str], why_not: Iterable[DeviceStatus]
) -> Machine:
    """The machine with the selected devices only.

    Python functions keep ``python`` unless it is denied by that name: a person who allows one engine for the models
    does not mean to forbid the code around them.

    Raises:
        UnknownNameError: a word that matches nothing known; lists all words.
        InfeasibleError: what is allowed is not available here, with the reason, or nothing is left.
    """
    known = list(known)
    for word in (*(selection.allow or ()), *selection.deny):
        if word not in known:
            raise UnknownNameError("device, engine, vendor or supplier", word, known)
    if selection.allow is not None:
        _explain_unavailable(machine, selection.allow, why_not)
    kept = tuple(device for device in machine.devices if _selected(device, selection))
    if not kept:
        raise InfeasibleError(
            f"allow={selection.allow}, deny={selection.deny} leave no device of: "
            f"{', '.join(device.name for device in machine.devices)}"
        )
    return replace(machine, devices=kept)


def _selected(device: DeviceInfo, selection: Selection) -> bool:
    if device.engine == PYTHON:
        return not {PYTHON, device.name} & set(selection.deny)
    own = words(device)
    return (selection.allow is None or bool(own & set(selection.allow))) and not own & set(selection.deny)


def _explain_unavailable(machine: Machine, allow: tuple[str, ...], statuses: Iterable[DeviceStatus]) -> None:
    usable = {word for device in machine.devices for word in words(device)}
    for status in statuses:
        if not status.available and status.name in allow and status.name not in usable:
            raise InfeasibleError(f"allow names {status}")
