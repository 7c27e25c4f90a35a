"""The CPU engines for ONNX models: what they offer, and the reasons where they do not."""

from __future__ import annotations

import numpy as np
import openvino
import pytest
import torch
from onnx import helper
from onnx_models import model, projection

from hetero import detect
from hetero.backends import onnxruntime as ort_backend
from hetero.backends import openvino as openvino_backend
from hetero.device import SPINS_ON, Device, Variant
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.onnx import OnnxOp
from hetero.ops.torch import TorchOp
from hetero.values import specs_of

X = np.ones((2, 4), np.float32)


def op_of(built: object) -> OnnxOp:
    return OnnxOp.from_model(built.SerializeToString())  # type: ignore[attr-defined]


def openvino_on(cpu: Processor) -> Device:
    info = openvino_backend.probe(cpu)[0].info
    assert info is not None
    return openvino_backend.open_device(info)


@pytest.mark.parametrize("cores", [1, 2, 6])
def test_threads_up_to_the_cores_that_may_be_used(cores: int) -> None:
    """Variants ask for powers of two of the processor's cores, and for all of them."""
    expected = {1: [1], 2: [1, 2], 6: [1, 2, 4, 6]}[cores]
    info = ort_backend.probe(Processor("cpu", cores=cores))[0].info
    assert info is not None
    offers = ort_backend.open_device(info).variants(op_of(projection()), specs_of([X]))
    plain = [variant for variant in offers.variants if not variant.settings]
    assert [variant.threads for variant in plain] == expected
    spinning = [variant.threads for variant in offers.variants if variant.settings == {SPINS_ON: True}]
    assert spinning == [threads for threads in expected if threads > 1]
    assert all(variant.exact for variant in offers.variants)


@pytest.mark.parametrize(
    ("features", "precisions"),
    [
        ((), {"fp32"}),
        (("avx512_vnni",), {"fp32"}),
        (("avx512_bf16",), {"fp32", "bf16"}),
        (("amx_bf16", "amx_fp16"), {"fp32", "bf16", "fp16"}),
    ],
)
def test_low_precision_only_where_the_cpu_has_it(features: tuple[str, ...], precisions: set[str]) -> None:
    """bf16 and fp16 are offered where the CPU computes in them, and are never called exact."""
    device = openvino_on(Processor("cpu", cores=1, features=features))
    offers = device.variants(op_of(projection()), specs_of([X]))
    assert {variant.precision for variant in offers.variants} == precisions
    assert all(variant.exact == (variant.precision == "fp32") for variant in offers.variants)


def test_openvino_is_told_its_precision_threads_and_no_pinning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that decides speed or precision is left to the engine's default."""
    seen: dict[str, object] = {}
    compile_model = openvino.Core.compile_model

    def spy(self: openvino.Core, model: object, device: str, config: dict[str, object]) -> object:
        seen.update(config)
        return compile_model(self, model, device, config)

    monkeypatch.setattr(openvino.Core, "compile_model", spy)
    device = openvino_on(detect.cpu())
    device.compile(op_of(projection()), Variant("fp32", 1)).close()
    assert seen["INFERENCE_PRECISION_HINT"] == "f32"
    assert seen["INFERENCE_NUM_THREADS"] == 1
    assert seen["ENABLE_CPU_PINNING"] is False
    assert seen["NUM_STREAMS"] == 1


def test_openvino_refuses_what_it_cannot_convert() -> None:
    """A model that it cannot convert is a refusal with OpenVINO's reason, before anything is compiled."""
    built = model(
        [helper.make_node("Prophecy", ["x"], ["y"], domain="nowhere")],
        {"x": (np.float32, ["n"])},
        {"y": (np.float32, ["n"])},
    )
    built.opset_import.append(helper.make_opsetid("nowhere", 1))
    offers = openvino_on(detect.cpu()).variants(op_of(built), specs_of([X[0]]))
    assert not offers.variants
    assert "Prophecy" in offers.refusals[0].reason


def test_an_engine_error_names_device_and_op() -> None:
    """A failing compile is a ``DeviceError`` whose cause is the engine's own error."""
    built = model(
        [helper.make_node("Prophecy", ["x"], ["y"])], {"x": (np.float32, ["n"])}, {"y": (np.float32, ["n"])}
    )
    info = ort_backend.probe(detect.cpu())[0].info
    assert info is not None
    with pytest.raises(DeviceError, match="cpu/onnxruntime cannot compile onnx 'by_hand'") as caught:
        ort_backend.open_device(info).compile(op_of(built), Variant())
    assert caught.value.__cause__ is not None


def test_other_layouts_of_memory() -> None:
    """Transposed, strided and read-only arrays give what their contiguous copies give."""
    device = openvino_on(detect.cpu())
    executable = device.compile(op_of(projection()), Variant())
    x = np.random.default_rng(0).standard_normal((4, 6), np.float32)
    fixed = x.T.copy()
    fixed.flags.writeable = False
    expected = executable.start([x.T.copy()]).wait()[0]
    for value in (x.T, np.repeat(x.T, 2, axis=0)[::2], fixed):
        np.testing.assert_array_equal(executable.start([value]).wait()[0], expected)


def test_a_module_that_is_known_not_to_export_is_refused() -> None:
    """Once its export has failed, a torch module is a refusal with that reason, at no further cost."""

    class Looking(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if x.sum().item() > 0 else x

    op = TorchOp.from_module(Looking(), X, "looking")
    info = ort_backend.probe(detect.cpu())[0].info
    assert info is not None
    device = ort_backend.open_device(info)
    (variant, *_) = device.variants(op, specs_of([X])).variants
    with pytest.raises(DeviceError, match="cpu/onnxruntime cannot compile torch 'looking'"):
        device.compile(op, variant)
    for engine in (device, openvino_on(detect.cpu())):
        offers = engine.variants(op, specs_of([X]))
        assert not offers.variants
        assert "torch cannot export 'looking'" in offers.refusals[0].reason
