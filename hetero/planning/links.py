"""Links between memory spaces: those of the machine, and those that have to be measured."""

from __future__ import annotations

from collections.abc import Callable

from hetero.cost.links import measure_links
from hetero.cost.store import ProfileStore
from hetero.device import Device, DeviceInfo
from hetero.machine import Machine

__all__ = ["with_measured_links"]


def with_measured_links(
    machine: Machine, store: ProfileStore, open_device: Callable[[DeviceInfo], Device]
) -> Machine:
    """The machine with a link each way between the host and every other memory space of its devices."""
    spaces = {device.memory_space for device in machine.devices} - {"host"}
    if all(machine.link("host", space) and machine.link(space, "host") for space in spaces):
        return machine
    return machine.with_links(*measure_links(machine, open_device, store))
