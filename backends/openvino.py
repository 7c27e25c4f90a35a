"""OpenVINO on the CPU, natively: its ONNX Runtime provider offers nothing on AMD."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.backends.models import computes_int8, int8_variants, onnx_form, refusal
from hetero.backends.packages import missing, version
from hetero.device import (
    HOST,
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Offers,
    Precision,
    Refusal,
    Variant,
    refuse,
    thread_counts,
)
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.onnx import OnnxOp
from hetero.values import Specs

if TYPE_CHECKING:
    import openvino

NAME = "cpu/openvino"
MOST_STREAMS = 8
"""Each stream has a graph of its own, which takes memory and time to build."""
PREPARED_SHAPES = 32
"""So many different shapes are prepared in all streams of a model before they are needed there."""
KEPT_MODELS = 8
"""Converted models that are kept, so that the variants of one op are built from one conversion."""

_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
"""What is not in 8-bit integers in a quantised model is computed in floats."""
_NEEDED: dict[Precision, tuple[str, ...]] = {
    "bf16": ("avx512_bf16", "amx_bf16"),
    "fp16": ("avx512_fp16", "amx_fp16", "asimdhp"),
}
"""CPU features of which one is enough for a precision to be computed in hardware."""


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    if status := missing(NAME, "openvino", "openvino"):
        return [status]
    low: list[Precision] = [p for p, features in _NEEDED.items() if set(features) & set(cpu.features)]
    low += ["int8"] if computes_int8(cpu) else []
    info = DeviceInfo(
        name=NAME,
        engine="openvino",
        version=version("openvino"),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="Intel",
        kinds=("onnx", "torch"),
        concurrency=64,
        capability="ONNX models in " + ", ".join(["fp32", *low]),
        max_threads=cpu.cores,
        precisions=("fp32", *low),
    )
    return [DeviceStatus(NAME, True, info)]


def open_device(info: DeviceInfo) -> Device:
    return OpenVinoDevice(info)


class OpenVinoDevice:
    """One compiled model a variant, and as many infer requests as calls are inside it at once.

    The precision is always set: left alone, OpenVINO takes bf16 where the CPU has AMX. Pinning is off, since two
    models would be pinned to the same core. A variant of few threads has several streams, so that the lanes of a map
    do not wait for each other: 20 lines of text took 182 ms in two lanes and two streams, 339 ms in one. A compiled
    model takes inputs of any size the model allows.
    """

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        import openvino

        self.info = info
        self._core = openvino.Core()
        self._converted: dict[str, openvino.Model] = {}
        self._lock = threading.Lock()

    def variants(self, op: Op, specs: Specs) -> Offers:
        if refused := refusal(self.info, op):
            return Offers(refusals=(refused,))
        if isinstance(op, OnnxOp):  # reading a model is quick; a torch module would have to be exported first
            try:
                self._convert(op)
            except RuntimeError as error:
                return Offers(refusals=(Refusal(f"OpenVINO cannot convert the model: {_reason(error)}"),))
        floats = (
            Variant(precision, threads, exact=precision == "fp32")
            for precision in self.info.precisions
            if precision != "int8"
            for threads in thread_counts(self.info.max_threads)
        )
        calibrated = int8_variants(self.info, "static")
        return Offers(
            tuple(map(self._in_streams, floats)), calibrated=tuple(map(self._in_streams, calibrated))
        )

    def _in_streams(self, variant: Variant) -> Variant:
        """As many calls at once as its threads leave room for: in one stream OpenVINO runs them one after the other."""
        streams = min(self.info.max_threads // variant.threads, MOST_STREAMS)
        return variant if streams < 2 else replace(variant, settings={**variant.settings, "streams": streams})

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        streams = int(variant.settings.get("streams", 1))
        config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _HINTS[variant.precision],
            "INFERENCE_NUM_THREADS": variant.threads * streams,
            "NUM_STREAMS": streams,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = onnx_form(op, variant)
            compiled = self._core.compile_model(self._convert(model), "CPU", config)
            places = _places(compiled, model)
        except (
            Exception
        ) as error:  # RuntimeError from the engine, ModelError from the export; the cause is kept
            raise refuse(self.info.name, op, error) from error
        return DirectExecutable(_Requests(compiled, model, places, streams))

    def _convert(self, op: OnnxOp) -> openvino.Model:
        """The op in OpenVINO's representation.

        Raises:
            RuntimeError: OpenVINO does not know an operator of it, or how it is used.
        """
        with self._lock:
            if op.digest not in self._converted:
                while len(self._converted) >= KEPT_MODELS:
                    del self._converted[next(iter(self._converted))]
                self._converted[op.digest] = self._core.read_model(op.file.source)
            return self._converted[op.digest]


class _Requests:
    """Runs a compiled model; a request serves one call at a time, so each call takes one from the pool.

    A stream prepares itself for every new shape, which takes many times a run, and nobody can say which stream will
    serve a call. So a shape that is new is run in all streams at once: the next call finds each of them ready.
    """

    def __init__(
        self, compiled: openvino.CompiledModel, op: OnnxOp, places: Sequence[int], streams: int
    ) -> None:
        self._compiled = compiled
        self._op = op
        self._places = places
        self._streams = streams
        self._free: deque[openvino.InferRequest] = deque()
        self._ready: set[tuple[Any, ...]] = set()

    def __call__(self, *inputs: Any) -> Outputs:
        arrays = self._op.arrays(inputs)
        feeds = {place: _contiguous(array) for place, array in zip(self._places, arrays, strict=True)}
        if self._streams > 1:
            self._prepare(feeds)
        request = self._request()
        try:
            # inputs are shared, since the call ends before the caller goes on; outputs are copied, since the next
            # call of this request overwrites them
            results = request.infer(feeds, share_inputs=True, share_outputs=False)
            return tuple(results[i] for i in range(len(self._op.outputs)))
        finally:
            self._free.append(request)

    def _request(self) -> openvino.InferRequest:
        try:
            return self._free.pop()
        except IndexError:
            return self._compiled.create_infer_request()

    def _prepare(self, feeds: dict[int, Any]) -> None:
        """Have all streams run these shapes, unless they did; shapes without end are left to whom they meet."""
        shapes = tuple(np.shape(value) for value in feeds.values())
        if shapes in self._ready or len(self._ready) >= PREPARED_SHAPES:
            return
        self._ready.add(shapes)
        requests = [self._request() for _ in range(self._streams)]
        try:
            for request in requests:
                request.start_async(feeds, share_inputs=True)
            for request in requests:
                request.wait()
        finally:
            self._free.extend(requests)


def _places(compiled: openvino.CompiledModel, op: OnnxOp) -> list[int]:
    """Each of the op's inputs as an index of the compiled model's, which need not keep the order.

    Raises:
        RuntimeError: the conversion dropped an input.
    """
    index = {name: i for i, port in enumerate(compiled.inputs) for name in port.get_names()}
    dropped = [name for name in op.inputs if name not in index]
    if dropped:
        raise RuntimeError(f"the conversion dropped the input {dropped[0]!r}")
    return [index[name] for name in op.inputs]


def _contiguous(array: Any) -> Any:
    return np.ascontiguousarray(array) if array.ndim else array  # ascontiguousarray would add a dimension


def _reason(error: BaseException) -> str:
    """The line of OpenVINO's message that says what is wrong; places in its sources and headings come before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    points = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    other = [
        line for line in lines if not line.startswith(("Exception from", "Check '", "FrontEnd API failed"))
    ]
    return (points or other or [type(error).__name__])[0]
