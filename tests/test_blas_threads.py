"""BLAS has one thread while a plan holds Python functions, and what it had before when the last one is closed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import hetero as ht
from hetero import blas_threads
from hetero.backends.python import PythonDevice, probe
from hetero.blas_threads import hold
from hetero.machine import Processor
from hetero.ops.function import FunctionOp


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of a process in which nobody holds BLAS yet, whatever plans other tests have left open."""
    monkeypatch.setattr(blas_threads, "_holders", 0)
    monkeypatch.setattr(blas_threads, "_limited", None)
    np.ones((4, 4)) @ np.ones((4, 4))
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        yield


def threads() -> dict[str, int]:
    """Of each BLAS in this process: some that others bring along never have more than one."""
    found = ThreadpoolController().select(user_api="blas").info()
    return {library["filepath"]: library["num_threads"] for library in found}


def test_the_last_holder_lets_go() -> None:
    """Holders may overlap in any order."""
    before = threads()
    assert 2 in before.values()
    first, second = hold(), hold()
    assert set(threads().values()) == {1}
    first()
    assert set(threads().values()) == {1}
    second()
    assert threads() == before


def test_a_function_that_a_device_has_built_holds_it() -> None:
    """From compile to close, however often it is closed."""
    before = threads()
    info = probe(Processor("cpu", cores=2))[0].info
    assert info is not None
    executable = PythonDevice(info).compile(FunctionOp(abs, name="size"), ht.device.Variant())
    assert set(threads().values()) == {1}
    executable.close()
    executable.close()
    assert threads() == before
