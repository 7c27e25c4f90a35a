"""Names on a machine of several computers: ``n1:cpu/openvino`` is the device ``cpu/openvino`` of site ``n1``.

The first site, where the driver is, has no prefix: its host is *the* host. Everything below the planner runs inside one
site and knows local names only.
"""

from __future__ import annotations

from dataclasses import replace

from hetero.device import DeviceInfo

__all__ = ["HOST_SPACE", "at_site", "is_host", "local_info", "local_name", "site_of"]

HOST_SPACE = "host"


def at_site(site: str, name: str) -> str:
    """The name of a processor, device or memory space of a site.

    >>> at_site("n1", "cpu"), at_site("", "cpu")
    ('n1:cpu', 'cpu')
    """
    return f"{site}:{name}" if site else name


def site_of(name: str) -> str:
    """The site of a processor, device or memory space; empty for the first one.

    >>> site_of("n1:cpu/openvino"), site_of("cpu/openvino")
    ('n1', '')
    """
    return name.partition(":")[0] if ":" in name else ""


def local_name(name: str) -> str:
    """What its own site calls it.

    >>> local_name("n1:cpu/openvino")
    'cpu/openvino'
    """
    return name.partition(":")[2] if ":" in name else name


def is_host(space: str) -> bool:
    """Whether a memory space is the host memory of its site."""
    return local_name(space) == HOST_SPACE


def local_info(info: DeviceInfo) -> DeviceInfo:
    """The device as its own site describes it."""
    return replace(
        info,
        name=local_name(info.name),
        processor=local_name(info.processor),
        memory_space=local_name(info.memory_space),
    )
