"""``hetero devices``: every known device, usable or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hetero.device import DeviceStatus
    from hetero.machine import Machine

__all__ = ["command", "rows"]

HEADERS = ("device", "state", "processor", "vendor", "memory", "capability, or why not")


def command() -> None:
    """Show every known device: what it can do, or why not.

    What is missing comes with what to install.
    """
    from hetero.commands.tables import print_table
    from hetero.registry import detect_machine, devices

    print_table(HEADERS, rows(devices(), detect_machine(teaching=True)))


def rows(statuses: tuple[DeviceStatus, ...], machine: Machine) -> list[tuple[str, ...]]:
    """A row a device: the usable ones first, in the registry's order."""
    found = [_row(status, machine) for status in statuses]
    return sorted(found, key=lambda row: row[1] != "available")


def _row(status: DeviceStatus, machine: Machine) -> tuple[str, ...]:
    from hetero.show import nbytes

    if status.info is None or not status.available:
        return (
            status.name,
            "unavailable",
            "",
            "",
            "",
            "; ".join(filter(None, (status.reason, status.install))),
        )
    info, processor = status.info, machine.processor(status.info.processor)
    memory = info.memory_bytes if info.memory_bytes is not None else processor.memory_bytes
    cores = "1 core" if processor.cores == 1 else f"{processor.cores} cores"
    return (
        status.name,
        "available",
        f"{processor.model or processor.name}, {cores}",
        info.vendor,
        "not limited" if memory is None else nbytes(memory),
        f"{info.capability} ({info.engine} {info.version})",
    )
