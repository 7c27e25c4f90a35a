"""The promises of the device interface, one check each. A check raises `ConformanceError`, or returns."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias, get_args

import numpy as np

from hetero.conformance.samples import broken_model, heavy, samples
from hetero.conformance.subject import Subject, expect, pretends
from hetero.device import Device, Isolation, Precision, Variant
from hetero.errors import ClosedError, DeviceError
from hetero.ops.base import Op, Run
from hetero.values import Specs, specs_of

__all__ = ["CHECKS", "Check"]

Check: TypeAlias = Callable[[Subject], None]

CHEAP_S = 0.25
"""What asking for variants may take once an op is known: planning asks it of every device for every node."""
ONE_THREAD = 1.35
"""CPU seconds per wall-clock second up to which a run counts as one thread's work."""


def check_info(subject: Subject) -> None:
    """The device describes itself completely, and as its memory and processor do."""
    info = subject.info
    for field in ("name", "engine", "version", "processor", "vendor", "supplier", "capability"):
        # a hidden or virtual CPU may not tell its vendor: the probe passes on what the processor knows
        known = field != "vendor" or subject.processor.vendor
        expect(bool(getattr(info, field)) or not known, f"info.{field} is empty")
    expect("/" in info.name, f"info.name is {info.name!r}, expected 'place/engine'")
    expect(
        info.name == subject.status.name,
        f"info.name is {info.name!r}, its status says {subject.status.name!r}",
    )
    expect(
        info.processor == subject.processor.name,
        f"info.processor is {info.processor!r}, which is not its own",
    )
    expect(bool(info.kinds), "info.kinds is empty: it runs nothing")
    expect(info.isolation in get_args(Isolation), f"info.isolation is {info.isolation!r}")
    expect(info.concurrency >= 1, f"info.concurrency is {info.concurrency}, expected at least 1")
    expect(info.max_threads >= 1, f"info.max_threads is {info.max_threads}, expected at least 1")
    expect(
        set(info.precisions) <= set(get_args(Precision)),
        f"info.precisions has unknown ones: {info.precisions}",
    )
    space = subject.device.memory.space
    expect(
        space == info.memory_space,
        f"its memory's space is {space!r}, info.memory_space {info.memory_space!r}",
    )
    expect(isinstance(subject.device, Device), "it lacks a method of hetero.device.Device")
    expect(pickle.loads(pickle.dumps(info)) == info, "info does not survive pickling")


def check_variants(subject: Subject) -> None:
    """Variants are quick to ask for, hashable, distinct, and survive files and processes."""
    for sample in subject.samples:
        specs = specs_of(sample.inputs[0])
        subject.device.variants(sample.op, specs)
        started = time.perf_counter()
        offers = subject.device.variants(sample.op, specs)
        seconds = time.perf_counter() - started
        what = f"variants of {sample.op.name!r}"
        expect(seconds < CHEAP_S, f"{what} took {seconds:.2f} s the second time, expected under {CHEAP_S} s")
        expect(len(set(offers.variants)) == len(offers.variants), f"{what} are not distinct")
        expect(bool(offers.variants or offers.refusals), f"{what}: neither one offered nor a reason given")
        for variant in offers.variants:
            expect(Variant.from_dict(variant.to_dict()) == variant, f"{variant} does not survive to_dict")
            expect(pickle.loads(pickle.dumps(variant)) == variant, f"{variant} does not survive pickling")
            most = max(subject.processor.cores, subject.info.max_threads)
            expect(1 <= variant.threads <= most, f"{variant} asks for more than {most} threads")


def check_refusals(subject: Subject) -> None:
    """What the device does not run is refused with a reason, never by an exception."""
    strangers: list[Op] = [_Stranger()]
    for kind in ("function", "onnx", "torch", "circuit"):
        if kind not in subject.info.kinds:
            strangers += [sample.op for sample in samples(kind)]
    for op in strangers:
        offers = subject.device.variants(op, ())
        expect(not offers.variants, f"{op.kind} is not in info.kinds, and yet variants are offered")
        expect(bool(offers.refusals), f"a {op.kind} op is not offered, and no reason is given")
    known = [(sample.op, specs_of(sample.inputs[0])) for sample in subject.samples]
    for op, specs in [*((op, ()) for op in strangers), *known]:
        for refusal in subject.device.variants(op, specs).refusals:
            expect(bool(refusal.reason.strip()), f"a refusal of {op.name!r} has no reason")


def check_results(subject: Subject) -> None:
    """Each offered variant computes what the reference computes, on the first shapes and on others."""
    ran: set[str] = set()
    for sample, variant, executable in subject.runs():
        for index, inputs in enumerate(sample.inputs):
            what = f"{sample.op.name!r} as {variant}, inputs {index}"
            subject.compare(what, variant, sample, index, subject.run(executable, inputs))
        ran.add(sample.op.kind)
    for kind in subject.info.kinds:
        expect(kind in ran or not samples(kind), f"it says that it runs {kind} ops, and refused every sample")


def check_repeats(subject: Subject) -> None:
    """A call gives the same again, leaves its inputs alone, and what it gave is not overwritten by the next."""
    for sample, variant, executable in subject.runs():
        what = f"{sample.op.name!r} as {variant}"
        memory = subject.device.memory
        given = copy.deepcopy(sample.inputs[0])
        first = subject.run(executable, sample.inputs[0])
        kept = copy.deepcopy(first)
        on_device = executable.start([memory.put(value) for value in given]).wait()
        subject.run(executable, sample.inputs[-1])
        again = tuple(memory.get(value) for value in on_device)
        for name, one, then, now in zip(sample.op.outputs, kept, first, again, strict=True):
            expect(_same(one, then), f"{what}: output {name!r} was changed by a later call")
            expect(_same(one, now), f"{what}: output {name!r} differs in a second call with the same inputs")
        expect(_same(given, sample.inputs[0]), f"{what}: the call changed its inputs")


def check_concurrency(subject: Subject) -> None:
    """As many calls as ``info.concurrency`` says can be inside one executable at once."""
    lanes = min(subject.info.concurrency, 4)
    if lanes == 1:
        return
    with ThreadPoolExecutor(lanes) as pool:
        for sample, variant, executable in subject.runs():
            calls = [i % len(sample.inputs) for i in range(4 * lanes)]
            outputs = pool.map(partial(subject.run, executable), [sample.inputs[index] for index in calls])
            for index, output in zip(calls, outputs, strict=True):
                what = f"{sample.op.name!r} as {variant}, {lanes} calls at once"
                subject.compare(what, variant, sample, index, output)


def check_close(subject: Subject) -> None:
    """Closing twice is closing once; a closed executable says that it is closed; outputs live on."""
    for sample, variant, executable in subject.runs():
        outputs = subject.run(executable, sample.inputs[0])
        executable.close()
        executable.close()
        what = f"{sample.op.name!r} as {variant}"
        subject.compare(f"{what}, after close", variant, sample, 0, outputs)
        try:
            subject.run(executable, sample.inputs[0])
        except ClosedError:
            continue
        except Exception as error:
            expect(False, f"{what}: running after close raised {type(error).__name__}, expected ClosedError")
        expect(False, f"{what}: it still ran after close, expected ClosedError")


def check_memory(subject: Subject) -> None:
    """What is put into the memory space comes back as it was."""
    memory = subject.device.memory
    arrays: list[np.ndarray[Any, Any]] = [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.array([1, 2, 3], np.int64),
        np.array(2.5, np.float32),
        np.array([True, False]),
        np.zeros((0, 3), np.float32),
    ]
    for array in arrays:
        back = memory.get(memory.put(array))
        expect(
            isinstance(back, np.ndarray),
            f"{array.dtype}{list(array.shape)} came back as {type(back).__name__}",
        )
        expect(
            _same(back, array),
            f"{array.dtype}{list(array.shape)} came back as {back.dtype}{list(back.shape)}",
        )
    for value in (3, 0.5, "text", None):
        expect(memory.get(memory.put(value)) == value, f"{value!r} did not come back from memory as it was")


def check_threads(subject: Subject) -> None:
    """A variant of one thread takes one core.

    Told from the CPU seconds of this process, so a device in a process of its own is not asked.
    """
    if subject.info.isolation == "process" or subject.info.memory_space != "host":
        return
    for sample in filter(None, map(heavy, subject.info.kinds)):
        offers = subject.device.variants(sample.op, specs_of(sample.inputs[0]))
        for variant in (v for v in offers.variants if v.threads == 1 and not pretends(v)):
            executable = subject.device.compile(sample.op, variant)
            try:
                subject.run(executable, sample.inputs[0])
                used = min(_cores_used(partial(subject.run, executable, sample.inputs[0])) for _ in range(3))
            finally:
                executable.close()
            expect(used < ONE_THREAD, f"{sample.op.name!r} as {variant}: it used {used:.1f} cores")


def check_compile_errors(subject: Subject) -> None:
    """What an engine cannot build is a ``DeviceError`` that names the device and the op, with its cause."""
    if "onnx" not in subject.info.kinds or not samples("onnx"):
        return
    op = broken_model()
    for variant in subject.device.variants(op, specs_of([np.zeros(3, np.float32)])).variants:
        if pretends(variant):
            continue
        try:
            subject.device.compile(op, variant)
        except DeviceError as error:
            said = str(error)
            expect(subject.info.name in said and op.name in said, f"it does not name device and op: {said}")
            continue
        except Exception as error:
            expect(False, f"an unknown operator raised {type(error).__name__}, expected DeviceError")
        expect(False, "a model of an unknown operator was compiled")


def check_run_errors(subject: Subject) -> None:
    """A call that fails raises, and the calls after it are unharmed."""
    for sample, variant, executable in subject.runs():
        if sample.op.kind not in ("onnx", "torch") or pretends(variant):
            continue
        what = f"{sample.op.name!r} as {variant}"
        wrong = tuple(np.zeros((7, 7, 7, 7, 7), np.float32) for _ in sample.op.inputs)
        try:
            subject.run(executable, wrong)
        except Exception as error:
            expect(
                bool(str(error)),
                f"{what}: inputs of a wrong shape raised {type(error).__name__} without a word",
            )
        else:
            expect(False, f"{what}: inputs of a wrong shape were taken")
        subject.compare(
            f"{what}, after an error", variant, sample, 0, subject.run(executable, sample.inputs[0])
        )


class _Stranger(Op):
    """An op of a kind that no device knows."""

    kind = "stranger"
    name = "stranger"
    inputs = ()
    outputs = ("result",)
    digest = "stranger"

    def check(self, node: str, specs: Specs) -> None:
        """It takes nothing."""

    def load(self) -> Run:
        return lambda: (None,)


def _cores_used(call: Callable[[], Any]) -> float:
    """CPU seconds of this process per wall-clock second, over a tenth of a second of calls."""
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < 0.1:
        call()
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


def _same(one: Any, other: Any) -> bool:
    """Equal values, dtypes and shapes, through tuples and dicts."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


CHECKS: tuple[Check, ...] = (
    check_info,
    check_variants,
    check_refusals,
    check_memory,
    check_results,
    check_repeats,
    check_concurrency,
    check_threads,
    check_close,
    check_compile_errors,
    check_run_errors,
)
"""All checks, the quick ones first."""
