"""Python to Graph: calling nodes while a pipeline is traced records them; outside of tracing they simply run.

>>> import hetero as ht
>>> @ht.node
... def double(x):
...     return 2 * x
>>> @ht.pipeline
... def twice(x):
...     return double(double(x))
>>> [node.name for node in twice.trace()]
['double', 'double#2']
>>> twice(1)
4
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, TypeGuard, overload

from hetero.arguments import Auto, Errors, errors_option
from hetero.callee import Callee
from hetero.errors import ArgumentError, GraphError, TracingError
from hetero.graph import INPUT, REQUIRED, Arg, Graph, Input, Node, Pack, Ref
from hetero.ops.base import Effects
from hetero.ops.branch import BranchOp
from hetero.ops.function import FunctionOp
from hetero.ops.map import MapOp, as_node_error, items_of
from hetero.recording import Trace, current_trace, record, record_calls
from hetero.traced import Traced
from hetero.user_code import location

__all__ = [
    "Callee",
    "Pipeline",
    "Traced",
    "branch",
    "from_onnx",
    "from_qiskit",
    "from_torch",
    "map",
    "node",
    "pipeline",
]


class Pipeline:
    """A decorated Python function. ``trace()`` gives its graph; calling it outside of tracing runs it eagerly, node
    after node by their references, which is the way to debug it."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        _require_function("pipeline", function)
        self.function = function
        self.name = name or str(getattr(function, "__name__", "pipeline"))
        functools.update_wrapper(self, function, updated=())
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise ArgumentError(
                    f"pipeline {self.name!r}: parameter {parameter} takes any number of values; name each input, or "
                    "take a list"
                )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            bound = inspect.signature(self.function).bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(
                f"{location()}: {self.name}{inspect.signature(self.function)}: {error}"
            ) from None
        return self.function(*bound.args, **bound.kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Pipeline:
        """A pipeline decorated inside a class is a method."""
        if instance is None or not isinstance(self.function, FunctionType):
            return self
        return Pipeline(self.function.__get__(instance, owner), self.name)

    def trace(self) -> Graph:
        """The pipeline's graph.

        Raises:
            TracingError: the function uses a value that exists only when the plan runs.
            GraphError: it calls no node.
        """
        trace = Trace(self.name, None)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for p in inspect.signature(self.function).parameters.values():
            value = trace.parameter(p.name, REQUIRED if p.default is p.empty else p.default)
            if p.kind is p.KEYWORD_ONLY:
                named[p.name] = value
            else:
                positional.append(value)
        graph = record(trace, lambda: self.function(*positional, **named))
        if not graph.nodes:
            raise GraphError(
                f"pipeline {self.name!r} is empty: it calls no node; decorate a function with @ht.node and call it"
            )
        return graph

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"


def _require_function(what: str, function: object) -> None:
    """Only what gives its result when it is called can be a node or a pipeline.

    Raises:
        ArgumentError: it is no function, or one whose call only begins the work.
    """
    if not callable(function):
        raise ArgumentError(
            f"{location()}: @ht.{what} decorates a function, found {type(function).__name__} {function!r}"
        )
    name = getattr(function, "__name__", type(function).__name__)
    if inspect.iscoroutinefunction(function):
        raise ArgumentError(
            f"{location()}: {what} {name!r} is async, so that calling it gives a coroutine and no value; write it with "
            "`def` (inside a node asyncio.run may be used)"
        )
    if inspect.isasyncgenfunction(function) or (what == "pipeline" and inspect.isgeneratorfunction(function)):
        raise ArgumentError(
            f"{location()}: {what} {name!r} is a generator, whose items can be taken only once; return a list"
        )


def _require_no_traced_closure(function: Callable[..., Any]) -> None:
    """A node made while tracing sees the variables around it, but not the values that they will have."""
    for cell in getattr(function, "__closure__", None) or ():
        try:
            held = cell.cell_contents
        except ValueError:  # not bound yet
            continue
        if isinstance(held, Traced):
            raise TracingError(
                f"{location()}: a node closes over a value that exists only when the plan runs ({held!r}); make it a "
                "parameter of the node and pass it"
            )


@overload
def node(function: Callable[..., Any], /) -> Callee: ...
@overload
def node(
    *, name: str | None = None, outputs: int | None = None, retry: bool = True
) -> Callable[[Callable[..., Any]], Callee]: ...
def node(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    outputs: int | None = None,
    retry: bool = True,
) -> Any:
    """Make a Python function a node of pipelines. The value of a generator is the list of what it yields.

    Args:
        name: what the node is called in graphs; the function's name without it.
        outputs: how many values it returns, where the annotation ``-> tuple[A, B]`` does not say.
        retry: False marks a node with side effects, which is never run twice for a request.

    Raises:
        ArgumentError: the function takes ``*args`` or ``**kwargs``, or is async.
    """
    effects: Effects = "pure" if retry else "once"

    def decorate(target: Callable[..., Any]) -> Callee:
        if isinstance(target, Callee) and name is None and outputs is None and retry:
            return target
        if isinstance(target, Callee | Pipeline):
            already = (
                "a node; give name=, outputs= and retry= where it is made"
                if isinstance(target, Callee)
                else "a pipeline, which can be called inside another one as it is"
            )
            raise ArgumentError(f"{location()}: {target!r} is already {already}")
        _require_function("node", target)
        _require_no_traced_closure(target)
        callee = Callee(FunctionOp(target, name=name, outputs=outputs, effects=effects))
        functools.update_wrapper(callee, target, updated=())
        return callee

    return decorate if function is None else decorate(function)


@overload
def pipeline(function: Callable[..., Any], /) -> Pipeline: ...
@overload
def pipeline(*, name: str | None = None) -> Callable[[Callable[..., Any]], Pipeline]: ...
def pipeline(function: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Make a Python function a pipeline: its calls of nodes, models, maps and branches become a task graph.

    A pipeline called inside another pipeline is inlined.
    """
    if function is None:
        return lambda target: Pipeline(target, name)
    return Pipeline(function, name)


def from_onnx(
    model: str | Path | bytes, name: str | None = None, *, paddable: Mapping[str, int] | None = None
) -> Callee:
    """An ONNX model as a node, called with its inputs in the model's own order or by their names.

    Args:
        model: a path, or the bytes of the file.
        name: what the node is called; the file's stem without it.
        paddable: inputs that may be filled up with zeros at the end of an axis, each with that axis, without a change
            of any output (tokens with their attention mask): a map may then run items of unequal length as one batch.

    Raises:
        ArgumentError: ``paddable`` names an input or an axis that is not there.
        ModelError: the file cannot be read as ONNX.
        MissingExtraError: ``pip install 'hetero[onnx]'`` is needed.
    """
    from hetero.ops.onnx import OnnxOp

    return Callee(OnnxOp.from_model(model, name=name, paddable=paddable))


def from_torch(
    module: Any, example: Any, name: str | None = None, *, paddable: Mapping[str, int] | None = None
) -> Callee:
    """A torch module as a node. It is offered to the ONNX engines too: exported once, its outputs compared.

    Args:
        module: a ``torch.nn.Module``; it is put into evaluation mode.
        example: one input, a tuple of positional inputs, or a dict by name: fixes dtypes and ranks, not sizes.
        paddable: as in ``from_onnx``.

    Raises:
        ArgumentError: ``paddable`` names an input or an axis that is not there.
        ModelError: the module does not run on the example.
        MissingExtraError: ``pip install 'hetero[torch]'`` is needed.
    """
    from hetero.ops.torch import TorchOp

    return Callee(TorchOp.from_module(module, example, name=name, paddable=paddable))


def from_qiskit(
    circuit: Any,
    observables: Any = None,
    shots: int | Auto | None = None,
    *,
    name: str | None = None,
    seed: int | None = None,
) -> Callee:
    """A circuit as a node: parameter values in; expectation values of ``observables`` out, or counts of ``shots``.

    Args:
        circuit: a Qiskit circuit; its free parameters, in ``circuit.parameters`` order, are the last axis of the input.
        observables: one observable or a list of them, as wide as the circuit.
        shots: how often the circuit's measurements are sampled; ``ht.auto``: as often as the error limit of the plan
            asks for (a standard error of 0.01 where none is given).

    Raises:
        ModelError: the circuit or an observable cannot be used.
        ArgumentError: not exactly one of ``observables`` and ``shots`` is given.
        MissingExtraError: ``pip install 'hetero[quantum]'`` is needed.
    """
    from hetero.ops.circuit import CircuitOp

    return Callee(CircuitOp.from_circuit(circuit, observables=observables, shots=shots, name=name, seed=seed))


def map(f: Callable[[Any], Any], items: Any, *, errors: Errors = "raise") -> Any:
    """Apply ``f`` to each item of a list (or of an array's first axis) whose length is known only when it runs.

    ``f`` is a node, a pipeline or any function of one item that calls nodes; it may close over traced values.
    The result is a list in the order of the items. An item that raises fails the request; with ``errors="return"`` its
    ``NodeError`` stands in the place of its result, and the other items are not touched.
    """
    how = errors_option(errors)
    if isinstance(f, Traced) or not callable(f):
        raise ArgumentError(
            f"{location()}: ht.map(f, items): f is {f!r}, expected a node, a pipeline or a function of one item"
        )
    trace = current_trace.get()
    if trace is None:
        return [_item(f, item, how) for item in items_of(items)]
    inner = Trace(getattr(f, "__name__", "item").replace("<lambda>", "item"), trace)
    item = inner.parameter("item")
    body = record(inner, lambda: f(item))
    args = (trace.arg(items), *(trace.ref(value) for value in inner.captured))
    return trace.add(MapOp(body, errors=how), args, numbered=True)


def _item(f: Callable[[Any], Any], item: Any, errors: Errors) -> Any:
    """One item outside of tracing."""
    if errors == "raise":
        return f(item)
    try:
        return f(item)
    except Exception as error:  # whatever the item's code raises is its result, as asked
        return as_node_error(getattr(f, "__name__", "item"), error)


def branch(test: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """``then()`` where ``test`` is true when it runs, else ``otherwise()``; only that side runs.

    Both are functions without arguments which may close over traced values, and give the same number of values: a
    tuple of k values is k outputs. A test that is known at tracing decides at tracing.
    """
    for name, side in (("then", then), ("otherwise", otherwise)):
        _require_side(name, side)
    trace = current_trace.get()
    if trace is None or not isinstance(test, Traced):
        return then() if test else otherwise()
    sides = [_side(trace, "then", then), _side(trace, "otherwise", otherwise)]
    arities = [len(output.items) if _is_tuple(output) else 1 for _, output in sides]
    if arities[0] != arities[1]:
        raise TracingError(
            f"{location()}: the sides of a branch give {arities[0]} and {arities[1]} values; both must give as many"
        )
    closure = list({id(value): value for inner, _ in sides for value in inner.captured}.values())
    graphs = [_over(inner, output, closure) for inner, output in sides]
    op = BranchOp(graphs[0], graphs[1], arities[0])
    return trace.add(op, (trace.ref(test), *(trace.ref(value) for value in closure)), numbered=True)


def _is_tuple(arg: Arg) -> TypeGuard[Pack]:
    return isinstance(arg, Pack) and arg.type == "tuple"


def _require_side(name: str, side: Any) -> None:
    """A side is called only when it is chosen, so what is wrong with it is told before."""
    form = "expected a function without arguments, such as `lambda: read(x)`"
    if isinstance(side, Traced) or not callable(side):
        raise ArgumentError(f"{location()}: ht.branch(test, then, otherwise): {name} is {side!r}, {form}")
    try:
        inspect.signature(side).bind()
    except TypeError as error:
        raise ArgumentError(
            f"{location()}: ht.branch(test, then, otherwise): {name}: {error}; {form}"
        ) from None
    except ValueError:  # a built-in without a signature: its call will tell
        return


def _side(outer: Trace, name: str, body: Callable[[], Any]) -> tuple[Trace, Arg]:
    """One side as it was traced: its own closure inputs, in the order in which it met them."""
    inner = Trace(name, outer)
    return inner, inner.arg(record_calls(inner, body))


def _over(inner: Trace, output: Arg, closure: Sequence[Traced]) -> Graph:
    """A side's graph with all of the branch's closure values as its inputs, in their common order."""
    position = {id(value): i for i, value in enumerate(closure)}
    moved_to = [position[id(value)] for value in inner.captured]

    def moved(arg: Arg) -> Arg:
        if isinstance(arg, Ref):
            return Ref(INPUT, moved_to[arg.output]) if arg.node == INPUT else arg
        if isinstance(arg, Pack):
            return Pack(arg.type, tuple(moved(item) for item in arg.items), arg.keys)
        return arg

    inputs = tuple(Input(f"closure{i + 1}") for i in range(len(closure)))
    nodes = tuple(Node(n.name, n.op, tuple(moved(a) for a in n.args), n.location) for n in inner.nodes)
    return Graph(inner.name, inputs, nodes, moved(output))
