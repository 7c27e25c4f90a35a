"""The ways in which this machine can run a circuit op, each with its forecast, and those that it cannot, with why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hetero.cost.circuits import Forecast, forecasts
from hetero.device import Device, DeviceInfo, Variant
from hetero.errors import HeteroError, InfeasibleError
from hetero.machine import Machine
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_features import human_bytes
from hetero.planner import usable_machine
from hetero.planning.selection import Selection
from hetero.registry import open_here
from hetero.values import Specs

__all__ = ["Way", "Ways", "inputs_of", "machine_for", "ways_of", "widest"]


HOPELESS_S = 1e5
"""A day. Whatever is forecast to take longer is no way to run a circuit."""


@dataclass(frozen=True, slots=True)
class Way:
    """A device and a variant of its, and what it is forecast to take."""

    info: DeviceInfo
    variant: Variant
    forecast: Forecast

    def __str__(self) -> str:
        return f"{self.info.name} {self.variant}"


@dataclass(frozen=True, slots=True)
class Ways:
    """``refused``: each way that is none, as text, with the reason."""

    ways: tuple[Way, ...]
    refused: tuple[tuple[str, str], ...]


@cache
def machine_for(selection: Selection) -> Machine:
    """This machine with the devices that are selected and run circuits.

    Raises:
        UnknownNameError: a word that matches no device.
        InfeasibleError: none is left.
    """
    machine = usable_machine(None, selection, {"circuit": "circuits"})
    devices = tuple(info for info in machine.devices if "circuit" in info.kinds)
    if not devices:
        raise InfeasibleError("no allowed device runs circuits: pip install 'hetero[quantum]'")
    return Machine(machine.processors, devices, machine.links, machine.origin)


def ways_of(op: CircuitOp, specs: Specs, machine: Machine, *, dry_run: bool = True) -> Ways:
    """What the devices offer for an op on inputs of these specs, as far as it fits into memory.

    Without ``dry_run`` nothing is known of decision diagrams, and it takes well under a millisecond. Variants that are
    not exact are left out: nothing measures their error here.
    """
    found: list[tuple[DeviceInfo, Variant]] = []
    refused: list[tuple[str, str]] = []
    for info in machine.devices:
        if op.kind not in info.kinds:
            refused.append((info.name, f"it does not run a {op.kind}"))
            continue
        try:
            offers = _here(info).variants(op, specs)
        except HeteroError as error:  # it cannot be opened, and the others can
            refused.append((info.name, str(error)))
            continue
        found += [(info, variant) for variant in offers.variants if variant.exact]
        refused += [
            (f"{info.name} {refusal.variant or ''}".strip(), refusal.reason) for refusal in offers.refusals
        ]
    told = forecasts(op, specs, found, dry_run=dry_run)
    ways, none = _fitting(found, told, machine)
    return Ways(tuple(ways), (*refused, *none))


def inputs_of(op: CircuitOp, rows: Any) -> list[Any]:
    """The op's inputs for parameter sets (sets, n): none where it has no parameters."""
    return [rows] if op.features.parameters else []


def widest(op: CircuitOp, specs: Specs, machine: Machine) -> tuple[DeviceInfo, Variant]:
    """The first device that runs ops of this kind, and its variant of the most threads: where nothing is to be chosen.

    Raises:
        InfeasibleError: there is none; says why each one refuses.
    """
    reasons = []
    for info in machine.devices:
        if op.kind in info.kinds:
            offers = _here(info).variants(op, specs)
            if offers.variants:
                return info, max(offers.variants, key=lambda variant: variant.threads)
            reasons += [refusal.reason for refusal in offers.refusals]
    why = "; ".join(reasons) or "none of the allowed devices runs such ops"
    raise InfeasibleError(f"circuit {op.name!r}: nothing offers its {op.kind}: {why}")


def _fitting(
    found: Sequence[tuple[DeviceInfo, Variant]], forecast: Sequence[Forecast | None], machine: Machine
) -> tuple[list[Way], list[tuple[str, str]]]:
    ways: list[Way] = []
    refused: list[tuple[str, str]] = []
    for (info, variant), told in zip(found, forecast, strict=True):
        name = f"{info.name} {variant}"
        memory = machine.processor(info.processor).memory_bytes
        if told is None:
            refused.append((name, "no forecast is known for it"))
        elif told.certain and memory is not None and told.memory_bytes > memory:
            need, has = human_bytes(told.memory_bytes), human_bytes(memory)
            refused.append((name, f"needs {need} of memory, the processor has {has}"))
        elif told.seconds > HOPELESS_S:
            refused.append(
                (
                    name,
                    f"would take about {told.seconds:.0e} s, and up to {human_bytes(told.worst_bytes)}: {told.why}",
                )
            )
        else:
            ways.append(Way(info, variant, told))
    return ways, refused


@cache
def _here(info: DeviceInfo) -> Device:
    """The device in this process, whatever home it asks for: to ask what it offers runs nothing of a user's."""
    return open_here(info)
