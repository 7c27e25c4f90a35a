"""Values as text that one would rather look at: tables, sizes and times."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hetero.graph import INPUT, Arg, Const, Pack, Ref

if TYPE_CHECKING:
    from hetero.graph import Graph

__all__ = ["cut", "graph_table", "nbytes", "rate", "seconds", "text_table"]


def text_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their headers, as wide as they need to be.

    >>> print(text_table(["node", "s"], [["detect", "0.1"]]))
    node    s
    ------  ---
    detect  0.1
    """
    widths = [max(map(_width, column)) for column in zip(headers, *rows, strict=True)]
    lines = [headers, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def seconds(value: float) -> str:
    """
    >>> seconds(0.01234), seconds(2.5e-5), seconds(3.0)
    ('12.3 ms', '25.0 us', '3.00 s')
    >>> seconds(0.9999), seconds(0.00099999)
    ('1.00 s', '1 ms')
    """
    if value >= 0.9995 or value == 0:  # what would be rounded up to 1000 of a unit is one of the next
        return f"{value:.2f} s"
    return f"{value * 1e3:.3g} ms" if value >= 0.99995e-3 else f"{value * 1e6:.1f} us"


def nbytes(value: float) -> str:
    """
    >>> nbytes(512), nbytes(3 * 2**20)
    ('512 B', '3.0 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def rate(value: float) -> str:
    """
    >>> rate(10093.2), rate(3.14159), rate(0.00123)
    ('10,093', '3.14', '0.00123')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cut(text: str, letters: int) -> str:
    """At most so many letters, the last three dots where there were more.

    >>> cut("float32[1,3]", 12), cut("float32[1,3,224,224]", 12)
    ('float32[1,3]', 'float32[1...')
    """
    return text if len(text) <= letters else text[: letters - 3] + "..."


def graph_table(graph: Graph) -> str:
    """A graph as a table: node, kind, where its inputs come from, the user's line."""
    rows = []
    inputs = {"": [i.name for i in graph.inputs]}
    for path, node in graph.walk():
        prefix = path[: len(path) - len(node.name)]
        if node.op.subgraphs:
            for side, inner in node.op.subgraphs.items():
                inputs[f"{path}/{side}/" if side else f"{path}/"] = [i.name for i in inner.inputs]
        args = (
            f"{name}={_arg_text(arg, inputs[prefix])}"
            for name, arg in zip(node.op.inputs, node.args, strict=True)
        )
        depth = prefix.count("/")
        rows.append(["  " * depth + node.name, node.op.kind, ", ".join(args), node.location])
    names = [i.name for i in graph.inputs]
    header = f"{graph.name}({', '.join(names)}) -> {_arg_text(graph.output, names)}"
    return header + "\n" + text_table(["node", "kind", "inputs", "line"], rows)


def _arg_text(arg: Arg, inputs: Sequence[str]) -> str:
    if isinstance(arg, Ref):
        if arg.node == INPUT:
            return inputs[arg.output]
        return arg.node if arg.output == 0 else f"{arg.node}.{arg.output}"
    if isinstance(arg, Const):
        text = repr(arg.value)
        return text if len(text) <= 20 and "\n" not in text else f"<{type(arg.value).__name__}>"
    assert isinstance(arg, Pack)
    items = [_arg_text(item, inputs) for item in arg.items]
    if arg.type == "dict":
        return "{" + ", ".join(f"{k}: {v}" for k, v in zip(arg.keys, items, strict=True)) + "}"
    return f"[{', '.join(items)}]" if arg.type == "list" else f"({', '.join(items)})"
