"""Every device that the registry knows keeps the promises of the device interface."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import software_gpu
from needs import needs

from hetero import registry
from hetero.conformance import CHECKS, Check, Subject

NAMES = [status.name for status in registry.devices()]


@pytest.fixture(scope="module", autouse=True)
def software_adapter() -> Iterator[None]:
    """The software GPU is visible to this module where it is installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in software_gpu.environment().items():
            patch.setenv(name, value)
        yield
        subject.cache_clear()


@cache
def subject(name: str) -> Subject:
    return Subject.of(name)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("name", NAMES)
def test_device_keeps_its_promise(name: str, check: Check) -> None:
    """The device does what the check's docstring says."""
    status = next(status for status in registry.devices() if status.name == name)
    if not status.available:
        needs("a GPU for WebGPU, or the software GPU" if name == "gpu0/webgpu" else name, status.reason)
    check(subject(name))
