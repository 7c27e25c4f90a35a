"""Every error that hetero raises on purpose, as one tree.

HeteroError
 ├── TracingError        (TypeError)      a traced value was used where only a real value can be
 ├── ArgumentError       (TypeError)      a node or pipeline was called with the wrong arguments
 ├── GraphError          (ValueError)     a graph is empty, cyclic or refers to what does not exist
 │    └── SpecError                       a value's type, dtype or shape does not fit its node
 ├── ModelError          (ValueError)     a model or circuit cannot be read or understood
 ├── MissingExtraError   (ImportError)    an optional package is needed; names the extra to install
 ├── UnknownNameError    (LookupError)    a name that nothing has; lists the names that exist
 ├── DeviceError         (RuntimeError)   an engine failed while compiling or running
 │    ├── UnavailableError                the device is known, but not usable here
 │    └── WorkerError                     a device's worker process died or did not answer
 ├── ProblemError        (ValueError)     a scheduling problem is malformed
 ├── InfeasibleError     (ValueError)     no schedule or plan can satisfy what was asked
 ├── MissingFileError    (FileNotFoundError)  a file that was named does not exist
 ├── PlanMismatchError   (ValueError)     a saved plan does not fit this pipeline or machine
 ├── StoreError          (OSError)        the profile store cannot be used
 ├── NodeError           (RuntimeError)   a node of a running plan raised; the cause is attached
 ├── DeadlineError       (TimeoutError)   a request was not answered by its deadline, and was dropped
 ├── OverloadError       (RuntimeError)   a plan has as many requests under way as it takes
 └── ClosedError         (RuntimeError)   a plan or device was used after close()

Each one also is the builtin error that a caller would expect, and survives pickling, because errors
cross process boundaries (worker processes, Ray).

A message says who, what was found, what is allowed and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from math import inf

__all__ = [
    "ArgumentError",
    "ClosedError",
    "DeadlineError",
    "DeviceError",
    "GraphError",
    "HeteroError",
    "InfeasibleError",
    "MissingExtraError",
    "MissingFileError",
    "ModelError",
    "NodeError",
    "OverloadError",
    "PlanMismatchError",
    "ProblemError",
    "SpecError",
    "StoreError",
    "TracingError",
    "UnavailableError",
    "UnknownNameError",
    "WorkerError",
]


class HeteroError(Exception):
    """Base of all errors raised on purpose by hetero."""


class TracingError(HeteroError, TypeError):
    """A traced value was used where only a real value can be (``if``, ``for``, ``len``, arithmetic)."""


class ArgumentError(HeteroError, TypeError):
    """A node, pipeline or option was given the wrong number, names or kinds of arguments."""


class GraphError(HeteroError, ValueError):
    """A graph is empty, cyclic, or refers to a value that nothing produces."""


class SpecError(GraphError):
    """A value's type, dtype or shape does not fit the node that takes it."""


class ModelError(HeteroError, ValueError):
    """A model or circuit cannot be read, or uses something that hetero does not understand."""


class MissingExtraError(HeteroError, ImportError):
    """An optional package is needed.

    >>> str(MissingExtraError("aer", "qiskit_aer", "quantum"))
    "aer needs the package 'qiskit_aer', which is not installed: pip install 'hetero[quantum]'"
    """

    def __init__(self, who: str, package: str, extra: str) -> None:
        super().__init__(
            f"{who} needs the package {package!r}, which is not installed: pip install 'hetero[{extra}]'"
        )
        self.who, self.package, self.extra = who, package, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        return type(self), (self.who, self.package, self.extra)


class UnknownNameError(HeteroError, LookupError):
    """A name that nothing has. The message lists the names that exist.

    >>> str(UnknownNameError("device", "cpu/onnx", ["cpu/onnxruntime", "cpu/torch"]))
    "unknown device 'cpu/onnx'; did you mean 'cpu/onnxruntime'? known: cpu/onnxruntime, cpu/torch"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        close = get_close_matches(name, self.known, n=1)
        hint = f" did you mean {close[0]!r}?" if close else ""
        listing = ", ".join(self.known) or "none"
        super().__init__(f"unknown {kind} {name!r};{hint} known: {listing}")

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, tuple[str, ...]]]:
        return type(self), (self.kind, self.name, self.known)


class DeviceError(HeteroError, RuntimeError):
    """An engine failed while it compiled or ran a node. ``device`` names it, where a plan that uses it was opened."""

    device: str = ""


class UnavailableError(DeviceError):
    """The device is known but cannot be used here; the message is the reason and what to install."""


class WorkerError(DeviceError):
    """A device's worker process died, could not be started or did not answer. ``starting`` says that it had not begun
    with anything of the caller's."""

    starting: bool = False


class ProblemError(HeteroError, ValueError):
    """A scheduling problem is malformed: the message names the place and what is allowed there."""


class InfeasibleError(HeteroError, ValueError):
    """Nothing feasible exists; the message names the limit that binds and by how much."""


class MissingFileError(HeteroError, FileNotFoundError):
    """A file that was named does not exist; the message has its path."""


class PlanMismatchError(HeteroError, ValueError):
    """A saved plan does not fit this pipeline or this machine; the message names the difference."""


class StoreError(HeteroError, OSError):
    """The profile store cannot be opened, read or written."""


class NodeError(HeteroError, RuntimeError):
    """A node of a running plan raised; ``node`` names it and ``__cause__`` is what it raised."""

    def __init__(self, node: str, message: str) -> None:
        super().__init__(f"node {node!r} failed: {message}")
        self.node, self.message = node, message

    def hetero_difference(self, found: object) -> float:
        """As the value of an item (``ht.map(errors="return")``) it is as good as any other error there."""
        return 0.0 if isinstance(found, NodeError) else inf

    def __reduce__(self) -> tuple[type[NodeError], tuple[str, str]]:
        return type(self), (self.node, self.message)


class DeadlineError(HeteroError, TimeoutError):
    """A request was not answered by its deadline; what was left of it is dropped."""


class OverloadError(HeteroError, RuntimeError):
    """A plan has as many requests under way as it takes; this one was refused before anything of it ran."""


class ClosedError(HeteroError, RuntimeError):
    """A plan, session or device was used after ``close()``."""
