"""Python to Graph: what a pipeline may say, what it may not, and what it is told then."""

from __future__ import annotations

import copy
import functools
import json
import math
import operator
import os
import pickle
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import hetero as ht
from hetero.errors import ArgumentError, GraphError, TracingError
from hetero.tracing import Callee, Pipeline

Point = namedtuple("Point", "x y")


@dataclass
class Holder:
    held: Any


@ht.node
def double(x: Any) -> Any:
    return 2 * x


@ht.node
def add(x: Any, y: Any = 10, *, times: Any = 1) -> Any:
    return (x + y) * times


@ht.node
def split(x: Any) -> tuple[Any, Any]:
    return x, x + 1


@ht.node
def gather(values: Any) -> Any:
    """Gives back what it was given, so that a test sees which structure arrived."""
    return values


def names(pipeline: Pipeline) -> list[str]:
    return [path for path, _ in pipeline.trace().walk()]


def test_several_inputs_and_outputs_keep_their_places() -> None:
    """Inputs are taken in order and by name, outputs come back in the structure that the function returns."""

    @ht.pipeline
    def pipeline(a: Any, b: Any) -> Any:
        low, high = split(a)
        return {"sum": add(low, b), "rest": [high, (a, 7)]}

    assert pipeline.trace().run(1, b=2) == {"sum": 3, "rest": [2, (1, 7)]}


def test_defaults_and_keyword_only_parameters_are_kept() -> None:
    """A parameter that a call leaves out takes its default, of the pipeline and of each node."""

    @ht.pipeline
    def pipeline(x: Any, *, times: Any = 3) -> Any:
        return add(x), add(x, times=times)

    graph = pipeline.trace()
    assert graph.run(1) == (11, 33)
    assert graph.run(1, times=2) == (11, 22)


def test_containers_of_traced_values_reach_a_node_as_they_are() -> None:
    """Lists, tuples and dicts arrive with their types, constants beside traced values."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return gather({"list": [double(x), 1], "tuple": (x, "text"), "none": None, "deep": [[{"k": (x,)}]]})

    assert pipeline.trace().run(2) == {
        "list": [4, 1],
        "tuple": (2, "text"),
        "none": None,
        "deep": [[{"k": (2,)}]],
    }


def test_a_node_used_twice_is_numbered() -> None:
    """The second use of a node is `name#2`."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return double(double(double(x)))

    assert names(pipeline) == ["double", "double#2", "double#3"]


def test_a_name_that_looks_numbered_does_not_collide() -> None:
    """A node that a user called `double#2` or `map#1` stands beside those that hetero numbers."""
    second = ht.node(name="double#2")(lambda x: x + 100)
    first_map = ht.node(name="map#1")(lambda x: x)

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return second(double(double(x))), ht.map(double, first_map([x]))

    graph = pipeline.trace()
    assert len({node.name for node in graph}) == len(graph) == 5
    assert graph.run(1) == (104, [2])


def test_a_pipeline_inside_another_is_inlined() -> None:
    """Its nodes are the outer graph's own, with the outer graph's numbering."""

    @ht.pipeline
    def inner(x: Any) -> Any:
        return double(x)

    @ht.pipeline
    def outer(x: Any) -> Any:
        return inner(inner(x=x))

    assert names(outer) == ["double", "double#2"]
    assert outer.trace().run(1) == outer(1) == 4


def test_a_map_closes_over_traced_values_and_nests() -> None:
    """Inner items see the values of every pipeline and map around them."""

    @ht.pipeline
    def pipeline(rows: Any, offset: Any) -> Any:
        more = double(offset)
        return ht.map(lambda row: ht.map(lambda cell: add(add(cell, more), offset), row), rows)

    graph = pipeline.trace()
    assert [path for path, _ in graph.walk()] == [
        "double",
        "map#1",
        "map#1/map#1",
        "map#1/map#1/add",
        "map#1/map#1/add#2",
    ]
    assert graph.run([[1], [], [2, 3]], 1) == [[4], [], [5, 6]]


def test_a_map_takes_a_node_a_pipeline_and_an_array() -> None:
    """Each of them gives a list; an array is taken along its first axis."""

    @ht.pipeline
    def item(x: Any) -> Any:
        return double(x)

    @ht.pipeline
    def pipeline(xs: Any) -> Any:
        return ht.map(double, xs), ht.map(item, xs)

    by_node, by_pipeline = pipeline.trace().run(np.arange(3))
    assert list(by_node) == list(by_pipeline) == [0, 2, 4]


def test_a_map_over_a_list_with_traced_items() -> None:
    """The list may be written in the pipeline, of constants and traced values."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return ht.map(double, [1, x, 3])

    assert pipeline.trace().run(5) == [2, 10, 6]


def test_a_branch_runs_one_side_and_passes_values_through() -> None:
    """A side may compute, pass a value of the pipeline through, or give a constant."""

    @ht.pipeline
    def pipeline(test: Any, x: Any) -> Any:
        return ht.branch(test, lambda: double(x), lambda: x), ht.branch(test, lambda: x, lambda: "nothing")

    graph = pipeline.trace()
    assert graph.run(True, 4) == (8, 4)
    assert graph.run(False, 4) == (4, "nothing")


def test_a_branch_of_several_values_is_unpacked() -> None:
    """Sides that give a tuple of two make a branch of two outputs."""

    @ht.pipeline
    def pipeline(test: Any, x: Any) -> Any:
        a, b = ht.branch(test, lambda: split(x), lambda: (double(x), x))
        return add(a, b)

    assert pipeline.trace().run(1, 5) == 11
    assert pipeline.trace().run(0, 5) == 15


def test_a_branch_inside_a_map_tests_each_item() -> None:
    """Items decide for themselves, and both sides see the item and what is around it."""

    @ht.pipeline
    def pipeline(items: Any, y: Any) -> Any:
        return ht.map(lambda i: ht.branch(i, lambda: add(i, y), lambda: double(y)), items)

    graph = pipeline.trace()
    assert graph.run([0, 1, 2], 3) == [6, 4, 5]
    assert "map#1/branch#1/otherwise/double" in [path for path, _ in graph.walk()]


@pytest.mark.parametrize("test", [True, False])
def test_a_branch_known_at_tracing_is_decided_there(test: bool) -> None:
    """A constant test leaves only the side that it chooses in the graph."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return ht.branch(test, lambda: double(x), lambda: add(x))

    assert names(pipeline) == ["double" if test else "add"]


def test_the_number_of_outputs_comes_from_the_annotation() -> None:
    """`-> tuple[A, B]` can be unpacked, as a type, as text and as typing's alias; `tuple[A, ...]` is one value."""
    text = "def pair(x) -> 'tuple[Missing, dict[str, int]]': return x, x"
    scope: dict[str, Any] = {}
    exec(text, scope)

    def typed(x: Any) -> Any:
        return x, x

    typed.__annotations__["return"] = tuple[int, str]
    assert len(ht.node(scope["pair"]).op.outputs) == 2
    assert len(ht.node(typed).op.outputs) == 2
    assert len(split.op.outputs) == 2
    typed.__annotations__["return"] = tuple[int, ...]
    assert len(ht.node(typed).op.outputs) == 1
    typed.__annotations__["return"] = "typing.Tuple[int, int, int]"
    assert len(ht.node(typed).op.outputs) == 3


def test_the_number_of_outputs_can_be_given() -> None:
    """`@ht.node(outputs=2)` makes a function unpackable, and the names of its outputs reach each of them."""

    @ht.node(outputs=2)
    def pair(x: Any) -> Any:
        return [x, -x]

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        both = pair(x)
        return both.result1, both[0], gather(both)

    assert pipeline.trace().run(3) == (-3, 3, (3, -3))


@pytest.mark.parametrize("outputs", [0, -1, "2", 1.5, True])
def test_an_impossible_number_of_outputs_is_refused(outputs: Any) -> None:
    """`outputs=` is a whole number of at least one."""
    with pytest.raises(ArgumentError, match="at least one output"):
        ht.node(outputs=outputs)(lambda x: x)


@pytest.mark.parametrize("name", ["a/b", 3])
def test_an_impossible_name_is_refused(name: Any) -> None:
    """A name is a text; a slash stands between a map and what is inside it."""
    with pytest.raises(ArgumentError, match="name"):
        ht.node(name=name)(lambda x: x)


FORBIDDEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "if": (lambda v: 1 if v else 2, "ht.branch"),
    "not": (lambda v: not v, "ht.branch"),
    "and": (lambda v: v and 1, "ht.branch"),
    "for": (lambda v: [[x] for x in v], "ht.map"),
    "list()": (list, "ht.map"),
    "star": (lambda v: print(*v), "ht.map"),
    "unpack": (lambda v: operator.itemgetter(0, 1)(tuple(v)), "outputs=2"),
    "sum()": (sum, "ht.map"),
    "reversed()": (reversed, "inside a @ht.node"),
    "next()": (next, "inside a @ht.node"),
    "len()": (len, "inside a @ht.node"),
    "int()": (int, "@ht.node"),
    "float()": (float, "@ht.node"),
    "complex()": (complex, "@ht.node"),
    "round()": (round, "@ht.node"),
    "abs()": (abs, "@ht.node"),
    "floor": (math.floor, "@ht.node"),
    "sqrt": (math.sqrt, "@ht.node"),
    "range()": (range, "@ht.node"),
    "index": (lambda v: [1, 2, 3][v], "@ht.node"),
    "slice": (lambda v: [1, 2, 3][:v], "@ht.node"),
    "+": (lambda v: v + 1, "@ht.node"),
    "radd": (lambda v: 1 + v, "@ht.node"),
    "-": (lambda v: v - 1, "@ht.node"),
    "neg": (operator.neg, "@ht.node"),
    "pos": (operator.pos, "@ht.node"),
    "*": (lambda v: v * 2, "@ht.node"),
    "/": (lambda v: v / 2, "@ht.node"),
    "//": (lambda v: v // 2, "@ht.node"),
    "%": (lambda v: v % 2, "@ht.node"),
    "divmod": (lambda v: divmod(7, v), "@ht.node"),
    "**": (lambda v: v**2, "@ht.node"),
    "@": (lambda v: v @ v, "@ht.node"),
    "<<": (lambda v: v << 1, "@ht.node"),
    ">>": (lambda v: 1 >> v, "@ht.node"),
    "&": (lambda v: v & 1, "@ht.node"),
    "|": (lambda v: v | 1, "@ht.node"),
    "^": (lambda v: v ^ 1, "@ht.node"),
    "~": (operator.invert, "@ht.node"),
    "==": (lambda v: v == 1, "@ht.node"),
    "!=": (lambda v: v != 1, "@ht.node"),
    "<": (lambda v: v < 1, "@ht.node"),
    ">=": (lambda v: v >= 1, "@ht.node"),
    "max()": (lambda v: max(v, 1), "@ht.node"),
    "in": (lambda v: 1 in v, "inside a @ht.node"),
    "in a list": (lambda v: v in [1, 2], "@ht.node"),
    "key": (lambda v: {v: 1}, "inside a @ht.node"),
    "set": (lambda v: {v}, "inside a @ht.node"),
    "getitem": (lambda v: v[0], "inside a @ht.node"),
    "setitem": (lambda v: operator.setitem(v, 0, 1), "from a @ht.node"),
    "delitem": (lambda v: operator.delitem(v, 0), "from a @ht.node"),
    "attribute": (lambda v: v.shape, "inside a @ht.node"),
    "setattr": (lambda v: setattr(v, "shape", 1), "inside a @ht.node"),
    "call": (lambda v: v(), "call a node"),
    "asarray": (np.asarray, "inside a @ht.node"),
    "array of it": (lambda v: np.array([v, 1]), "inside a @ht.node"),
    "np.sin": (np.sin, "inside a @ht.node"),
    "np.sum": (np.sum, "inside a @ht.node"),
    "array +": (lambda v: np.zeros(3) + v, "inside a @ht.node"),
    "np.float32": (np.float32, "inside a @ht.node"),
    "format": (lambda v: f"{v:.2f}", "inside a @ht.node"),
    "%d": (lambda v: "%d" % v, "inside a @ht.node"),  # noqa: UP031
    "join": (lambda v: ",".join([v]), "inside a @ht.node"),
    "json": (json.dumps, "inside a @ht.node"),
    "pickle": (pickle.dumps, "pickle the result"),
    "path": (lambda v: os.path.join("a", v), "inside a @ht.node"),  # noqa: PTH118
    "open": (open, "inside a @ht.node"),
    "bytes": (bytes, "inside a @ht.node"),
}


@pytest.mark.parametrize("use", FORBIDDEN)
def test_a_forbidden_use_names_the_line_and_what_to_use(use: str) -> None:
    """Whatever needs a real value is refused while tracing, with the value, the user's line and the way out."""
    forbidden, instead = FORBIDDEN[use]

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        forbidden(double(x))
        return double(x)

    with pytest.raises(TracingError) as refused:
        pipeline.trace()
    message = str(refused.value)
    assert f"{os.path.basename(__file__)}:" in message  # noqa: PTH119
    assert "node 'double'" in message or "a value that exists only when the plan runs" in message
    assert instead in message


def test_the_line_is_the_users_also_inside_a_library() -> None:
    """A value handed to NumPy is reported at the line that called NumPy."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return np.sum(x)

    line = pipeline.function.__code__.co_firstlineno + 2
    with pytest.raises(TracingError, match=rf"^test_tracing\.py:{line}: "):
        pipeline.trace()


def test_an_input_is_named_like_a_nodes_value() -> None:
    """The refusal says which parameter of which pipeline it was."""

    @ht.pipeline
    def scale(page: Any) -> Any:
        return page + 1

    with pytest.raises(TracingError, match="input 'page' of 'scale'"):
        scale.trace()


def test_a_traced_value_can_be_shown_and_copied() -> None:
    """Printing, plain formatting and copying are harmless: a copy is the same value."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        assert "node 'double'" in f"{double(x)}"
        both = copy.deepcopy([double(x), copy.copy(x)])
        return add(*both)

    assert pipeline.trace().run(1) == 3


def test_a_value_leaked_out_of_its_trace_is_refused_wherever_it_is_used() -> None:
    """In another pipeline, in a container, and by calling a node outside of any pipeline."""
    kept: list[Any] = []

    @ht.pipeline
    def first(x: Any) -> Any:
        kept.append(double(x))
        return kept[0]

    first.trace()
    for use in (lambda x: double(kept[0]), lambda x: [double(x), kept[0]], lambda x: kept[0]):
        with pytest.raises(TracingError, match="belongs to another trace"):
            ht.pipeline(use).trace()
    for given in (kept[0], [1, kept[0]], {"a": (kept[0],)}):
        with pytest.raises(TracingError, match="outside of that value's pipeline"):
            double(given)


@pytest.mark.parametrize("inside", ["map", "branch"])
def test_a_value_leaked_out_of_a_map_or_branch_is_refused(inside: str) -> None:
    """A value made for one item or on one side has no value outside of it."""
    kept: list[Any] = []

    def keep(value: Any) -> Any:
        kept.append(double(value))
        return kept[-1]

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        if inside == "map":
            ht.map(keep, x)
        else:
            ht.branch(x, lambda: keep(x), lambda: x)
        return double(kept[-1])

    with pytest.raises(TracingError, match="belongs to another trace"):
        pipeline.trace()


@pytest.mark.parametrize("make", [lambda v: Point(v, 1), lambda v: Holder(v), lambda v: [Holder([v])]])
def test_types_of_the_users_own_cannot_hold_traced_values(make: Callable[[Any], Any]) -> None:
    """A named tuple or dataclass would arrive as something else: the message says what to do."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return gather(make(double(x)))

    with pytest.raises(TracingError, match="cannot hold values that exist only when the plan runs"):
        pipeline.trace()


def test_a_node_made_while_tracing_cannot_close_over_a_traced_value() -> None:
    """It would see the placeholder when it runs."""

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        y = double(x)

        @ht.node
        def plus(z: Any) -> Any:
            return z + y

        return plus(x)

    with pytest.raises(TracingError, match="make it a parameter"):
        pipeline.trace()


async def coroutine(x: Any) -> Any:
    return x


def generator(x: Any) -> Any:
    yield x


async def async_generator(x: Any) -> Any:
    yield x


@pytest.mark.parametrize(
    ("decorate", "function"),
    [
        (ht.node, coroutine),
        (ht.node, async_generator),
        (ht.pipeline, coroutine),
        (ht.pipeline, generator),
        (ht.pipeline, async_generator),
    ],
)
def test_async_functions_and_generators_are_refused(decorate: Any, function: Any) -> None:
    """Their call only begins the work; the message says what to write instead."""
    with pytest.raises(ArgumentError, match=r"async|generator"):
        decorate(function)


@pytest.mark.parametrize("decorate", [ht.node, ht.pipeline])
@pytest.mark.parametrize("thing", [3, "name", [1]])
def test_only_functions_can_be_decorated(decorate: Any, thing: Any) -> None:
    """Decorating a value is an error of hetero's, with the user's line."""
    with pytest.raises(ArgumentError, match=r"test_tracing\.py:\d+: .* decorates a function"):
        decorate(thing)


class Scaler:
    """A callable object with a method."""

    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, x: Any) -> Any:
        return x * self.by

    def method(self, x: Any) -> Any:
        return x * self.by

    @staticmethod
    def still(x: Any) -> Any:
        return x * 2


def power(base: Any, exponent: Any) -> Any:
    return base**exponent


CALLABLES: dict[str, tuple[Any, Any, Any]] = {
    "lambda": (lambda x: x * 2, 3, 6),
    "callable object": (Scaler(3), 2, 6),
    "method": (Scaler(4).method, 2, 8),
    "static method": (Scaler.still, 2, 4),
    "partial": (functools.partial(power, exponent=2), 3, 9),
    "partial of a built-in": (functools.partial(pow, 2), 3, 8),
    "cached": (functools.lru_cache(lambda x: x + 1), 1, 2),
    "built-in": (len, [1, 2], 2),
    "math": (math.sqrt, 4, 2.0),
    "norm": (np.linalg.norm, np.array([3.0, 4.0]), 5.0),
    "ufunc": (np.negative, 2, -2),
    "class": (Holder, 2, Holder(2)),
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_any_callable_can_be_a_node(kind: str) -> None:
    """Functions, methods, objects, partials and built-ins run in a pipeline and on their own."""
    function, given, expected = CALLABLES[kind]
    node = ht.node(function)

    @ht.pipeline
    def pipeline(x: Any) -> Any:
        return node(x)

    assert pipeline.trace().run(given) == expected
    assert node(given) == expected


@pytest.mark.parametrize("function", [max, int, dict])
def test_a_built_in_without_a_signature_is_refused(function: Any) -> None:
    """Its parameters cannot be known, so the message says to wrap it."""
    with pytest.raises(ArgumentError, match="wrap it"):
        ht.node(function)


@pytest.mark.parametrize("decorate", [ht.node, ht.pipeline])
def test_any_number_of_parameters_is_refused(decorate: Any) -> None:
    """`*args` and `**kwargs` have no place in a graph."""
    with pytest.raises(ArgumentError, match="take a list"):
        decorate(lambda *values: values)


def test_nodes_may_live_without_source() -> None:
    """A pipeline that was typed into standard input traces, hashes, plans and runs."""
    script = """
import hetero as ht
@ht.node
def double(x): return 2 * x
@ht.pipeline
def twice(x): return double(double(x))
with ht.plan(twice, 1) as plan:
    print(plan(21), plan.graph.nodes[0].location)
"""
    done = subprocess.run(
        [sys.executable, "-"], input=script, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["84", "<stdin>:6"], done.stderr


def test_a_node_decorated_twice_is_the_same_node() -> None:
    """Decorating again changes nothing; options belong where the node is made; a pipeline is no node."""
    assert ht.node(double) is double
    with pytest.raises(ArgumentError, match="already a node"):
        ht.node(name="other")(double)
    with pytest.raises(ArgumentError, match="already a pipeline"):
        ht.node(ht.pipeline(lambda x: double(x)))


def test_a_node_and_a_pipeline_run_when_called_outside_of_a_pipeline() -> None:
    """Eagerly, by the references: several outputs as a named tuple that pickles as a plain one."""
    both = split(1)
    assert both == (1, 2)
    assert pickle.loads(pickle.dumps(both)) == (1, 2)
    assert ht.map(double, [1, 2]) == [2, 4]
    assert ht.branch(0, lambda: double(1), lambda: 5) == 5
    assert ht.pipeline(lambda x: ht.map(double, [x, 1]))(3) == [6, 2]


@pytest.mark.parametrize(
    ("args", "kwargs", "says"),
    [
        ((1, 2, 3, 4), {}, "takes 3 arguments, 4 were given"),
        ((), {}, "misses x"),
        ((1,), {"z": 1}, "has no input 'z'; it has: x, y, times"),
        ((1,), {"x": 1}, "'x' by position and by name"),
    ],
)
def test_a_wrong_call_of_a_node_is_explained(
    args: tuple[Any, ...], kwargs: dict[str, Any], says: str
) -> None:
    """The same error eagerly and while tracing, naming the node, its inputs and the user's line."""
    with pytest.raises(ArgumentError, match=says) as eager:
        add(*args, **kwargs)
    assert "test_tracing.py:" in str(eager.value)
    with pytest.raises(ArgumentError, match=says):
        ht.pipeline(lambda q: add(*args, **kwargs)).trace()


def test_a_wrong_call_of_a_pipeline_is_explained() -> None:
    """Called too often inside another pipeline, the message shows its signature."""
    inner = ht.pipeline(lambda x: double(x), name="inner")
    with pytest.raises(ArgumentError, match="inner"):
        inner(1, 2)


def test_a_pipeline_without_nodes_is_refused() -> None:
    """An empty graph says which pipeline, and how a node is made."""
    with pytest.raises(GraphError, match=r"'nothing' is empty.*@ht.node"):
        ht.pipeline(lambda x: x, name="nothing").trace()


@pytest.mark.parametrize(
    ("f", "items"), [(3, [1]), ([1], double), (None, [1])], ids=["number", "swapped", "none"]
)
def test_what_a_map_applies_must_be_callable(f: Any, items: Any) -> None:
    """Swapped arguments are found at once, eagerly and while tracing."""
    with pytest.raises(ArgumentError, match=r"ht\.map\(f, items\)"):
        ht.map(f, items)
    with pytest.raises(ArgumentError, match=r"ht\.map\(f, items\)"):
        ht.pipeline(lambda x: ht.map(x, double)).trace()


@pytest.mark.parametrize("items", [{"a": 1}, "abc", 3, np.float32(1.0)])
def test_a_map_goes_over_lists_and_arrays_only(items: Any) -> None:
    """A dict or a text has no items in the sense of a map."""
    with pytest.raises(ht.HeteroError, match="a list, a tuple or an array"):
        ht.map(double, items)


def test_the_sides_of_a_branch_must_be_functions_of_nothing() -> None:
    """A value, or a function that takes one, is refused with the form to write."""
    for then in (1, double, lambda x: x):
        with pytest.raises(ArgumentError, match="function without arguments"):
            ht.branch(True, then, lambda: 1)
    with pytest.raises(ArgumentError, match="then is <traced"):
        ht.pipeline(lambda x: ht.branch(x, double(x), lambda: x)).trace()


def test_the_sides_of_a_branch_must_give_as_many_values() -> None:
    """Two on one side and one on the other cannot be unpacked by anyone."""
    with pytest.raises(TracingError, match="give 2 and 1 values"):
        ht.pipeline(lambda x: ht.branch(x, lambda: (double(x), x), lambda: x)).trace()


def test_an_error_of_the_pipelines_own_is_left_as_it_is() -> None:
    """What the user's function raises while tracing is the user's error."""

    def broken(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ht.pipeline(broken).trace()
    with pytest.raises(TypeError, match="NoneType") as plain:
        ht.pipeline(lambda x: None + 1).trace()  # type: ignore[operator]
    assert not isinstance(plain.value, ht.HeteroError)


def test_tracing_never_runs_a_node() -> None:
    """A node that would fail is not called while its pipeline is traced."""

    @ht.node
    def explode(x: Any) -> Any:
        raise AssertionError("ran")

    ht.pipeline(lambda x: ht.map(explode, ht.branch(x, lambda: explode(x), lambda: x))).trace()


def test_a_callee_says_what_it_is() -> None:
    """A node keeps its function's name and documentation, and shows its inputs and outputs."""
    assert isinstance(gather, Callee)
    assert gather.__name__ == "gather"
    assert "structure arrived" in str(gather.__doc__)
    assert repr(split) == "<function split(x) -> result0, result1>"


def test_a_map_may_return_a_value_that_only_its_result_closes_over() -> None:
    """Not used by any node of the item, the value from around still reaches the item's result."""

    @ht.pipeline
    def pipeline(xs: Any, y: Any) -> Any:
        return ht.map(lambda x: [double(x), y], xs), ht.map(lambda x: y, xs)

    assert pipeline.trace().run([1, 2], 5) == ([[2, 5], [4, 5]], [5, 5])


class Detector:
    """A class whose method is a node."""

    def __init__(self, by: int) -> None:
        self.by = by

    @ht.node
    def scale(self, x: Any) -> Any:
        return x * self.by

    @ht.pipeline
    def run(self, x: Any) -> Any:
        return double(self.scale(x))


def test_methods_can_be_decorated() -> None:
    """A node or pipeline written inside a class has its object as `self`, and two objects are two ops."""
    detector = Detector(3)
    assert detector.scale(2) == 6
    assert detector.run(2) == 12
    graph = detector.run.trace()
    assert [i.name for i in graph.inputs] == ["x"]
    assert graph.run(2) == 12
    assert Detector(4).scale.digest != detector.scale.digest == Detector(3).scale.digest


def test_a_pipeline_that_calls_itself_is_refused() -> None:
    """Nothing known at tracing could end it."""

    @ht.pipeline
    def again(x: Any) -> Any:
        return again(double(x))

    with pytest.raises(TracingError, match="calls itself without end"):
        again.trace()
