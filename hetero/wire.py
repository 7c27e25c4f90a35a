"""Messages between two processes on one machine: small ones over a socket, large arrays through shared memory.

Both ends come from one ``socketpair`` and an anonymous memory file that the child inherits: there is no name that
another process could open, so there is nobody to authenticate.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Arena", "Channel", "Handle", "anonymous_file"]

IN_BAND_BYTES = 16_384
"""Up to this size an array travels inside the message: one copy through a socket is cheaper than two in memory."""
ALIGNMENT = 64

Packed: TypeAlias = tuple[bytes, list[memoryview]]
"""A message: its pickled bytes, and the memory of the large arrays that they refer to."""


class Handle:
    """Stands for a value that stays in a worker process. ``generation`` counts the worker's restarts."""

    __slots__ = ("__weakref__", "generation", "token")

    def __init__(self, token: int, generation: int) -> None:
        self.token, self.generation = token, generation

    def __reduce__(self) -> tuple[type[Handle], tuple[int, int]]:
        return Handle, (self.token, self.generation)

    def __repr__(self) -> str:
        return f"<value {self.token} in a worker process>"


def anonymous_file() -> int:
    """The descriptor of a file in memory (where the system has none: on disk) that has no name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("hetero", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Arena:
    """Shared memory for the arrays of one message at a time. Grows, never shrinks.

    One for both directions, since the sides speak in turn: what was just read is in the caches, and is written next.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self._size = 0

    def write(self, buffers: Sequence[memoryview]) -> list[int]:
        """Copy the buffers in, one after the other, and return their sizes."""
        sizes = [buffer.nbytes for buffer in buffers]
        memory = self._mapped(sum(map(_padded, sizes)), grow=True)
        start = 0
        for buffer, size in zip(buffers, sizes, strict=True):
            memory[start : start + size] = buffer.cast("B")
            start += _padded(size)
        return sizes

    def read(self, sizes: Sequence[int]) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
        """Copies of the buffers: the next message overwrites the arena while these values are still in use."""
        memory = np.frombuffer(self._mapped(sum(map(_padded, sizes)), grow=False), np.uint8)
        found, start = [], 0
        for size in sizes:
            # NumPy asks the system for large pages; a bytearray of megabytes spends most of its time on small ones.
            found.append(memory[start : start + size].copy())
            start += _padded(size)
        return found

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map, self._size = None, 0
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _mapped(self, size: int, grow: bool) -> memoryview:
        if size > self._size or self._map is None:
            if grow and size > os.fstat(self._descriptor).st_size:  # the other side may have made it larger
                os.ftruncate(self._descriptor, _rounded(size))
            if self._map is not None:
                self._map.close()
            self._size = os.fstat(self._descriptor).st_size
            self._map = mmap.mmap(self._descriptor, self._size)
        return memoryview(self._map)


class Channel:
    """One end of a conversation in which each side speaks in turn."""

    def __init__(self, connection: Connection, arena: Arena) -> None:
        self._connection, self._arena = connection, arena

    @staticmethod
    def pack(message: Any) -> Packed:
        """A message ready to be sent. Raises what pickling raises where a value cannot travel."""
        buffers: list[memoryview] = []

        def in_band(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes <= IN_BAND_BYTES:
                return True
            buffers.append(raw)
            return False

        return _dumps(message, in_band), buffers

    def send(self, packed: Packed) -> None:
        """Raises OSError where nobody listens."""
        data, buffers = packed
        sizes = self._arena.write(buffers) if buffers else []
        self._connection.send_bytes(pickle.dumps((sizes, data), protocol=5))

    def recv(self, timeout_s: float | None = None) -> Any:
        """The next message.

        Raises:
            EOFError: the other side is gone.
            TimeoutError: nothing came within ``timeout_s`` seconds.
        """
        if timeout_s is not None and not self._connection.poll(timeout_s):
            raise TimeoutError
        sizes, data = pickle.loads(self._connection.recv_bytes())
        return pickle.loads(data, buffers=self._arena.read(sizes) if sizes else ())

    def close(self) -> None:
        self._connection.close()
        self._arena.close()


def _dumps(message: Any, in_band: Any) -> bytes:
    if _plain(message):
        return pickle.dumps(message, protocol=5, buffer_callback=in_band)
    import cloudpickle  # functions and classes of notebooks, closures and __main__ travel by value

    return bytes(cloudpickle.dumps(message, protocol=5, buffer_callback=in_band))


def _plain(value: Any) -> bool:
    """Whether a value means the same to any process: then the plain pickler does, ten times as fast."""
    if isinstance(value, np.ndarray | np.generic):
        return not value.dtype.hasobject
    if value is None or type(value) in (str, int, float, bool, bytes, complex, Handle):
        return True
    if type(value) in (list, tuple):
        return all(map(_plain, value))
    return type(value) is dict and all(map(_plain, value)) and all(map(_plain, value.values()))


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _rounded(size: int) -> int:
    """The next power of two: a stream of growing messages remaps rarely."""
    return max(1 << (size - 1).bit_length(), mmap.PAGESIZE)
