"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hetero.backends.models import computes_int8, int8_variants, onnx_form, refusal
from hetero.backends.packages import missing, version
from hetero.device import (
    HOST,
    SPINS_ON,
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Offers,
    Variant,
    refuse,
    thread_counts,
)
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.values import Specs

NAME = "cpu/onnxruntime"


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    if status := missing(NAME, "onnxruntime", "onnx"):
        return [status]
    info = DeviceInfo(
        name=NAME,
        engine="onnxruntime",
        version=version("onnxruntime", "onnxruntime-gpu"),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="Microsoft",
        kinds=("onnx", "torch"),
        concurrency=64,
        capability="ONNX models in fp32" + (", int8" if computes_int8(cpu) else ""),
        max_threads=cpu.cores,
        precisions=("fp32", "int8") if computes_int8(cpu) else ("fp32",),
    )
    return [DeviceStatus(NAME, True, info)]


def open_device(info: DeviceInfo) -> Device:
    return OnnxRuntimeDevice(info)


class OnnxRuntimeDevice:
    """One session a variant; a session may be run by any number of threads at once."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if refused := refusal(self.info, op):
            return Offers(refusals=(refused,))
        counts = thread_counts(self.info.max_threads)
        floats = [Variant("fp32", threads) for threads in counts]
        floats += [Variant("fp32", threads, settings={SPINS_ON: True}) for threads in counts if threads > 1]
        return Offers(
            (*floats, *int8_variants(self.info, "dynamic")), calibrated=int8_variants(self.info, "static")
        )

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = variant.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # Threads that spin between the parts of a run made small models up to a third faster, and the cores are the
        # run's own; threads that spin after it slow down every engine that comes next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        stops = "0" if variant.settings.get(SPINS_ON) else "1"
        options.add_session_config_entry("session.force_spinning_stop", stops)
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        try:
            model = onnx_form(op, variant)
            session = onnxruntime.InferenceSession(
                model.file.source, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the engine's errors share no base class but this one; the cause is kept
            raise refuse(self.info.name, op, error) from error
        names, outputs, arrays = model.inputs, list(model.outputs), model.arrays

        def run(*inputs: Any) -> Outputs:
            return tuple(session.run(outputs, dict(zip(names, arrays(inputs), strict=True))))

        return DirectExecutable(run)
