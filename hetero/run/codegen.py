"""Blocks as Python functions.

Interpreting a list of instructions in Python costs about 0.4 us a node; the same list written out as one function costs
what the calls cost. The source is kept where tracebacks, debuggers and profilers look for it, so a failing node shows
as a line such as ``v3, = n2_detect(v1)``; that line's number is also how an error finds its node, at no cost while
nothing fails.
"""

from __future__ import annotations

import itertools
import linecache
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from time import perf_counter
from types import FrameType
from typing import Any, Protocol, TypeAlias

from hetero.graph import Const
from hetero.run.program import Block, Branch, Call, Free, Instruction, Map, Move, Recv, Send, Take, Tree

__all__ = ["Binding", "CodeBook", "Function"]

Function: TypeAlias = Callable[..., Any]
_serial = itertools.count()


class Binding(Protocol):
    """What the names in generated code stand for."""

    def run(self, call: Call) -> tuple[Function, AbstractContextManager[Any] | None]:
        """The function that runs a call's executable, and what must be held meanwhile."""

    def constant(self, value: Any, call: Call | None) -> Any:
        """A constant as this call takes it (None: on the host)."""

    def move(self, move: Move) -> Function:
        """The function that copies a value for a move."""

    def map(self, instruction: Map, pieces: Sequence[Function]) -> Function:
        """``f(items, *closure)`` that runs the body, or its parts, over the items."""

    def note(self, block: Block, paths: Sequence[str]) -> Function | None:
        """What takes the times of one run, ``(start, end of the first, ..., end of the last)``; None: not timed."""


class CodeBook:
    """Generated functions and which line of which belongs to which node."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._paths: dict[str, dict[int, str]] = {}

    def function(self, block: Block) -> Function:
        """A Python function that does what the block says.

        It takes the block's inputs; a block that sends or receives takes the request's frame instead.
        """
        page = _Page(self._binding, self, block)
        source = "\n".join(page.lines) + "\n"
        name = f"<hetero {block.name} #{next(_serial)}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        self._paths[name] = page.paths
        exec(
            compile(source, name, "exec"), page.names
        )  # the source holds generated names only, no user's text
        function: Function = page.names["run"]
        return function

    def node_of(self, error: BaseException) -> str | None:
        """The node whose line an error came through: the innermost one. Lets go of the values of its request."""
        found = None
        trace = error.__traceback__
        while trace is not None:
            lines = self._paths.get(trace.tb_frame.f_code.co_filename)
            if lines is not None:
                found = lines.get(trace.tb_lineno, found)
                trace.tb_frame.clear()
            trace = trace.tb_next
        return found

    def node_at(self, frame: FrameType | None) -> str:
        """The node that a thread with this frame is in, the innermost one; empty where it is in none."""
        while frame is not None:
            lines = self._paths.get(frame.f_code.co_filename)
            if lines is not None and frame.f_lineno in lines:
                return lines[frame.f_lineno]
            frame = frame.f_back
        return ""

    def close(self) -> None:
        for name in self._paths:
            linecache.cache.pop(name, None)


class _Page:
    """One function being written: its lines, the names it uses, and the node of each line."""

    def __init__(self, binding: Binding, book: CodeBook, block: Block) -> None:
        self._binding, self._book = binding, book
        self.names: dict[str, Any] = {}
        self.paths: dict[int, str] = {}
        parameters = "frame" if block.framed else ", ".join(f"v{slot}" for slot in block.inputs)
        self.lines = [f"def run({parameters}):"]
        timed = [item for item in block.body if isinstance(item, Call | Map | Branch | Move)]
        note = binding.note(block, [_label(item) for item in timed])
        if note is not None:
            self.names |= {"now": perf_counter, "note": note}
        self._timed = note is not None
        self._times = ["t0"]
        if self._timed:
            self._line("t0 = now()")
        for item in block.body:
            self._write(item)
        if self._timed:
            self._line(f"note(({', '.join(self._times)},))")
        self._line(f"return {self._tree(block.result) if block.result is not None else 'None'}")

    def _write(self, item: Instruction) -> None:
        match item:
            case Recv(slot):
                self._line(f"v{slot} = frame[{slot}].pop()")
            case Send(slot, readers):
                self._line(f"frame[{slot}] = [v{slot}]" + (f" * {readers}" if readers > 1 else ""))
            case Free(slots):
                self._line(f"del {', '.join(f'v{slot}' for slot in slots)}")
            case Call():
                self._work(item.path, self._call(item))
            case Move(path, source, target):
                name = self._name("m", path, self._binding.move(item))
                self._work(path, f"v{target} = {name}(v{source})")
            case Map(path, body, _, items, closure, output, parts=parts):
                pieces = [part.block for part in parts] or [body]
                runner = self._binding.map(item, [self._book.function(piece) for piece in pieces])
                name = self._name("n", path, runner)
                self._work(path, f"v{output} = {name}({self._trees((items, *closure))})")
            case Branch(path, test, then, otherwise, closure, outputs):
                yes = self._name("n", f"{path}_then", self._book.function(then))
                no = self._name("n", f"{path}_otherwise", self._book.function(otherwise))
                taken = self._trees(closure)
                targets = ", ".join(f"v{slot}" for slot in outputs)
                self._work(path, f"{targets} = {yes}({taken}) if {self._tree(test)} else {no}({taken})")

    def _call(self, call: Call) -> str:
        run, gate = self._binding.run(call)
        name = self._name("n", call.path, run)
        targets = "".join(f"v{slot}, " for slot in call.outputs).rstrip()
        assignment = f"{targets} = " if targets else ""
        held = f"with {self._name('g', call.path, gate)}: " if gate is not None else ""
        return f"{held}{assignment}{name}({self._trees(call.args, call)})"

    def _work(self, path: str, line: str) -> None:
        self._line(line)
        self.paths[len(self.lines)] = path
        if self._timed:
            self._times.append(f"t{len(self._times)}")
            self._line(f"{self._times[-1]} = now()")

    def _line(self, text: str) -> None:
        self.lines.append(f"    {text}")

    def _trees(self, trees: Sequence[Tree], call: Call | None = None) -> str:
        return ", ".join(self._tree(tree, call) for tree in trees)

    def _tree(self, tree: Tree, call: Call | None = None) -> str:
        if isinstance(tree, Take):
            return f"v{tree.slot}"
        if isinstance(tree, Const):
            return self._name("c", "", self._binding.constant(tree.value, call))
        if tree.type == "dict":
            keys = [self._name("k", "", key) for key in tree.keys]
            pairs = zip(keys, tree.items, strict=True)
            return "{" + ", ".join(f"{key}: {self._tree(item, call)}" for key, item in pairs) + "}"
        inside = self._trees(tree.items, call)
        return f"[{inside}]" if tree.type == "list" else f"({inside}{',' if tree.items else ''})"

    def _name(self, letter: str, path: str, value: Any) -> str:
        name = f"{letter}{len(self.names)}" + (re.sub(r"\W+", "_", f"_{path}") if path else "")
        self.names[name] = value
        return name


def _label(item: Call | Map | Branch | Move) -> str:
    """What a span is called."""
    if isinstance(item, Move):
        return f"{item.path or 'input'} {item.source_space} -> {item.target_space}"
    return item.path
