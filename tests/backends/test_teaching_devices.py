"""The devices that need no hardware: null, and the one with foreign memory."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import either, projection

from hetero import detect, registry
from hetero.backends import foreign, null
from hetero.device import Device, Variant
from hetero.errors import DeviceError
from hetero.ops.onnx import OnnxOp
from hetero.values import specs_of

X = np.ones((2, 4), np.float32)


def op_of(built: object) -> OnnxOp:
    return OnnxOp.from_model(built.SerializeToString())  # type: ignore[attr-defined]


def opened(family: object) -> Device:
    info = family.probe(detect.cpu())[0].info  # type: ignore[attr-defined]
    return family.open_device(info)  # type: ignore[attr-defined, no-any-return]


def test_they_are_known_but_in_no_machine_by_default() -> None:
    """Teaching devices are listed, and are part of a machine only where they are asked for."""
    assert {"null0/null", "foreign0/foreign"} <= {status.name for status in registry.devices()}
    assert not {"null", "foreign"} & {info.engine for info in registry.detect_machine().devices}
    assert {"null", "foreign"} <= {info.engine for info in registry.detect_machine(teaching=True).devices}


class TestNull:
    def test_zeros_of_the_right_form(self) -> None:
        """Its outputs have the dtype and shape of the model's, for any input size, and no content."""
        device = opened(null)
        run = device.compile(op_of(projection()), Variant(exact=False))
        for rows in (2, 5):
            (y,) = run.start([np.ones((rows, 4), np.float32)]).wait()
            assert (y.dtype, y.shape, y.any()) == (np.float32, (rows, 3), False)

    def test_shapes_that_only_a_run_can_tell(self) -> None:
        """Where shapes depend on data, one reference run tells them."""
        run = opened(null).compile(op_of(either()), Variant(exact=False))
        assert run.start([np.array(True), X[0]]).wait()[0].shape == (4,)

    def test_it_declares_its_time(self) -> None:
        """Each variant says how long it would take, and is not exact."""
        (variant,) = opened(null).variants(op_of(projection()), specs_of([X])).variants
        assert variant.settings["seconds"] == null.SECONDS
        assert not variant.exact


class TestForeign:
    def test_host_values_are_not_taken(self) -> None:
        """A missing transfer is an error that names device, op, input and memory space."""
        run = opened(foreign).compile(op_of(projection()), Variant())
        with pytest.raises(
            DeviceError, match=r"input 'x' is a ndarray in host memory; expected .* 'foreign'"
        ):
            run.start([X])

    def test_its_tensors_are_closed_to_the_host(self) -> None:
        """A tensor of the foreign space cannot be used as an array, and is not put there twice."""
        memory = opened(foreign).memory
        tensor = memory.put(X)
        with pytest.raises(DeviceError, match="get it through its memory"):
            np.asarray(tensor)
        with pytest.raises(DeviceError, match="already"):
            memory.put(tensor)
        with pytest.raises(DeviceError, match="ndarray of the host"):
            memory.get(X)

    def test_it_counts_transfers(self) -> None:
        """Two nodes that hand a tensor on in its space cost one put and one get."""
        device = opened(foreign)
        memory = foreign.MEMORY
        square = op_of(projection(np.eye(4, 3, dtype=np.float32)))
        run = device.compile(square, Variant())
        before = (memory.puts, memory.gets)
        (y,) = run.start([memory.put(X)]).wait()
        np.testing.assert_array_equal(memory.get(y), np.ones((2, 3), np.float32))
        assert (memory.puts - before[0], memory.gets - before[1]) == (1, 1)

    def test_it_keeps_copies(self) -> None:
        """What is put there does not change with the host's array."""
        memory = opened(foreign).memory
        x = X.copy()
        tensor = memory.put(x)
        x += 1
        np.testing.assert_array_equal(memory.get(tensor), X)
