"""The task graph as a frozen value: its rules, its table, and random graphs through every conversion."""

from __future__ import annotations

import dataclasses
import pickle
import threading
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs, run_plainly

import hetero as ht
from hetero.errors import ArgumentError, GraphError, SpecError, UnknownNameError
from hetero.graph import INPUT, REQUIRED, Const, Graph, Input, Node, Pack, Ref
from hetero.ops.function import FunctionOp

IDENTITY = FunctionOp(lambda x: x, name="identity")
X = Ref(INPUT, 0)


def graph(*nodes: Node, output: Any = X, inputs: tuple[Input, ...] = (Input("x"),)) -> Graph:
    return Graph("made", inputs, nodes, output)


def node(name: str, *args: Any) -> Node:
    return Node(name, IDENTITY, args)


ILL_FORMED: dict[str, tuple[tuple[Node, ...], Any, str]] = {
    "two of one name": ((node("a", X), node("a", X)), X, "two nodes called 'a'"),
    "no name": ((node("", X),), X, "names must be unique"),
    "too many arguments": ((node("a", X, X),), X, "'a' has 2 arguments; identity takes 1"),
    "too few arguments": ((node("a"),), X, "'a' has 0 arguments"),
    "unknown node": ((node("a", Ref("b")),), X, "node 'a' takes a value of 'b', which is not in the graph"),
    "unknown output": ((node("a", X), node("b", Ref("a", 1))), X, "takes output 1 of 'a', which has 1"),
    "negative output": ((node("a", X), node("b", Ref("a", -1))), X, "takes output -1 of 'a'"),
    "unknown input": ((node("a", Ref(INPUT, 1)),), X, "takes output 1 of ''"),
    "unknown in a container": (
        (node("a", Pack("dict", (Pack("list", (Ref("b"),)),), ("k",))),),
        X,
        "which is not in the graph",
    ),
    "unknown result": ((node("a", X),), Ref("b"), "the output of graph 'made'"),
    "of itself": ((node("a", Ref("a")),), X, "is cyclic: a -> a"),
    "cyclic": ((node("a", Ref("c")), node("b", Ref("a")), node("c", Ref("b"))), X, "is cyclic: "),
    "out of order": ((node("a", Ref("b")), node("b", X)), X, "'a' stands before 'b'"),
}


@pytest.mark.parametrize("case", ILL_FORMED)
def test_an_ill_formed_graph_cannot_be_made(case: str) -> None:
    """Each rule of well-formedness has its message, naming the node."""
    nodes, output, says = ILL_FORMED[case]
    with pytest.raises(GraphError, match=says.replace("(", r"\(")):
        graph(*nodes, output=output)


def test_a_cycle_is_shown_in_the_order_of_its_edges() -> None:
    """`a -> b` in the message means that b takes a value of a."""
    with pytest.raises(GraphError) as refused:
        graph(node("a", Ref("c")), node("b", Ref("a")), node("c", Ref("b")))
    shown = str(refused.value).split(": ")[1].split(" -> ")
    follows = {("c", "a"), ("a", "b"), ("b", "c")}
    assert set(pairwise(shown)) == follows


def test_a_long_chain_is_no_problem() -> None:
    """Thousands of nodes make, hash, convert and run without recursion."""
    names = [f"n{i}" for i in range(3000)]
    nodes = [
        node(name, Ref(before) if before else X) for name, before in zip(names, ["", *names], strict=False)
    ]
    long = graph(*nodes, output=Ref(names[-1]))
    assert long.run(7) == 7
    assert Graph.from_networkx(long.to_networkx()).digest == long.digest
    with pytest.raises(GraphError, match="cyclic"):
        graph(
            *[node("first", Ref(names[-1])), *nodes, node("last", Ref("first"))][1:],
            *[node("first", Ref("last"))],
        )


def test_a_graph_is_frozen() -> None:
    """Neither a graph nor a node can be changed."""
    made = graph(node("a", X))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "other"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.nodes[0].name = "other"  # type: ignore[misc]


def test_nodes_are_found_by_name_and_say_their_parents() -> None:
    """An unknown name lists those there are."""
    made = graph(node("a", X), node("b", Pack("list", (Ref("a"), Ref("a"), X))))
    assert made["b"].parents == ("a",)
    assert made.edges == (("a", "b"),)
    assert len(made) == 2
    with pytest.raises(UnknownNameError, match="known: a, b"):
        made["c"]


def test_a_node_can_run_alone() -> None:
    """By its op's reference."""
    assert node("a", X).run(5) == (5,)


@pytest.mark.parametrize(
    ("args", "kwargs", "says"),
    [
        ((1, 2, 3), {}, "takes 2 arguments, 3 were given"),
        ((), {}, "misses its argument 'x'"),
        ((1,), {"z": 1}, "no parameter 'z'; it has: x, y"),
        ((1,), {"x": 1}, "given 'x' twice"),
    ],
)
def test_a_wrong_call_is_explained(args: tuple[Any, ...], kwargs: dict[str, Any], says: str) -> None:
    """The message shows the graph's signature and what is wrong."""
    made = graph(node("a", X), inputs=(Input("x"), Input("y", 1)))
    with pytest.raises(ArgumentError, match=says):
        made.run(*args, **kwargs)


def test_an_inputs_default_survives_pickling() -> None:
    """REQUIRED stays the one object that it is."""
    assert pickle.loads(pickle.dumps(REQUIRED)) is REQUIRED
    assert pickle.loads(pickle.dumps(Input("x"))).default is REQUIRED


def test_the_hash_is_of_content_and_structure() -> None:
    """Arguments, constants, defaults and names of nodes count; the name of the graph and the lines do not."""
    base = graph(node("a", X), output=Ref("a"))
    same = Graph("renamed", base.inputs, (Node("a", IDENTITY, (X,), "elsewhere.py:3"),), Ref("a"))
    assert same.digest == base.digest
    others = [
        graph(node("b", X), output=Ref("b")),
        graph(node("a", Const(1)), output=Ref("a")),
        graph(node("a", X), output=X),
        graph(node("a", X), output=Ref("a"), inputs=(Input("x", 1),)),
        graph(node("a", X), output=Ref("a"), inputs=(Input("x", None),)),
        graph(node("a", Pack("list", (X,))), output=Ref("a")),
        graph(node("a", Pack("tuple", (X,))), output=Ref("a")),
    ]
    assert len({g.digest for g in (base, *others)}) == len(others) + 1


def test_a_constant_without_content_is_refused_when_the_hash_is_asked_for() -> None:
    """A lock as an argument of a node: the message names its type."""
    with pytest.raises(SpecError, match="lock has no content"):
        graph(node("a", Const(threading.Lock()))).digest  # noqa: B018


def test_the_table_shows_nodes_kinds_inputs_and_lines() -> None:
    """Indented inside maps and branches, with the user's line of each call."""

    @ht.node
    def read(line: Any, language: str = "en") -> Any:
        return line

    @ht.pipeline
    def pages(lines: Any, test: Any) -> Any:
        texts = ht.map(lambda line: read(line, "de"), lines)
        return {"texts": texts, "first": ht.branch(test, lambda: read(lines), lambda: lines)}

    shown = str(pages.trace())
    assert shown.splitlines()[0] == "pages(lines, test) -> {texts: map#1, first: branch#1}"
    assert "map#1     map       items=lines" in shown
    assert "  read    function  line=item, language='de'" in shown
    assert "branch#1  branch    test=test, closure1=lines" in shown
    line = pages.function.__code__.co_firstlineno + 2
    assert f"test_graph.py:{line}" in shown
    assert repr(pages.trace()) == "<graph 'pages' of 2 nodes>"


def test_a_large_constant_is_not_printed() -> None:
    """The table shows an array by its type."""
    assert "x=<ndarray>" in str(graph(node("a", Const(np.zeros((100, 100))))))


@settings(max_examples=60, deadline=None)
@given(graphs(), st.lists(st.integers(-99, 99), min_size=3, max_size=3))
def test_a_random_graph_runs_as_plain_python_does(made: Graph, numbers: list[int]) -> None:
    """Graph.run is the functions called in order."""
    inputs = numbers[: len(made.inputs)]
    assert made.run(*inputs) == run_plainly(made, inputs)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_a_random_graph_survives_networkx(made: Graph, random: Any) -> None:
    """To networkx and back, with its nodes and edges in any order, it has the same hash and result."""
    import networkx

    drawn = made.to_networkx()
    assert set(drawn.edges) == set(made.edges)
    shuffled: Any = networkx.DiGraph(**drawn.graph)
    nodes, edges = list(drawn.nodes(data=True)), list(drawn.edges)
    random.shuffle(nodes)
    random.shuffle(edges)
    shuffled.add_nodes_from(nodes)
    shuffled.add_edges_from(edges)
    back, again = Graph.from_networkx(drawn), Graph.from_networkx(shuffled)
    assert back.digest == made.digest
    assert back.nodes == made.nodes
    inputs = list(range(len(made.inputs)))
    assert again.run(*inputs) == back.run(*inputs) == made.run(*inputs)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_a_random_graph_survives_pickling_and_shows(made: Graph) -> None:
    """It goes to other processes as it is, and its table has a row for each node."""
    import cloudpickle

    back = pickle.loads(cloudpickle.dumps(made))
    assert back.digest == made.digest
    assert len(str(made).splitlines()) == 3 + sum(1 for _ in made.walk())


def test_a_cyclic_networkx_graph_is_refused() -> None:
    """The cycle is shown; a graph that lacks what to_networkx writes says what is missing."""
    import networkx

    drawn = graph(node("a", X), node("b", Ref("a"))).to_networkx()
    drawn.add_edge("b", "a")
    with pytest.raises(GraphError, match=r"cyclic: a -> b|cyclic: b -> a"):
        Graph.from_networkx(drawn)
    bare: Any = networkx.DiGraph([("a", "b")])
    with pytest.raises(GraphError, match="to_networkx"):
        Graph.from_networkx(bare)
    hidden = graph(node("a", X), node("b", Ref("a"))).to_networkx()
    hidden.nodes["a"]["args"] = (Ref("b"),)
    hidden.remove_edge("a", "b")
    with pytest.raises(GraphError, match=r"cyclic|stands before"):
        Graph.from_networkx(hidden)
