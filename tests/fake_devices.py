"""Devices for planner tests: they run an op by its reference and then do something to it, and count what they did."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from hetero import registry
from hetero.device import HOST, DeviceInfo, DeviceStatus, DirectExecutable, Memory, Offers, Refusal, Variant
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.values import Specs


@dataclass
class FakeBackend:
    """A device family of one device. ``change`` is done to the outputs of the reference run."""

    engine: str
    kinds: tuple[str, ...] = ("onnx",)
    variants: tuple[Variant, ...] = (Variant(),)
    change: Callable[[Any], Any] = lambda value: value
    refuses: str = ""
    fails: str = ""
    seconds: float = 0.0
    processor: Processor | None = None
    supplier: str = "Test Supplier"
    vendor: str = "Test Vendor"
    runs: int = 0
    compiled: list[str] = field(default_factory=list)

    def probe(self, cpu: Processor) -> Sequence[DeviceStatus]:
        where = self.processor or cpu
        info = DeviceInfo(
            name=f"{where.name}/{self.engine}",
            engine=self.engine,
            version="1",
            processor=where.name,
            vendor=self.vendor,
            supplier=self.supplier,
            kinds=self.kinds,
            memory_space=where.memory_space,
            concurrency=64,
        )
        return [DeviceStatus(info.name, True, info, self.processor)]

    def open_device(self, info: DeviceInfo) -> FakeDevice:
        return FakeDevice(info, self)


class FakeDevice:
    memory: Memory = HOST

    def __init__(self, info: DeviceInfo, family: FakeBackend) -> None:
        self.info, self.family = info, family

    def variants(self, op: Op, specs: Specs) -> Offers:
        if self.family.refuses:
            return Offers(refusals=(Refusal(self.family.refuses),))
        return Offers(self.family.variants)

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        if self.family.fails:
            raise DeviceError(f"{self.info.name} cannot compile {op.name!r}: {self.family.fails}")
        family, run = self.family, op.load()
        family.compiled.append(str(variant))

        def changed(*inputs: Any) -> Outputs:
            family.runs += 1
            if family.seconds:
                time.sleep(family.seconds)
            return tuple(map(family.change, run(*inputs)))

        return DirectExecutable(changed)


Register = Callable[[FakeBackend], FakeBackend]


def registering(monkeypatch: pytest.MonkeyPatch) -> Register:
    """A function that adds a family to the registry for the time of a test, as an entry point would."""

    def register(family: FakeBackend) -> FakeBackend:
        name = f"fake_backend_{family.engine}"
        monkeypatch.setitem(sys.modules, name, family)  # type: ignore[arg-type]  # found by its dotted path
        row = registry.Row(family.engine, name, family.probe(Processor("cpu"))[0].name)
        monkeypatch.setattr(registry, "_BUILT_IN", (*registry._BUILT_IN, row))
        registry.open_device.cache_clear()
        return family

    return register
