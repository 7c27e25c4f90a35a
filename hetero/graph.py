"""The task graph: frozen nodes joined by the values they pass.

An argument of a node is a tree: a ``Ref`` to another node's output or to an input of the graph, a ``Const``, or
a ``Pack`` (list, tuple, dict) of such trees. Passes return new graphs; nothing here is ever changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hetero.errors import ArgumentError, GraphError, UnknownNameError
from hetero.ops.base import Op
from hetero.values import Specs, digest_of

if TYPE_CHECKING:
    import networkx

__all__ = ["INPUT", "REQUIRED", "Arg", "Const", "Graph", "Input", "Node", "Pack", "Ref", "refs", "resolve"]

INPUT = ""
"""The ``Ref.node`` of a value that the caller of the graph provides."""


class _Required:
    """Marks an input without a default."""

    def __repr__(self) -> str:
        return "REQUIRED"

    def __reduce__(self) -> str:  # stays one object through pickling
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class Ref:
    """Output number ``output`` of the node called ``node``; or input number ``output`` where ``node`` is INPUT."""

    node: str
    output: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A value known when the graph was traced."""

    value: Any


@dataclass(frozen=True, slots=True)
class Pack:
    """A list, tuple or dict whose items are arguments themselves."""

    type: Literal["list", "tuple", "dict"]
    items: tuple[Arg, ...]
    keys: tuple[Any, ...] = ()


Arg: TypeAlias = Ref | Const | Pack


def refs(arg: Arg) -> Iterator[Ref]:
    """Every reference inside an argument, in order."""
    if isinstance(arg, Ref):
        yield arg
    elif isinstance(arg, Pack):
        for item in arg.items:
            yield from refs(item)


def resolve(arg: Arg, lookup: Callable[[Ref], Any]) -> Any:
    """The value of an argument, given the values of its references.

    >>> resolve(Pack("list", (Const(1), Ref("a"))), {Ref("a"): 2}.__getitem__)
    [1, 2]
    """
    if isinstance(arg, Ref):
        return lookup(arg)
    if isinstance(arg, Const):
        return arg.value
    items = [resolve(item, lookup) for item in arg.items]
    if arg.type == "dict":
        return dict(zip(arg.keys, items, strict=True))
    return tuple(items) if arg.type == "tuple" else items


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter of the graph."""

    name: str
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Node:
    """One use of an op. ``args`` has one argument for each of the op's inputs; ``location`` is the user's line;
    ``stands_for`` has the names of the user's nodes that a rewrite made one of."""

    name: str
    op: Op
    args: tuple[Arg, ...]
    location: str = ""
    stands_for: tuple[str, ...] = ()

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(ref for arg in self.args for ref in refs(arg))

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the nodes whose outputs this one takes, each once."""
        return tuple(dict.fromkeys(ref.node for ref in self.refs if ref.node != INPUT))

    def run(self, *inputs: Any) -> tuple[Any, ...]:
        """Run this node alone, by its op's reference."""
        return self.op.load()(*inputs)


@dataclass(frozen=True, repr=False)
class Graph:
    """A frozen task graph in topological order.

    Raises:
        GraphError: it is cyclic, has two nodes of one name, or refers to a value that nothing produces.
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    output: Arg

    def __post_init__(self) -> None:
        for rule in _RULES:
            rule(self)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, name: str) -> Node:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownNameError("node", name, self._by_name) from None

    @cached_property
    def _by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """(producer, consumer) pairs of node names, each once."""
        return tuple((parent, node.name) for node in self.nodes for parent in node.parents)

    @cached_property
    def digest(self) -> str:
        """Content hash: the ops, how they are joined, the parameters. Names of nodes are part of it."""
        return digest_of(
            [
                (i.name, i.default is REQUIRED, None if i.default is REQUIRED else i.default)
                for i in self.inputs
            ],
            [(n.name, n.op.kind, n.op.digest, [_plain(arg) for arg in n.args]) for n in self.nodes],
            _plain(self.output),
        )

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the graph's inputs for a call, defaults filled in.

        Raises:
            ArgumentError: too many, missing, unknown or doubled arguments.
        """
        names = [i.name for i in self.inputs]
        signature = f"{self.name}({', '.join(names)})"
        if len(args) > len(names):
            raise ArgumentError(
                f"{signature} takes {len(names)} argument{'s' * (len(names) != 1)}, {len(args)} were given"
            )
        values = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key not in names:
                raise ArgumentError(
                    f"{signature} has no parameter {key!r}; it has: {', '.join(names) or 'none'}"
                )
            if key in values:
                raise ArgumentError(f"{signature} was given {key!r} twice: by position and by name")
            values[key] = value
        for parameter in self.inputs:
            if parameter.name not in values:
                if parameter.default is REQUIRED:
                    raise ArgumentError(f"{signature} misses its argument {parameter.name!r}")
                values[parameter.name] = parameter.default
        return tuple(values[name] for name in names)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the whole graph by its ops' references, one node after the other, in this thread."""
        values: dict[Ref, Any] = {Ref(INPUT, i): value for i, value in enumerate(self.bind(args, kwargs))}
        for node in self.nodes:
            outputs = node.run(*(resolve(arg, values.__getitem__) for arg in node.args))
            values.update({Ref(node.name, i): value for i, value in enumerate(outputs)})
        return resolve(self.output, values.__getitem__)

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Every node with its path, those inside maps and branches too: ``map#1/read``."""
        for node in self.nodes:
            yield prefix + node.name, node
            for side, graph in node.op.subgraphs.items():
                yield from graph.walk(f"{prefix}{node.name}/{side}/" if side else f"{prefix}{node.name}/")

    def to_networkx(self) -> networkx.DiGraph[str]:
        """A networkx DiGraph with the ops and arguments as attributes; ``from_networkx`` is the inverse."""
        from hetero.graph_files import to_networkx

        return to_networkx(self)

    @classmethod
    def from_networkx(cls, drawn: networkx.DiGraph[str]) -> Graph:
        """The graph that ``to_networkx`` drew, whatever was reordered meanwhile."""
        from hetero.graph_files import from_networkx

        return from_networkx(drawn)

    def save(self, path: str | Path) -> None:
        """Write the graph as one file, without code: see ``hetero.graph_files``."""
        from hetero.graph_files import save_graph

        save_graph(self, path)

    @classmethod
    def load(cls, path: str | Path, code: Graph | Iterable[Op] = ()) -> Graph:
        """Read a graph; Python functions and torch modules are taken from ``code``."""
        from hetero.graph_files import load_graph

        return load_graph(path, code)

    def __repr__(self) -> str:
        return f"<graph {self.name!r} of {len(self.nodes)} nodes>"

    def __str__(self) -> str:
        from hetero.show import graph_table  # drawing lives in its own module

        return graph_table(self)


def specs_error(node: str, name: str, found: object, expected: str) -> str:
    """The one form of a message about a value that does not fit."""
    return f"node {node!r}, input {name!r}: found {found}, expected {expected}"


def _plain(arg: Arg) -> Any:
    """An argument as plain values, for hashing."""
    if isinstance(arg, Ref):
        return ("ref", arg.node, arg.output)
    if isinstance(arg, Const):
        return ("const", arg.value)
    return (arg.type, list(arg.keys), [_plain(item) for item in arg.items])


def _unique_names(graph: Graph) -> None:
    seen: set[str] = set()
    for node in graph.nodes:
        if node.name in seen or node.name == INPUT:
            raise GraphError(f"graph {graph.name!r} has two nodes called {node.name!r}; names must be unique")
        seen.add(node.name)


def _arity(graph: Graph) -> None:
    for node in graph.nodes:
        if len(node.args) != len(node.op.inputs):
            raise GraphError(
                f"node {node.name!r} has {len(node.args)} arguments; {node.op.name} takes "
                f"{len(node.op.inputs)}: {', '.join(node.op.inputs)}"
            )


def _references_exist(graph: Graph) -> None:
    arity = {node.name: len(node.op.outputs) for node in graph.nodes} | {INPUT: len(graph.inputs)}
    users = [(f"node {node.name!r}", ref) for node in graph.nodes for ref in node.refs]
    users += [(f"the output of graph {graph.name!r}", ref) for ref in refs(graph.output)]
    for who, ref in users:
        if ref.node not in arity:
            raise GraphError(
                f"{who} takes a value of {ref.node!r}, which is not in the graph: {', '.join(arity)}"
            )
        if not 0 <= ref.output < arity[ref.node]:
            raise GraphError(f"{who} takes output {ref.output} of {ref.node!r}, which has {arity[ref.node]}")


def _topological(graph: Graph) -> None:
    position = {node.name: i for i, node in enumerate(graph.nodes)}
    for i, node in enumerate(graph.nodes):
        late = [parent for parent in node.parents if position[parent] >= i]
        if late:
            cycle = _find_cycle(graph)
            raise GraphError(
                f"graph {graph.name!r} is cyclic: {' -> '.join(cycle)}"
                if cycle
                else f"graph {graph.name!r}: node {node.name!r} stands before {late[0]!r}, whose value it takes"
            )


def _find_cycle(graph: Graph) -> list[str]:
    parents = {node.name: node.parents for node in graph.nodes}
    done: set[str] = set()
    for start in parents:
        path: list[str] = []
        stack = [(start, iter(parents[start]))] if start not in done else []
        path.append(start)
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.pop()
                done.add(name)
            elif following in path:
                return [*path[path.index(following) :], following][::-1]
            elif following not in done:
                stack.append((following, iter(parents[following])))
                path.append(following)
    return []


_RULES: tuple[Callable[[Graph], None], ...] = (_unique_names, _arity, _references_exist, _topological)
"""Well-formedness, checked in this order whenever a graph is made. A graph without nodes is well-formed: the side of a
branch may pass a value on. That a pipeline is not empty is checked where it is traced."""


def check_specs(node: Node, specs: Specs) -> None:
    """Raise ``SpecError`` where values of these specs do not fit the node."""
    node.op.check(node.name, specs)
