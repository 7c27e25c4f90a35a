"""The common device interface: one required method that runs, values that describe.

A device is an engine on a processor. It says in which ways it could run an op on given shapes
(``variants``), and builds one of them (``compile``). It never decides: which variant is used, where tensors
live and when they move is the planner's and the runtime's business.

To add a device, write one file with two functions (see ``Backend``) and name it in the registry or in an entry
point of group ``hetero.devices``. The conformance suite (``python -m hetero.conformance``) tests it.

    >>> from hetero.device import Variant
    >>> str(Variant(threads=2, settings={"streams": 1}))
    'fp32 threads=2 streams=1'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from hetero.errors import ClosedError, DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.values import Specs, digest_of

__all__ = [
    "HOST",
    "SPINS_ON",
    "Backend",
    "Device",
    "DeviceInfo",
    "DeviceStatus",
    "DirectExecutable",
    "Done",
    "Executable",
    "HostMemory",
    "Memory",
    "Offers",
    "Pending",
    "Precision",
    "Refusal",
    "Variant",
    "refuse",
    "thread_counts",
    "wrong_kind",
]

Precision: TypeAlias = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "int8", "native"]
"""``native`` is the precision of a user's own code, which no engine changes."""
Isolation: TypeAlias = Literal["inline", "thread", "process"]
Setting: TypeAlias = str | int | float | bool

SPINS_ON = "spins_on"
"""The setting of a variant whose threads go on spinning for a while after a run: quicker for who runs the same again at
once, slower for everything else. It is offered to the planner, which keeps it for plans that run nothing else."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way a device can run an op. Everything that is tuned is a field or a setting of a variant.

    ``threads`` is the number of intra-op threads the engine is given, and the cores that the scheduler
    holds for it. ``exact`` says that the variant computes what the reference computes up to float
    rounding; a variant that is not exact is never chosen under an error limit before it was measured.
    """

    precision: Precision = "fp32"
    threads: int = 1
    exact: bool = True
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __hash__(self) -> int:
        return hash((self.precision, self.threads, self.exact, frozenset(self.settings.items())))

    def __reduce__(self) -> tuple[Any, ...]:  # a mapping proxy does not pickle
        return type(self), (self.precision, self.threads, self.exact, dict(self.settings))

    def __str__(self) -> str:
        return " ".join(
            [self.precision, f"threads={self.threads}", *(f"{k}={v}" for k, v in self.settings.items())]
        )

    @property
    def declared_seconds(self) -> float | None:
        """What one run is declared to take (the setting ``seconds``), where measuring it here would say nothing."""
        seconds = self.settings.get("seconds")
        return None if seconds is None else float(seconds)

    @property
    def charged_dollars(self) -> float | None:
        """What the owner of the hardware charges for one run (the setting ``dollars``), beside any rent.

        A variant that is charged for is never run while planning, and never twice for one request; so it declares its
        seconds and its ``declared_error`` too.
        """
        dollars = self.settings.get("dollars")
        return None if dollars is None else float(dollars)

    @property
    def declared_error(self) -> float | None:
        """How far outputs are declared to be off (the setting ``error``), where comparing them here is not possible."""
        error = self.settings.get("error")
        return None if error is None else float(error)

    def to_dict(self) -> dict[str, Any]:
        return {
            "precision": self.precision,
            "threads": self.threads,
            "exact": self.exact,
            "settings": dict(self.settings),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Variant:
        return cls(data["precision"], data["threads"], data["exact"], data["settings"])


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What is known of a device without asking it anything.

    ``supplier`` makes the engine, ``vendor`` the processor: both can be denied. ``memory_space`` names where
    its tensors live; devices of one space hand tensors on without a copy. ``isolation`` says where its
    executables may run: ``inline`` in the caller's thread, ``thread`` in one thread of its own, ``process`` in a worker
    process (in several, where its ``concurrency`` is more than 1). ``concurrency`` is how many calls may be inside one
    executable at once. ``kinds`` are the ops that it runs.
    ``max_threads`` is the most intra-op threads that a variant may ask for, ``precisions`` what the hardware computes
    in at speed, ``memory_bytes`` what a variant may need at most (None: unknown); they are told by the probe, which
    sees the processor (an opened device sees its ``info`` only).
    """

    name: str
    engine: str
    version: str
    processor: str
    vendor: str
    supplier: str
    kinds: tuple[str, ...]
    memory_space: str = "host"
    isolation: Isolation = "inline"
    concurrency: int = 1
    capability: str = ""
    driver: str = ""
    max_threads: int = 1
    precisions: tuple[Precision, ...] = ("fp32",)
    memory_bytes: int | None = None

    def fingerprint(self, processor: Processor) -> str:
        """Profiles are shared between devices with equal fingerprints and never otherwise."""
        return digest_of(self.engine, self.version, self.driver, processor.model, list(processor.features))


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """A known device: available, or the reason why not and what to do about it.

    ``processor`` is given by devices on hardware of their own; None means the CPU.
    """

    name: str
    available: bool
    info: DeviceInfo | None = None
    processor: Processor | None = None
    reason: str = ""
    install: str = ""

    def __str__(self) -> str:
        if self.available:
            return f"{self.name}: available"
        return f"{self.name}: not available, {self.reason}" + (f" ({self.install})" if self.install else "")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a device does not offer an op, or one variant of it."""

    reason: str
    variant: Variant | None = None


@dataclass(frozen=True, slots=True)
class Offers:
    """The ways in which a device can run an op, and each refusal's reason.

    Those ``calibrated`` can be built only for inputs that are known: whoever has samples keeps some of them
    (``hetero.ops.onnx_quantise.keep_calibration``) and names them in the variant's setting ``calibration``.
    """

    variants: tuple[Variant, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    calibrated: tuple[Variant, ...] = ()


class Pending(Protocol):
    """A run that was started. An asynchronous device is timed at ``wait``."""

    @property
    def token(self) -> str | None:
        """What a queued job is resumed by after a crash; None where a run does not outlive the process."""
        ...

    def wait(self, timeout_s: float | None = None) -> Outputs: ...

    def cancel(self) -> bool:
        """Try to stop it; True where it will not complete."""
        ...


class Executable(Protocol):
    """An op compiled for one variant. Inputs are in the device's memory space, so are the outputs."""

    def start(self, inputs: Sequence[Any]) -> Pending: ...

    def close(self) -> None: ...


class Memory(Protocol):
    """A memory space. Devices of one space share one ``Memory``; the runtime moves tensors through it."""

    space: str

    def put(self, value: Any) -> Any:
        """Bring a host value into this space."""
        ...

    def get(self, value: Any) -> Any:
        """Bring a value of this space back to the host (a NumPy array or plain value)."""
        ...


@runtime_checkable
class Device(Protocol):
    """An engine on a processor."""

    info: DeviceInfo
    memory: Memory

    def variants(self, op: Op, specs: Specs) -> Offers:
        """The ways this device can run ``op`` on inputs of these specs. Cheap: compiles nothing."""
        ...

    def compile(self, op: Op, variant: Variant) -> Executable:
        """Build one variant.

        Raises:
            DeviceError: the engine refused; the message names the op, the device and the engine's reason.
        """
        ...


class Backend(Protocol):
    """A device family: what a module under ``backends/`` or an entry point provides."""

    def probe(self, cpu: Processor) -> Sequence[DeviceStatus]:
        """Every device of the family on this machine, quickly: imports no engine where facts do without."""
        ...

    def open_device(self, info: DeviceInfo) -> Device:
        """The device that ``info`` describes. Loads the engine."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """The ``Pending`` of a run that is over when ``start`` returns."""

    outputs: Outputs
    token: str | None = None

    def wait(self, timeout_s: float | None = None) -> Outputs:
        return self.outputs

    def cancel(self) -> bool:
        return False


@dataclass(slots=True)
class DirectExecutable:
    """Makes an executable out of a plain synchronous function.

    The runtime calls ``run`` itself where nothing is gained from a ``Pending``. ``close`` replaces ``run`` by a
    function that raises ``ClosedError``, so that an open executable pays nothing for the check.

    >>> DirectExecutable(lambda x: (x + 1,)).start([1]).wait()
    (2,)
    """

    run: Callable[..., Outputs]
    on_close: Callable[[], None] | None = None

    def start(self, inputs: Sequence[Any]) -> Pending:
        return Done(self.run(*inputs))

    def close(self) -> None:
        """Free the engine's model. Closing twice is closing once."""
        if self.run is not _closed:
            self.run = _closed
            if self.on_close is not None:
                self.on_close()


def _closed(*inputs: Any) -> Outputs:
    raise ClosedError("this executable is closed; compile the op again")


class HostMemory:
    """The host's memory: nothing to move."""

    space = "host"

    def put(self, value: Any) -> Any:
        return value

    def get(self, value: Any) -> Any:
        return value


HOST: Memory = HostMemory()


def thread_counts(most: int) -> tuple[int, ...]:
    """The intra-op thread counts worth trying: powers of two up to ``most``, and ``most`` itself.

    >>> thread_counts(6)
    (1, 2, 4, 6)
    """
    most = max(most, 1)
    return tuple(sorted({most, *(1 << i for i in range(most.bit_length()))}))


def refuse(device: str, op: Op, error: BaseException) -> DeviceError:
    """The error of an engine that failed to build an op, naming both."""
    return DeviceError(f"{device} cannot compile {op.kind} {op.name!r}: {type(error).__name__}: {error}")


def wrong_kind(info: DeviceInfo, op: Op, runs: str) -> Refusal:
    """Of an op that is none of what the device runs (in the plural)."""
    return Refusal(f"{info.name} runs {runs}, not {op.kind} ops")
