"""The modelled figures: time before measuring, transfers, energy, price; each says where it is from."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from hetero.cost import energy, price, roofline
from hetero.cost.links import LARGE_NBYTES, SMALL_NBYTES, fit_link, measure_links
from hetero.cost.measurement import About, Row
from hetero.device import DeviceInfo, Variant
from hetero.machine import Machine, Processor
from hetero.ops.base import Work
from hetero.ops.function import FunctionOp
from hetero.values import Specs, specs_of

from .fakes import Clock, FakeEngine, key, measurement, store_in

CPU = Processor("cpu", cores=8, vendor="AMD", features=("avx2",))
GPU = Processor("gpu0", kind="gpu", vendor="NVIDIA", model="NVIDIA H100 80GB HBM3", memory_space="gpu0")
ONNX = DeviceInfo("cpu/onnxruntime", "onnxruntime", "1", "cpu", "AMD", "Microsoft", ("onnx",))
ENTRIES = st.just(0.0) | st.floats(0.01, 10)
VECTOR = specs_of((np.ones(1000, np.float32),))


class Convolution(FunctionOp):
    """An op that knows its work: 1 MFLOP a float of its input."""

    def work(self, specs: Specs) -> Work | None:
        floats = sum(spec.nbytes for spec in specs) / 4
        return Work(1e6 * floats, 4 * floats)


OP = Convolution(lambda x: x, name="conv")


def seconds_of(**options: Any) -> float:
    processor = options.pop("processor", CPU)
    return roofline.prior(OP, ONNX, processor, Variant(**options), VECTOR)[0]


def test_the_prior_falls_with_threads_features_and_rises_with_work() -> None:
    """More cores and wider instructions help, twice the work takes about twice as long."""
    assert seconds_of(threads=8) < seconds_of(threads=2) < seconds_of(threads=1)
    wide = replace(CPU, features=("avx2", "avx512f"))
    assert seconds_of(processor=wide) < seconds_of()
    double = specs_of((np.ones(2000, np.float32),))
    assert roofline.prior(OP, ONNX, CPU, Variant(), double)[0] == pytest.approx(2 * seconds_of(), rel=0.01)


def test_more_threads_than_cores_are_no_faster() -> None:
    """Threads beyond the cores count for nothing."""
    assert seconds_of(threads=64) == seconds_of(threads=8)


def test_an_op_without_work_gets_the_declared_default_with_a_wide_spread() -> None:
    """A Python function, and inputs that nobody saw, are guesses that look like guesses."""
    op = FunctionOp(lambda x: x, name="glue")
    for found in (
        roofline.prior(op, ONNX, CPU, Variant(), VECTOR),
        roofline.prior(OP, ONNX, CPU, Variant(), None),
    ):
        assert found == (roofline.UNKNOWN_SECONDS, roofline.UNKNOWN_SPREAD_S)


def test_a_fit_finds_the_rates_that_made_the_times() -> None:
    """Times made from an overhead, FLOP/s and bytes/s are predicted by the fit, for an op never seen."""
    rows = [
        Row(
            replace(key(i), device=ONNX.fingerprint(CPU), variant="fp32 threads=1"),
            measurement(1e-4 + flops / 5e10 + nbytes / 1e10),
            About(f"op{i}", "function", ONNX.name, ONNX.engine, flops, nbytes),
        )
        for i, (flops, nbytes) in enumerate([(1e9, 1e7), (5e9, 2e7), (2e8, 8e7), (1e7, 1e6), (3e9, 3e8)])
    ]
    fits = roofline.fit(rows)
    seconds, spread = roofline.prior(OP, ONNX, CPU, Variant(), VECTOR, fits)
    assert seconds == pytest.approx(1e-4 + 1e9 / 5e10 + 4000 / 1e10, rel=1e-3)
    assert spread == pytest.approx(0.1 * seconds)
    assert roofline.fit(rows[:3]) == {}


@given(
    st.lists(st.lists(ENTRIES, min_size=3, max_size=3), min_size=3, max_size=8),
    st.lists(ENTRIES, min_size=3, max_size=3),
)
def test_least_squares_are_never_negative_and_as_good_as_scipy_s(
    rows: list[list[float]], x: list[float]
) -> None:
    """The rest is as small as SciPy's."""
    a = np.array(rows)
    b = a @ np.array(x) - 1.0
    found = roofline.non_negative_least_squares(a, b)
    assert (found >= 0).all()
    assert float(np.linalg.norm(a @ found - b)) <= nnls(a, b)[1] + 1e-6


class SlowMemory:
    """1 ms and 1 GB/s up, 2 ms and 0.5 GB/s down; a put returns at once and arrives later."""

    space = "gpu0"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.arrives = 0.0

    def put(self, value: Any) -> Any:
        self.arrives = self.clock.now + 1e-3 + value.nbytes / 1e9
        return value

    def get(self, value: Any) -> Any:
        self.clock.now = max(self.clock.now, self.arrives) + 2e-3 + value.nbytes / 5e8
        return value


def with_gpus(*names: str) -> Machine:
    processors = tuple(replace(GPU, name=name, memory_space=name) for name in names)
    devices = tuple(replace(ONNX, name=f"{n}/webgpu", processor=n, memory_space=n) for n in names)
    return Machine((CPU, *processors), (ONNX, *devices))


def test_links_are_measured_both_ways_also_where_puts_return_early(tmp_path: Path) -> None:
    """Latency and bandwidth of each direction come out, once: the second time they are read from the store."""
    clock = Clock()
    opened: list[str] = []

    def open_device(info: DeviceInfo) -> Any:
        opened.append(info.name)
        return FakeEngine(clock, memory=SlowMemory(clock))

    with store_in(tmp_path) as store:
        links = measure_links(with_gpus("gpu0"), open_device, store, clock=clock)
        assert measure_links(with_gpus("gpu0"), open_device, store, clock=clock) == links
    assert opened == ["gpu0/webgpu"]
    up, down = links
    assert (up.source, up.target, down.source, down.target) == ("host", "gpu0", "gpu0", "host")
    assert (up.latency_s, up.bytes_per_s) == (pytest.approx(1e-3), pytest.approx(1e9, rel=1e-3))
    assert (down.latency_s, down.bytes_per_s) == (pytest.approx(2e-3), pytest.approx(5e8, rel=1e-3))


def test_two_foreign_memories_are_linked_by_way_of_the_host() -> None:
    """The modelled link takes as long as both of its halves, and says what it is."""
    clock = Clock()
    links = measure_links(
        with_gpus("gpu0", "gpu1"), lambda info: FakeEngine(clock, memory=SlowMemory(clock)), clock=clock
    )
    across = next(link for link in links if (link.source, link.target) == ("gpu0", "gpu1"))
    assert across.origin.startswith("modelled")
    assert across.seconds(1e6) == pytest.approx(3e-3 + 1e6 / 1e9 + 1e6 / 5e8, rel=1e-3)
    assert len(links) == 6


def test_a_machine_of_one_memory_has_no_links() -> None:
    """Nothing is opened where nothing moves."""
    assert measure_links(Machine((CPU,), (ONNX,)), lambda info: pytest.fail("opened")) == ()


def test_a_link_that_copies_nothing_has_finite_figures() -> None:
    """Equal times of both sizes are latency, not an endless bandwidth."""
    latency, bytes_per_s = fit_link(1e-6, 1e-6)
    assert latency == 1e-6
    assert SMALL_NBYTES < LARGE_NBYTES < bytes_per_s < math.inf
    assert fit_link(0.0, 0.0)[1] < math.inf


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.integers(1, 5))
def test_energy_of_parts_adds_up(core_seconds: float, wall_seconds: float, parts: int) -> None:
    """Idle energy belongs to the wall time and active energy to the work: splitting either changes nothing."""
    cpu = energy.with_power(CPU)
    whole = energy.joules(cpu, core_seconds, wall_seconds)
    shares = [energy.joules(cpu, core_seconds / parts) for _ in range(parts)]
    assert sum(shares) + energy.joules(cpu, 0.0, wall_seconds) == pytest.approx(whole)


def test_power_is_labelled_and_declared_power_is_left_alone() -> None:
    """Every modelled number says so; what a person declared stays."""
    assert energy.with_power(CPU).power_source.startswith("modelled")
    assert "700 W" in energy.with_power(GPU).power_source
    declared = replace(CPU, idle_watts=1.0, active_watts_per_core=2.0, power_source="declared")
    assert energy.with_power(declared) == declared
    qpu = Processor("qpu", kind="qpu")
    assert energy.with_power(qpu) == qpu


def test_a_known_cpu_has_its_design_power_when_all_threads_are_busy() -> None:
    """Idle and active power of all threads make the data sheet's watts."""
    power = energy.power_of("AMD EPYC 9654 96-Core Processor (family 25, model 17)", 192)
    assert power.idle_watts + 192 * power.active_watts_per_core == pytest.approx(360)


def test_prices_are_labelled_and_declared_ones_are_left_alone() -> None:
    """The catalogue says its source; what a person declared stays; nothing is made up for a QPU."""
    assert price.with_price(CPU).price_source.startswith("modelled")
    assert price.with_price(CPU).dollars_per_hour == pytest.approx(8 * 0.34 / 8)
    arm = replace(CPU, features=("asimd",))
    assert price.with_price(arm).dollars_per_hour < price.with_price(CPU).dollars_per_hour
    declared = replace(CPU, dollars_per_hour=9.0, price_source="declared", carbon_source="declared")
    assert price.with_price(declared) == declared
    assert price.with_price(Processor("qpu", kind="qpu")).price_source.startswith("unknown")


def test_an_hour_costs_the_price_of_an_hour() -> None:
    """3,600 seconds of a processor are its price."""
    assert price.dollars(replace(CPU, dollars_per_hour=1.25), 3600.0) == pytest.approx(1.25)
