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
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import FunctionType
from typing import Any, TypeGuard, overload

from hetero.arguments import Errors, errors_option
from hetero.errors import ArgumentError, GraphError, HeteroError, TracingError
from hetero.graph import INPUT, REQUIRED, Arg, Const, Graph, Input, Node, Pack, Ref
from hetero.ops.base import Effects, Op
from hetero.ops.branch import BranchOp
from hetero.ops.function import FunctionOp
from hetero.ops.map import MapOp, as_node_error, items_of
from hetero.traced import Traced, holds_traced
from hetero.user_code import line_of, location

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


class _Trace:
    """The graph that is being recorded. Maps and branches nest: ``outer`` is the trace around this one."""

    def __init__(self, name: str, outer: _Trace | None) -> None:
        self.name = name
        self.outer = outer
        self.nodes: list[Node] = []
        self.inputs: list[Input] = []
        # By identity: comparing traced values is refused, as a dict would do on equal hashes.
        self._captured: dict[int, tuple[Traced, Ref]] = {}
        self._uses: dict[str, int] = {}
        self._names: set[str] = set()

    def parameter(self, name: str, default: Any = REQUIRED) -> Traced:
        self.inputs.append(Input(name, default))
        return Traced(self, Ref(INPUT, len(self.inputs) - 1), f"input {name!r} of {self.name!r}")

    def add(self, op: Op, args: tuple[Arg, ...], *, numbered: bool = False) -> Any:
        """Record one use of an op; returns its traced output, or a tuple of them."""
        name = self._free_name(op.name, numbered)
        self.nodes.append(Node(name, op, args, location()))
        if len(op.outputs) == 1:
            return Traced(self, Ref(name, 0), f"the value of node {name!r}")
        return _together(
            op,
            [
                Traced(self, Ref(name, i), f"output {output!r} of node {name!r}")
                for i, output in enumerate(op.outputs)
            ],
        )

    def _free_name(self, base: str, numbered: bool) -> str:
        """``read``, ``read#2``, ...; past names that a user chose to look like that."""
        while True:
            count = self._uses[base] = self._uses.get(base, 0) + 1
            name = base if count == 1 and not numbered else f"{base}#{count}"
            if name not in self._names:
                self._names.add(name)
                return name

    def ref(self, value: Traced) -> Ref:
        """The reference of a traced value in this graph: a value of a graph around it becomes an input."""
        if value._trace is self:
            return value._ref
        if id(value) not in self._captured:
            around = self.outer
            while around is not None and around is not value._trace:
                around = around.outer
            if around is None:
                raise TracingError(
                    f"{location()}: {value._label} belongs to another trace; a traced value cannot be kept "
                    "and used after its pipeline, map or branch was traced: return it instead"
                )
            self._captured[id(value)] = (value, Ref(INPUT, len(self.inputs)))
            self.inputs.append(Input(f"closure{len(self._captured)}"))
        return self._captured[id(value)][1]

    @property
    def captured(self) -> list[Traced]:
        """The values of graphs around this one that it uses, in the order of its closure inputs."""
        return [value for value, _ in self._captured.values()]

    def arg(self, value: Any) -> Arg:
        """A call's argument as a tree: what holds no traced value is one constant."""
        if isinstance(value, Traced):
            return self.ref(value)
        if not holds_traced(value):
            return Const(value)
        if type(value) is dict:
            return Pack("dict", tuple(self.arg(v) for v in value.values()), tuple(value))
        if type(value) is list or type(value) is tuple or isinstance(value, _Several):
            return Pack("list" if isinstance(value, list) else "tuple", tuple(self.arg(v) for v in value))
        raise TracingError(
            f"{location()}: a {type(value).__name__} cannot hold values that exist only when the plan runs; pass them "
            f"in a list, tuple or dict, and make the {type(value).__name__} inside a @ht.node"
        )

    def graph(self, output: Any) -> Graph:
        result = self.arg(output)  # first: what it captures from around becomes one more input
        return Graph(self.name, tuple(self.inputs), tuple(self.nodes), result)


class _Several(tuple[Any, ...]):
    """Outputs of one node, which are passed on as a plain tuple; a named tuple of the user's own is not."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:  # its type is made on the fly and cannot be found by name
        return tuple, (tuple(self),)


def _together(op: Op, values: Sequence[Any]) -> tuple[Any, ...]:
    """Several outputs as a named tuple in the op's order; a name that is no identifier is reached by its position."""
    return _outputs_type(op.kind, op.outputs)(*values)


@functools.cache
def _outputs_type(kind: str, names: tuple[str, ...]) -> Callable[..., tuple[Any, ...]]:
    named = namedtuple(kind, names, rename=True)  # type: ignore[misc]  # the names are the model's
    return type(kind, (named, _Several), {"__slots__": ()})


_current: ContextVar[_Trace | None] = ContextVar("hetero_trace", default=None)


class Callee:
    """An op that a pipeline can call; outside of tracing a call runs its reference."""

    def __init__(self, op: Op) -> None:
        if not isinstance(op.name, str) or not op.name or "/" in op.name:
            raise ArgumentError(
                f"name={op.name!r}: a node's name is a text without '/', which separates a map from what is inside it"
            )
        self.op = op
        self.__name__ = op.name

    @property
    def digest(self) -> str:
        return self.op.digest

    @functools.cached_property
    def _run(self) -> Callable[..., tuple[Any, ...]]:
        return self.op.load()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bind(args, kwargs)
        trace = _current.get()
        if trace is not None:
            return trace.add(self.op, tuple(trace.arg(value) for value in values))
        if any(holds_traced(value) for value in values):
            raise TracingError(
                f"{location()}: {self.op.name!r} was given a traced value outside of that value's pipeline, where it "
                "never has a value; call it inside the pipeline"
            )
        outputs = self._run(*values)
        return outputs[0] if len(outputs) == 1 else _together(self.op, outputs)

    def __get__(self, instance: object, owner: type | None = None) -> Callee:
        """A function decorated inside a class is a method: reached through an object, it has its ``self``."""
        op = self.op
        if instance is None or not isinstance(op, FunctionOp) or not isinstance(op.function, FunctionType):
            return self
        method = op.function.__get__(instance, owner)
        return Callee(FunctionOp(method, name=op.name, outputs=len(op.outputs), effects=op.effects))

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        op = self.op
        signature = f"{op.name}({', '.join(op.inputs)})"
        if len(args) > len(op.inputs):
            raise ArgumentError(
                f"{location()}: {signature} takes {len(op.inputs)} arguments, {len(args)} were given"
            )
        given = dict(zip(op.inputs, args, strict=False))
        for name, value in kwargs.items():
            if name not in op.inputs:
                raise ArgumentError(
                    f"{location()}: {signature} has no input {name!r}; it has: {', '.join(op.inputs) or 'none'}"
                )
            if name in given:
                raise ArgumentError(f"{location()}: {signature} was given {name!r} by position and by name")
            given[name] = value
        missing = [name for name in op.inputs if name not in given and name not in op.defaults]
        if missing:
            raise ArgumentError(f"{location()}: {signature} misses {', '.join(missing)}")
        return [given[name] if name in given else op.defaults[name] for name in op.inputs]

    def __repr__(self) -> str:
        return repr(self.op)


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
        trace = _Trace(self.name, None)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for p in inspect.signature(self.function).parameters.values():
            value = trace.parameter(p.name, REQUIRED if p.default is p.empty else p.default)
            if p.kind is p.KEYWORD_ONLY:
                named[p.name] = value
            else:
                positional.append(value)
        graph = _record(trace, lambda: self.function(*positional, **named))
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
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
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


def _record(trace: _Trace, body: Callable[[], Any]) -> Graph:
    return trace.graph(_traced(trace, body))


def _traced(trace: _Trace, body: Callable[[], Any]) -> Any:
    """What the body gives while its calls are recorded in this trace."""
    token = _current.set(trace)
    try:
        return body()
    except HeteroError:
        raise
    except RecursionError as error:
        raise TracingError(
            f"pipeline {trace.name!r} calls itself without end; a pipeline is traced whole, so recursion over a value "
            "that exists only when the plan runs has to be inside a @ht.node"
        ) from error
    except (TypeError, AttributeError) as error:
        if "Traced" not in str(error):
            raise
        # Code that asks no value's leave: json, `%d`, `with`, str.join, os.path and the like.
        raise TracingError(
            f"{line_of(error.__traceback__)}: a value that exists only when the plan runs was used while the pipeline "
            f"is traced ({error}); do that inside a @ht.node"
        ) from error
    finally:
        _current.reset(token)


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
    """Make a Python function a node of pipelines.

    Args:
        name: what the node is called in graphs; the function's name without it.
        outputs: how many values it returns, where the annotation ``-> tuple[A, B]`` does not say.
        retry: False marks a node with side effects, which is never run twice for a request.

    Raises:
        ArgumentError: the function takes ``*args`` or ``**kwargs``, is async, or is a generator.
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


def from_onnx(model: str | Path | bytes, name: str | None = None) -> Callee:
    """An ONNX model as a node, called with its inputs in the model's own order or by their names.

    Args:
        model: a path, or the bytes of the file.
        name: what the node is called; the file's stem without it.

    Raises:
        ModelError: the file cannot be read as ONNX.
        MissingExtraError: ``pip install 'hetero[onnx]'`` is needed.
    """
    from hetero.ops.onnx import OnnxOp

    return Callee(OnnxOp.from_model(model, name=name))


def from_torch(module: Any, example: Any, name: str | None = None) -> Callee:
    """A torch module as a node. It is offered to the ONNX engines too: exported once, its outputs compared.

    Args:
        module: a ``torch.nn.Module``; it is put into evaluation mode.
        example: one input, a tuple of positional inputs, or a dict by name: fixes dtypes and ranks, not sizes.

    Raises:
        ModelError: the module does not run on the example.
        MissingExtraError: ``pip install 'hetero[torch]'`` is needed.
    """
    from hetero.ops.torch import TorchOp

    return Callee(TorchOp.from_module(module, example, name=name))


def from_qiskit(
    circuit: Any,
    observables: Any = None,
    shots: int | None = None,
    *,
    name: str | None = None,
    seed: int | None = None,
) -> Callee:
    """A circuit as a node: parameter values in; expectation values of ``observables`` out, or counts of ``shots``.

    Args:
        circuit: a Qiskit circuit; its free parameters, in ``circuit.parameters`` order, are the last axis of the input.
        observables: one observable or a list of them, as wide as the circuit.
        shots: how often the circuit's measurements are sampled.

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
    trace = _current.get()
    if trace is None:
        return [_item(f, item, how) for item in items_of(items)]
    inner = _Trace(getattr(f, "__name__", "item").replace("<lambda>", "item"), trace)
    item = inner.parameter("item")
    body = _record(inner, lambda: f(item))
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
    trace = _current.get()
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


def _side(outer: _Trace, name: str, body: Callable[[], Any]) -> tuple[_Trace, Arg]:
    """One side as it was traced: its own closure inputs, in the order in which it met them."""
    inner = _Trace(name, outer)
    return inner, inner.arg(_traced(inner, body))


def _over(inner: _Trace, output: Arg, closure: Sequence[Traced]) -> Graph:
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
