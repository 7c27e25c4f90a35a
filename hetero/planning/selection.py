"""Which devices a plan may use: ``allow`` and ``deny``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from hetero.detect import VENDORS
from hetero.device import DeviceInfo, DeviceStatus
from hetero.errors import ArgumentError, InfeasibleError, UnknownNameError
from hetero.graph import Graph
from hetero.machine import Machine
from hetero.registry import Row

__all__ = ["Selection", "needs_of", "select", "words"]

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
    found |= VENDORS  # `deny="NVIDIA"` holds on every machine, also on those without
    found |= {word for p in machine.processors for word in (p.name, p.vendor) if word}
    return sorted(found)


def needs_of(graph: Graph) -> dict[str, str]:
    """The kinds of op that devices have to run, each with the first node that is of it."""
    found: dict[str, str] = {}
    for path, node in graph.walk():
        if not node.op.subgraphs:
            found.setdefault(node.op.kind, f"node {path!r}")
    return found


def select(
    machine: Machine,
    selection: Selection,
    known: Iterable[str],
    why_not: Iterable[DeviceStatus],
    needs: Mapping[str, str] = MappingProxyType({}),
) -> Machine:
    """The machine with the selected devices only.

    Python functions keep ``python`` unless it is denied by that name: a person who allows one engine for the models
    does not mean to forbid the code around them. ``needs`` are kinds of op that have to be run, each with whose it is.

    Raises:
        UnknownNameError: a word that matches nothing known; lists all words.
        InfeasibleError: what is allowed is not available here, with the reason; or nothing is left, or nothing that
            runs what is needed: says which word is in the way of each device.
    """
    known = list(known)
    for word in (*(selection.allow or ()), *selection.deny):
        if word not in known:
            raise UnknownNameError("device, engine, vendor or supplier", word, known)
    if selection.allow is not None:
        _explain_unavailable(machine, selection.allow, why_not)
    kept = tuple(device for device in machine.devices if _selected(device, selection))
    if not machine.devices:
        raise InfeasibleError(
            f"the machine has no devices, only the processors {', '.join(p.name for p in machine.processors)}"
        )
    if not kept:
        raise InfeasibleError(f"no device is left: {_in_the_way(machine.devices, selection)}")
    for kind, who in needs.items():
        able = [device for device in machine.devices if kind in device.kinds]
        if able and not any(kind in device.kinds for device in kept):
            raise InfeasibleError(f"no device is left for {who} ({kind}): {_in_the_way(able, selection)}")
    return replace(machine, devices=kept)


def _in_the_way(devices: Iterable[DeviceInfo], selection: Selection) -> str:
    """Of devices that are not selected, which word denies each, or that none allows it."""

    def why(device: DeviceInfo) -> str:
        own = {PYTHON, device.name} if device.engine == PYTHON else words(device)
        denied = [word for word in selection.deny if word in own]
        return f"denied by {denied[0]!r}" if denied else f"not in allow={list(selection.allow or ())}"

    return "; ".join(f"{device.name} is {why(device)}" for device in devices)


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
