"""Pipeline and samples to a plan: same answers, limits kept or named, priors told apart from measurements."""

from __future__ import annotations

import inspect
import math
import random
from typing import Any

import numpy as np
import pytest
from fake_devices import FakeBackend, Register
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_graphs import graphs, run_plainly
from tiny_models import affine

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.errors import (
    ArgumentError,
    InfeasibleError,
    NodeError,
    SpecError,
    UnknownNameError,
)
from hetero.graph import Graph
from hetero.machine import Link, Machine, Processor

X = np.arange(8, dtype=np.float32).reshape(2, 4)
ran: list[str] = []


@ht.node
def double(x: Any) -> Any:
    ran.append("double")
    return 2 * x


@ht.node
def total(x: Any) -> float:
    ran.append("total")
    return float(np.sum(x))


@ht.node
def rows(x: Any) -> Any:
    return list(x)


def same(found: Any, expected: Any) -> bool:
    """Equal structure and, within float rounding, equal values."""
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[k], expected[k]) for k in expected)
    if isinstance(expected, list | tuple):
        return (
            type(found) is type(expected) and len(found) == len(expected) and all(map(same, found, expected))
        )
    return bool(np.allclose(found, expected, rtol=1e-5))


def test_a_mixed_pipeline_gives_the_references_answers() -> None:
    """Python functions and a model, dict outputs, several outputs, on other sizes than the sample's."""
    model = affine(outputs=2)

    @ht.pipeline
    def pipeline(x: Any, scale: Any = 3.0) -> Any:
        y, means = model(double(x))
        return {"y": y, "sums": [total(y), total(means)], "scale": scale, "pair": (means, y)}

    with ht.plan(pipeline, X, allow="onnxruntime") as plan:
        assert plan.placement["affine"][0] == "cpu/onnxruntime"
        assert plan.placement["double"][0] == "cpu/python"
        for size in (1, 2, 5):
            x = np.ones((size, 4), np.float32)
            assert same(plan(x, scale=1.0), plan.graph.run(x, scale=1.0))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    graphs(),
    st.lists(st.integers(-99, 99), min_size=3, max_size=3),
    st.sampled_from(["latency", "throughput"]),
)
def test_a_random_pipeline_gives_what_plain_python_gives(
    made: Graph, numbers: list[int], objective: str
) -> None:
    """Planned on one input and run on another, whatever the structure of the graph."""
    with ht.plan(made, *range(len(made.inputs)), objective=objective) as plan:
        inputs = numbers[: len(made.inputs)]
        assert plan(*inputs) == run_plainly(made, inputs)


def test_a_torch_module_gives_the_references_answers() -> None:
    """Tensors are taken as inputs, NumPy arrays come out."""
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(4, 3)
    node = ht.from_torch(module, torch.zeros(2, 4), name="linear")

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return double(node(x))

    with ht.plan(pipeline, torch.from_numpy(X), allow="torch") as plan:
        result = plan(torch.from_numpy(X))
    expected = 2 * module(torch.from_numpy(X)).detach().numpy()
    assert isinstance(result, np.ndarray)
    assert np.allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_map_of_any_length_is_planned_and_run(length: int) -> None:
    """Planned on no item, one or many, it runs every length."""

    @ht.pipeline
    def pipeline(xs: Any, by: Any) -> Any:
        return ht.map(lambda x: [double(x), by], xs)

    with ht.plan(pipeline, list(range(length)), 7) as plan:
        assert plan.placement["map#1"][0] == "control"
        for other in (0, 1, 3, 9):
            assert plan(list(range(other)), 1) == [[2 * i, 1] for i in range(other)]
        unreached = [note for note in plan.notes if "no sample reached map#1/double" in note]
        assert bool(unreached) == (length == 0)


def test_a_map_of_a_model_over_an_array() -> None:
    """An array's first axis, a model for each item, a list back."""
    model = affine("each")

    @ht.pipeline
    def pipeline(xs: Any) -> Any:
        return ht.map(model, xs)

    xs = np.ones((3, 2, 4), np.float32)
    with ht.plan(pipeline, xs, allow="onnxruntime") as plan:
        assert same(plan(xs), plan.graph.run(xs))
        assert plan.placement["map#1/each"][0] == "cpu/onnxruntime"


def test_a_side_that_no_sample_reached_is_noted_and_runs() -> None:
    """The plan says so, and calibrating on a sample that reaches it clears the note."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return ht.branch(total(x), lambda: double(x), lambda: rows(x))

    zeros = np.zeros((2, 2))
    with ht.plan(pipeline, X) as plan:
        assert any("no sample reached branch#1/otherwise/rows" in note for note in plan.notes)
        assert "no sample reached" in plan.explain()
        assert same(plan(zeros), plan.graph.run(zeros))
    with ht.plan(pipeline, X, calibrate=[zeros]) as plan:
        assert not any("no sample reached" in note for note in plan.notes)


def test_calibration_samples_are_counted_with_the_sample() -> None:
    """A map's length is the mean over all samples, several arguments come as ht.args, wrong ones are refused."""

    @ht.pipeline
    def pipeline(xs: Any, y: Any) -> Any:
        return ht.map(lambda x: double(x), xs), double(y)

    with ht.plan(pipeline, [1], 0, calibrate=[ht.args([1, 2, 3], y=1), ht.args([], 2)]) as plan:
        assert plan.evidence is not None
        assert plan.evidence.lengths["map#1"] == (1, 3, 0)
        assert plan.evidence.per_request("map#1/double") == pytest.approx(4 / 3)
    with pytest.raises(ArgumentError, match="misses its argument 'y'"):
        ht.plan(pipeline, [1], 0, calibrate=[[1, 2]])


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "cost"])
def test_every_objective_gives_a_plan_that_is_right(objective: str) -> None:
    """The answer does not depend on the objective, and all five figures and the period are there."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return total(double(x)), total(x)

    with ht.plan(pipeline, X, objective=objective) as plan:
        assert plan.objective == plan.schedule.objective == objective
        assert plan(X) == (56.0, 28.0)
        estimate = plan.estimate
        for name in ("seconds", "joules", "dollars", "error", "memory_bytes", "period_s"):
            assert math.isfinite(getattr(estimate, name)), name
            assert name in estimate.sources
            assert name in estimate.spread
        assert plan.schedule.lower_bound <= plan.schedule.objective_value


def test_an_unknown_objective_lists_those_there_are() -> None:
    """Also where it is no text."""
    for wrong in ("speed", None, 3):
        with pytest.raises(UnknownNameError, match="latency, throughput, energy, cost"):
            ht.plan(double, 1, objective=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [("latency_s", 1e-12), ("joules", 1e-15), ("dollars", 1e-30), ("memory_bytes", 1), ("latency_s", 0)],
)
def test_a_limit_that_cannot_be_kept_is_named(name: str, value: float) -> None:
    """The message states the limit by the name that it was given under."""
    model = affine()
    with pytest.raises(InfeasibleError, match=name):
        ht.plan(model, X, allow="onnxruntime", limits=ht.Limits(**{name: value}))


def test_an_infinite_limit_is_none() -> None:
    """Of whatever it is: the plan is that without it."""
    infinite = ht.Limits(
        latency_s=math.inf, joules=math.inf, dollars=math.inf, error=math.inf, memory_bytes=math.inf
    )
    with ht.plan(affine(), X, allow="onnxruntime", limits=infinite) as plan:
        assert plan.problem.limits == type(plan.problem.limits)()
        assert plan.explain()


def test_limits_that_can_be_kept_are_kept() -> None:
    """The plan's estimate stays below each of them."""
    limits = ht.Limits(latency_s=10, joules=1e3, dollars=1, error=0.5, memory_bytes=1e9)
    with ht.plan(affine(), X, allow="onnxruntime", limits=limits) as plan:
        assert plan.estimate.seconds <= 10
        assert plan.estimate.memory_bytes == 4 * 4 * 4
        assert not any("no error limit was given" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"limits": {"latency_s": 1}}, "expected ht.Limits"),
        ({"machine": "cpu"}, "expected an ht.Machine"),
        ({"store": "profiles.sqlite"}, "expected a hetero.cost.store.ProfileStore"),
        ({"budget_s": -1}, "budget_s=-1"),
        ({"budget_s": "1"}, "budget_s='1'"),
        ({"budget_s": math.nan}, "budget_s=nan"),
        ({"calibrate": 3}, "calibrate=3"),
        ({"calibrate": "abc"}, "calibrate='abc'"),
        ({"allow": 3}, "allow=3"),
        ({"deny": [3]}, r"deny=\[3\]"),
        ({"objectives": "energy"}, "did you mean objective="),
    ],
)
def test_a_wrong_option_is_explained(options: dict[str, Any], says: str) -> None:
    """It names the option, what was found and what is expected."""
    with pytest.raises(ArgumentError, match=says):
        ht.plan(double, 1, **options)


@pytest.mark.parametrize("value", [-1, math.nan, "1", True])
def test_a_limit_is_a_number_that_is_not_negative(value: Any) -> None:
    """A limit that cannot be one is refused where it is written."""
    with pytest.raises(ArgumentError, match="a limit is a number >= 0"):
        ht.Limits(latency_s=value)


def test_a_limit_that_does_not_exist_is_answered_with_those_that_do() -> None:
    """Python's own words would name none; it is a TypeError as ever, and the signature stays readable."""
    with pytest.raises(
        TypeError, match=r"Limits\(latency=\): .* did you mean 'latency_s'\? known: latency_s, jou"
    ):
        ht.Limits(latency=0.1)  # type: ignore[call-arg]
    assert "latency_s" in inspect.signature(ht.Limits).parameters


@pytest.mark.parametrize("thing", [lambda x: x, 3, "ocr", None, int])
def test_what_is_no_pipeline_is_refused(thing: Any) -> None:
    """The message says what was found, and how a function becomes a pipeline."""
    with pytest.raises(ArgumentError, match="expected a pipeline, a node or a graph"):
        ht.plan(thing, 1)


def test_a_graph_and_a_node_can_be_planned() -> None:
    """A single node is a pipeline of itself, with its defaults; a graph is taken as it is."""

    @ht.node
    def two(x: Any, y: Any = 3) -> tuple[Any, Any]:
        return x, y

    with ht.plan(two, 1) as plan:
        assert plan(5) == (5, 3)
    with ht.plan(ht.pipeline(lambda x: double(x)).trace(), 1) as plan:
        assert plan(4) == 8


class TestSelection:
    """Which devices a plan may use."""

    @pytest.mark.parametrize("word", ["cpu/onnxruntime", "onnxruntime", "Microsoft"])
    def test_a_device_an_engine_or_a_supplier_is_allowed(self, word: str) -> None:
        """Each word of a device leaves it alone, beside Python."""
        with ht.plan(affine(), X, allow=word) as plan:
            assert plan.placement["affine"][0] == "cpu/onnxruntime"
            assert {d.engine for d in plan.machine.devices} == {"python", "onnxruntime"}

    def test_a_vendor_of_processors_can_be_denied(self, register: Register) -> None:
        """All devices on that vendor's processors are gone, Python stays."""
        away = Processor("away0", vendor="Far Away", cores=1, memory_space="host")
        register(FakeBackend("far", processor=away, vendor="Far Away"))
        with ht.plan(affine(), X, allow=["far", "onnxruntime"], deny="Far Away") as plan:
            assert plan.placement["affine"][0] == "cpu/onnxruntime"

    def test_python_stays_unless_it_is_denied_by_name(self) -> None:
        """Denying the processor that it runs on leaves the user's functions where they are."""
        with ht.plan(double, 1, deny="cpu") as plan:
            assert plan.placement["double"][0] == "cpu/python"
        with pytest.raises(InfeasibleError, match=r"node 'double'.*cpu/python is denied by 'python'"):
            ht.plan(double, 1, deny="python")

    def test_an_unknown_word_lists_all(self) -> None:
        """Devices, engines, vendors and suppliers, and the nearest one."""
        with pytest.raises(UnknownNameError, match="did you mean 'cpu/onnxruntime'") as refused:
            ht.plan(affine(), X, allow="cpu/onnxruntim")
        for word in ("cpu/python", "openvino", "Microsoft", "ddsim", "cpu"):
            assert word in str(refused.value)
        with pytest.raises(UnknownNameError, match="known:"):
            ht.plan(affine(), X, deny="nvidia")

    def test_a_device_that_is_not_here_says_why(self) -> None:
        """Allowing it is refused with the reason of its status."""
        absent = [s for s in ht.devices() if not s.available and "/" in s.name]
        if not absent:
            pytest.skip("every known device is available here")
        with pytest.raises(InfeasibleError, match="not available"):
            ht.plan(affine(), X, allow=absent[0].name)

    def test_an_option_that_is_misspelt_is_told_as_such(self) -> None:
        """Unless the pipeline has a parameter of that name."""
        with pytest.raises(ArgumentError, match=r"limit= is neither an option.*did you mean limits="):
            ht.plan(double, 1, limit=3)
        with ht.plan(ht.pipeline(lambda x, limit: double(x)), 1, limit=3) as plan:
            assert plan(4, 5) == 8

    def test_nothing_left_says_what_there_was(self) -> None:
        """A node that no allowed device runs is named, with what is in the way of those that could."""
        with pytest.raises(
            InfeasibleError, match=r"node 'affine' \(onnx\): cpu/onnxruntime is denied by 'onnxruntime'"
        ):
            ht.plan(affine(), X, allow="onnxruntime", deny="onnxruntime")

    def test_teaching_devices_are_there_for_whoever_names_them(self) -> None:
        """Allowed by name; denying one of them does not bring in the others."""
        with ht.plan(affine(), X, allow="reference") as plan:
            assert plan.placement["affine"][0] == "cpu/reference"
        with ht.plan(affine(), X, deny=["null", "openvino"]) as plan:
            assert "reference" not in {d.engine for d in plan.machine.devices}
        with ht.plan(affine(), X, allow=["null", "onnxruntime"]) as plan:
            assert {d.engine for d in plan.machine.devices} == {"python", "onnxruntime", "null"}


class TestMeasurements:
    """What is measured, what is not, and what is never measured twice."""

    def test_a_second_plan_runs_nothing(self, store: ProfileStore, register: Register) -> None:
        """Not the pipeline, not a node, not an engine; also for another objective."""
        family = register(FakeBackend("counted"))

        @ht.pipeline
        def pipeline(x: Any) -> Any:
            return total(model(double(x)))

        model = affine()
        ht.plan(pipeline, X, allow="counted", store=store).close()
        assert family.runs > 0
        before, counted = len(ran), family.runs
        ht.plan(pipeline, X, allow="counted", store=store).close()
        ht.plan(pipeline, X, allow="counted", store=store, objective="energy").close()
        assert (len(ran), family.runs) == (before, counted)

    def test_a_sample_of_another_shape_is_measured_again(
        self, store: ProfileStore, register: Register
    ) -> None:
        """Costs are of shapes, so only what is new is measured."""
        family = register(FakeBackend("shapes"))
        model = affine()
        ht.plan(model, X, allow="shapes", store=store).close()
        before = family.runs
        ht.plan(model, np.ones((9, 4), np.float32), allow="shapes", store=store).close()
        assert family.runs > before

    @pytest.mark.parametrize("budget", [0.01, 0])
    def test_a_small_budget_plans_from_priors_and_says_so(
        self, budget: float, store: ProfileStore, register: Register
    ) -> None:
        """The plan is right, says which nodes were guessed, and the next one with time measures them."""
        family = register(FakeBackend("slow", seconds=0.02))
        model = affine()
        with ht.plan(model, X, allow="slow", store=store, budget_s=budget) as plan:
            assert any("planned from priors" in note and "affine" in note for note in plan.notes)
            assert plan.estimate.sources["seconds"] == "prior"
            assert "prior" in plan.explain()
            assert same(plan(X), plan.graph.run(X))
        before = family.runs
        with ht.plan(model, X, allow="slow", store=store) as plan:
            assert family.runs > before
            assert not any("priors" in note for note in plan.notes)
            assert plan.estimate.sources["seconds"] == "modelled"

    def test_a_device_that_cannot_compile_is_not_chosen_and_says_why(
        self, store: ProfileStore, register: Register
    ) -> None:
        """The engine's own words are in explain(), in the second plan too."""
        register(FakeBackend("broken", fails="the moon is full"))
        model = affine()
        for _ in range(2):
            with ht.plan(model, X, allow=["broken", "onnxruntime"], store=store) as plan:
                assert plan.placement["affine"][0] == "cpu/onnxruntime"
                assert "the moon is full" in plan.explain()
        with pytest.raises(InfeasibleError, match="the moon is full"):
            ht.plan(model, X, allow="broken", store=store)

    def test_a_device_that_refuses_says_why(self, store: ProfileStore, register: Register) -> None:
        """Its refusal is in explain(), and in the error where nobody else is left."""
        register(FakeBackend("picky", refuses="only on Sundays"))
        model = affine()
        with ht.plan(model, X, allow=["picky", "onnxruntime"], store=store) as plan:
            assert "only on Sundays" in plan.explain()
        with pytest.raises(InfeasibleError, match="only on Sundays"):
            ht.plan(model, X, allow="picky", store=store)


class TestErrorGate:
    """Same answers: what computes something else is not chosen."""

    def test_a_wrong_device_is_not_chosen(self, store: ProfileStore, register: Register) -> None:
        """Its measured error is in explain(); alone, it makes the plan infeasible."""
        register(FakeBackend("wrong", change=lambda y: y + 1))
        model = affine()
        with ht.plan(model, X, allow=["wrong", "onnxruntime"], store=store) as plan:
            assert plan.placement["affine"][0] == "cpu/onnxruntime"
            assert "cpu/wrong" in plan.explain()
            assert "its error is" in plan.explain()
            assert same(plan(X), plan.graph.run(X))
        with pytest.raises(InfeasibleError, match=r"its error is .* the limit is 1.0e-04"):
            ht.plan(model, X, allow="wrong", store=store)

    def test_a_limit_that_allows_the_error_lets_it_in(self, store: ProfileStore, register: Register) -> None:
        """And the plan states the error that was measured."""
        register(FakeBackend("rough", change=lambda y: y * np.float32(1.01)))
        with ht.plan(affine(), X, allow="rough", store=store, limits=ht.Limits(error=0.05)) as plan:
            assert plan.placement["affine"][0] == "cpu/rough"
            assert plan.estimate.error == pytest.approx(0.01, rel=0.01)
        with pytest.raises(InfeasibleError):
            ht.plan(affine(), X, allow="rough", store=store, limits=ht.Limits(error=0.005))

    @pytest.mark.parametrize(
        "change", [lambda y: y * np.nan, lambda y: y[:-1], lambda y: [y, y], lambda y: None]
    )
    def test_nan_another_shape_and_another_structure_are_wrong(
        self, change: Any, store: ProfileStore, register: Register
    ) -> None:
        """Whatever an engine gives back, it is compared, never trusted."""
        register(FakeBackend("strange", change=change))
        with ht.plan(affine(), X, allow=["strange", "onnxruntime"], store=store) as plan:
            assert plan.placement["affine"][0] == "cpu/onnxruntime"
        with pytest.raises(InfeasibleError):
            ht.plan(affine(), X, allow="strange", store=store, limits=ht.Limits(error=10))

    def test_a_small_error_that_flips_the_result_is_caught_at_the_end(
        self, store: ProfileStore, register: Register
    ) -> None:
        """A node within the limit can still change a text that a later one makes of it: then the node moves."""
        register(FakeBackend("nudge", change=lambda y: y + np.float32(2e-5)))

        @ht.node
        def label(y: Any) -> str:
            return "above" if float(y[0, 0]) > 0 else "below"

        model = affine()
        pipeline = ht.pipeline(lambda x: label(model(x)))
        with ht.plan(pipeline, X, allow=["nudge", "onnxruntime"], store=store) as plan:
            assert plan.placement["affine"][0] == "cpu/onnxruntime"
            assert plan(X) == "below"
        with pytest.raises(InfeasibleError, match="values that are not equal"):
            ht.plan(pipeline, X, allow="nudge", store=store)

    def test_a_variant_that_is_not_exact_needs_a_measured_error(
        self, store: ProfileStore, register: Register
    ) -> None:
        """Without time to measure it is not chosen; measured and found good, it is."""
        register(FakeBackend("approximate", variants=(Variant("bf16", exact=False),), seconds=0.01))
        model = affine()
        with pytest.raises(InfeasibleError, match="not measured"):
            ht.plan(model, X, allow="approximate", store=store, budget_s=0)
        with ht.plan(model, X, allow="approximate", store=store) as plan:
            assert plan.placement["affine"][1].precision == "bf16"

    def test_a_variant_that_no_sample_reached_must_be_exact(
        self, store: ProfileStore, register: Register
    ) -> None:
        """On a side that no sample took there is nothing to measure an error on."""
        register(FakeBackend("guess", variants=(Variant("bf16", exact=False), Variant("fp32"))))
        model = affine()
        pipeline = ht.pipeline(lambda x: ht.branch(total(x), lambda: double(x), lambda: model(x)))
        with ht.plan(pipeline, X, allow="guess", store=store) as plan:
            assert plan.placement["branch#1/otherwise/affine"][1].precision == "fp32"


class TestFunctions:
    """A Python function is what defines its answer: it runs, whatever it gives."""

    @pytest.mark.parametrize(
        "make", [lambda x: object(), lambda x: random.random(), lambda x: (i for i in range(3))]
    )
    def test_a_function_that_gives_other_outputs_each_time_is_planned_and_noted(self, make: Any) -> None:
        """Objects that cannot be compared, chance, and generators: the plan runs them and says so."""

        @ht.node
        def strange(x: Any) -> Any:
            return make(x)

        @ht.node
        def name(value: Any) -> str:
            return type(value).__name__

        with ht.plan(ht.pipeline(lambda x: name(strange(x))), 1) as plan:
            assert plan(1) == type(make(1)).__name__
            assert any("strange gave other outputs" in note for note in plan.notes)

    def test_a_function_that_gives_the_same_each_time_is_not_noted(self) -> None:
        """Also where a second plan takes everything from the store."""
        for _ in range(2):
            with ht.plan(double, X) as plan:
                assert not any("gave other outputs" in note for note in plan.notes)

    def test_a_wrong_engine_after_such_a_function_is_still_found(
        self, store: ProfileStore, register: Register
    ) -> None:
        """What it gave on the sample is what the engines are compared on."""
        register(FakeBackend("wrong", change=lambda y: y + 1))
        model = affine()

        @ht.node
        def noise(x: Any) -> Any:
            return x + np.float32(random.random())

        with ht.plan(
            ht.pipeline(lambda x: model(noise(x))), X, allow=["wrong", "onnxruntime"], store=store
        ) as plan:
            assert plan.placement["affine"][0] == "cpu/onnxruntime"


class TestSamples:
    """A sample that does not fit is found before it does harm."""

    @pytest.mark.parametrize(
        ("x", "says"),
        [
            (X.astype(np.float64), r"found float64\[2,4\], expected float32\[rows,4\]"),
            (np.ones(4, np.float32), r"found float32\[4\], expected float32\[rows,4\]"),
            (np.ones((2, 5), np.float32), r"found float32\[2,5\], expected float32\[rows,4\]"),
            ("text", "found str"),
            (None, "found NoneType"),
            ([[1.0, 2.0]], "found list"),
        ],
    )
    def test_a_models_own_input_is_checked_before_anything_runs(self, x: Any, says: str) -> None:
        """Node, input, found and expected are named, and a node before it in the pipeline has not run."""
        model = affine()

        @ht.pipeline
        def pipeline(y: Any, x: Any) -> Any:
            return double(y), model(x)

        ran.clear()
        with pytest.raises(SpecError, match=f"node 'affine', input 'x': {says}"):
            ht.plan(pipeline, X, x)
        assert ran == []

    def test_a_wrong_value_inside_is_found_before_its_node_runs(self) -> None:
        """What a Python function made of the sample is checked too."""
        model = affine()

        @ht.node
        def wrong(x: Any) -> Any:
            return x.astype(np.float64)

        with pytest.raises(
            SpecError, match=r"node 'affine', input 'x': found float64\[2,4\], expected float32"
        ):
            ht.plan(ht.pipeline(lambda x: model(wrong(x))), X)

    def test_a_wrong_input_name_is_found_while_tracing(self) -> None:
        """The message lists the model's inputs."""
        model = affine()
        with pytest.raises(ArgumentError, match=r"affine.x. has no input 'image'; it has: x"):
            ht.plan(ht.pipeline(lambda x: model(image=x)), X)

    @pytest.mark.parametrize("args", [(), (1, 2), ("named",)])
    def test_the_wrong_number_of_arguments_is_explained(self, args: tuple[Any, ...]) -> None:
        """Too few, too many, or one that there is not."""
        named = {"z": 1} if args == ("named",) else {}
        with pytest.raises(ArgumentError, match="double"):
            ht.plan(double, *args, **named)

    def test_a_value_that_cannot_be_kept_is_explained(self) -> None:
        """A generator can be used once only: it is no sample."""
        with pytest.raises(SpecError, match="generator has no content"):
            ht.plan(total, (i for i in range(3)))

    def test_a_test_of_a_branch_must_be_one_value(self) -> None:
        """An array of several is refused before a side is chosen by accident."""
        pipeline = ht.pipeline(lambda x: ht.branch(x, lambda: double(x), lambda: x))
        with pytest.raises(SpecError, match="node 'branch#1', input 'test'"):
            ht.plan(pipeline, X)

    def test_a_map_over_something_else_is_explained(self) -> None:
        """A dict or number has no items."""
        for wrong in ({"a": 1}, 3, "text"):
            with pytest.raises(SpecError, match="'map#1', input 'items'"):
                ht.plan(ht.pipeline(lambda x: ht.map(double, x)), wrong)

    def test_a_node_that_raises_is_named(self) -> None:
        """With its path, its cause and the user's line."""

        @ht.node
        def explode(x: Any) -> Any:
            raise KeyError("mine")

        with pytest.raises(
            NodeError, match=r"node 'map#1/explode' failed: KeyError: 'mine' .*test_planner\.py"
        ) as e:
            ht.plan(ht.pipeline(lambda xs: ht.map(lambda x: explode(x), xs)), [1])
        assert isinstance(e.value.__cause__, KeyError)


class TestMachines:
    """Planning for a machine that is described, not detected."""

    def test_a_described_machine_is_used(self, register: Register) -> None:
        """A processor of its own memory, with links that the machine states: transfers count, results are right."""
        near = Processor("near0", cores=1, memory_space="near", vendor="Test Vendor")
        register(FakeBackend("near", processor=near))
        here = Machine.detect()
        linked = here.with_links(Link("host", "near", 1e-3, 1e9), Link("near", "host", 1e-3, 1e9))
        model = affine()
        with ht.plan(ht.pipeline(lambda x: total(model(double(x)))), X, machine=linked, allow="near") as plan:
            assert plan.placement["affine"][0] == "near0/near"
            assert plan.estimate.seconds > 2e-3
            assert {(k.source, k.target) for k in plan.problem.links} == {("cpu", "near0"), ("near0", "cpu")}

    def test_a_machine_without_devices_says_so(self) -> None:
        """It has nothing for a node."""
        with pytest.raises(InfeasibleError, match="the machine has no devices, only the processors cpu"):
            ht.plan(double, 1, machine=Machine((Processor("cpu"),)))


def test_the_frontier_is_of_plans_that_no_other_beats() -> None:
    """Sorted by the first objective, each better in the second than the one before."""
    plans = ht.frontier(affine(), X, over=("latency", "energy"), points=2, allow="onnxruntime")
    seconds = [p.estimate.seconds for p in plans]
    joules = [p.estimate.joules for p in plans]
    assert plans
    assert seconds == sorted(seconds)
    assert joules == sorted(joules, reverse=True)


@pytest.mark.parametrize("over", [("latency", "latency"), "latency", ("latency",), ("latency", "speed"), 5])
def test_a_frontier_is_over_two_objectives(over: Any) -> None:
    """The message lists those that can be weighed against each other."""
    with pytest.raises(ArgumentError, match="latency, energy, cost"):
        ht.frontier(double, 1, over=over)


def test_a_plan_is_short_in_a_notebook() -> None:
    """Its repr is a line; str() is the explanation."""
    with ht.plan(double, 1) as plan:
        assert repr(plan).startswith("<plan of 'double' for latency: ")
        assert str(plan) == plan.explain()
