"""The connection to a Ray cluster, shared by everything in this process that uses one."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hetero.errors import MissingExtraError, UnavailableError

__all__ = ["connect", "connected", "living_nodes", "release"]

KNOCK_S = 5.0

_lock = threading.Lock()
_users = 0
_ours = False


def connect(address: str | None = None) -> None:
    """Join the cluster, or go on with the connection that this process has; ``release`` undoes it.

    Raises:
        MissingExtraError: Ray is not installed.
        UnavailableError: there is no cluster at this address (None and ``auto``: on this computer), or this process
            is connected to another one.
    """
    global _users, _ours
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("a Ray cluster", "ray", "ray") from error
    with _lock:
        if not ray.is_initialized():
            try:
                _knock(address or "auto")
                ray.init(address=address or "auto", logging_level=logging.WARNING)
            except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
                raise UnavailableError(
                    f"no Ray cluster at {address or 'auto'!r}: {error}; start one with `ray start --head`"
                ) from error
            _ours = True
        elif not _is_same(address, ray.get_runtime_context().gcs_address):
            raise UnavailableError(
                f"this process is connected to the Ray cluster at {ray.get_runtime_context().gcs_address}, not to "
                f"{address}, and can be connected to one only: call ray.shutdown() first, or use another process"
            )
        _users += 1


def _is_same(address: str | None, connected: str) -> bool:
    """Whether an address that was asked for is, or can be, that of the cluster that this process is connected to."""
    host, colon, port = (address or "auto").rpartition(":")
    is_plain = bool(host and colon and port.isdigit() and "/" not in host)
    return not is_plain or connected.endswith(f":{port}")


def _knock(address: str) -> None:
    """Raise OSError where nothing listens at ``host:port``: Ray would wait for minutes for it to come up."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()


def release() -> None:
    """Leave the cluster after the last user, if it was joined here: a connection that was found is left as it is."""
    global _users, _ours
    import ray

    with _lock:
        _users -= 1
        if not _users and _ours:
            _ours = False
            ray.shutdown()


def living_nodes() -> list[dict[str, Any]]:
    """The nodes of the cluster as Ray describes them, without those that are lost."""
    import ray

    nodes: Any = ray.nodes  # Ray does not annotate it
    return [node for node in nodes() if node["Alive"]]


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """Be connected inside the block."""
    connect(address)
    try:
        yield
    finally:
        release()
