"""Random graphs of three functions and maps of them, and what plain Python makes of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hetero.graph import INPUT, REQUIRED, Const, Graph, Input, Node, Pack, Ref
from hetero.ops.function import FunctionOp
from hetero.ops.map import MapOp

__all__ = ["graphs", "run_plainly"]


def total(*parts: Any) -> int:
    """A number from any tree of numbers."""
    return sum(
        total(*part)
        if isinstance(part, list | tuple)
        else total(*part.values())
        if isinstance(part, dict)
        else part
        for part in parts
    )


def one(a: Any) -> int:
    return 2 * total(a) + 1


def two(a: Any, b: Any) -> tuple[int, int]:
    return total(a) - total(b), 3 * total(b)


def three(a: Any, b: Any = 4, *, c: Any = 5) -> int:
    return total(a) + 2 * total(b) + 3 * total(c)


OPS = [FunctionOp(one), FunctionOp(two, outputs=2), FunctionOp(three)]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Random graphs of the three functions above and maps of them, with trees of arguments."""
    inputs = tuple(
        Input(f"in{i}", draw(st.just(REQUIRED) | st.integers(-9, 9))) for i in range(draw(st.integers(1, 3)))
    )
    values = [Ref(INPUT, i) for i in range(len(inputs))]
    constants = st.integers(-9, 9) | st.lists(st.integers(-9, 9), max_size=3)

    def tree(depth: int = 2) -> st.SearchStrategy[Any]:
        leaf = st.sampled_from(values) | constants.map(Const)
        if depth == 0:
            return leaf
        some = st.lists(tree(depth - 1), max_size=3)
        return (
            leaf
            | some.map(lambda items: Pack("list", tuple(items)))
            | some.map(lambda items: Pack("tuple", tuple(items)))
            | some.map(lambda items: Pack("dict", tuple(items), tuple(f"k{i}" for i in range(len(items)))))
        )

    nodes: list[Node] = []
    for number in range(draw(st.integers(0, 6))):
        name = f"n{number}"
        if draw(st.booleans()):
            op: Any = draw(st.sampled_from(OPS))
            made = Node(
                name, op, tuple(draw(tree()) for _ in op.inputs), draw(st.sampled_from(["", "a.py:1"]))
            )
        else:
            inner = Graph(
                "item",
                (Input("item"), Input("closure1")),
                (Node("one", OPS[0], (Ref(INPUT),)),),
                Pack("list", (Ref("one"), Ref(INPUT, 1))),
            )
            items = Pack("list", tuple(draw(st.lists(tree(1), max_size=3))))
            op = MapOp(inner)
            made = Node(name, op, (items, draw(tree(0))))
        nodes.append(made)
        values += [Ref(name, i) for i in range(len(op.outputs))]
    return Graph("random", inputs, tuple(nodes), draw(tree()))


def plainly(arg: Any, values: dict[Ref, Any]) -> Any:
    """An independent reading of what an argument means."""
    if isinstance(arg, Ref):
        return values[arg]
    if isinstance(arg, Const):
        return arg.value
    items = [plainly(item, values) for item in arg.items]
    return {"list": list, "tuple": tuple, "dict": lambda i: dict(zip(arg.keys, i, strict=True))}[arg.type](
        items
    )


def run_plainly(made: Graph, inputs: list[Any]) -> Any:
    """What plain Python calls give."""
    values = {Ref(INPUT, i): value for i, value in enumerate(inputs)}
    for each in made.nodes:
        given_to = [plainly(arg, values) for arg in each.args]
        if isinstance(each.op, MapOp):
            results: Any = ([[one(item), given_to[1]] for item in given_to[0]],)
        elif each.op is OPS[2]:
            results = (three(given_to[0], given_to[1], c=given_to[2]),)
        else:
            results = two(*given_to) if each.op is OPS[1] else (one(*given_to),)
        values |= {Ref(each.name, i): result for i, result in enumerate(results)}
    return plainly(made.output, values)
