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
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol, TypeAlias, TypeGuard

from hetero.graph import Const
from hetero.run.glances import Glances
from hetero.run.program import (
    Arrive,
    Block,
    Branch,
    Call,
    Free,
    Instruction,
    Map,
    Move,
    Recv,
    Send,
    Take,
    Tree,
    evaluate,
    slots_of,
)

__all__ = ["Binding", "CodeBook", "Failure", "Function", "label"]

Function: TypeAlias = Callable[..., Any]
Work: TypeAlias = Call | Map | Branch | Move | Arrive
"""What is done for a node."""
_serial = itertools.count()


@dataclass(frozen=True, slots=True)
class Failure:
    """Where an error came from: the node, empty where none is known, and the call with its arguments if it is one's."""

    path: str
    call: Call | None = None
    args: tuple[Any, ...] = ()


class Binding(Protocol):
    """What the names in generated code stand for."""

    def run(self, call: Call) -> tuple[Function, AbstractContextManager[Any] | None]:
        """The function that runs a call's executable, and what must be held meanwhile."""

    def constant(self, value: Any, call: Call | None) -> Any:
        """A constant as this call takes it (None: on the host)."""

    def move(self, move: Move) -> Function:
        """The function that copies a value for a move; for an early one it begins to, and what it gives has the copy as
        its ``value()``."""

    def map(self, instruction: Map, pieces: Sequence[Function]) -> Function:
        """``f(items, *closure)`` that runs the body, or its parts, over the items."""

    def clock(self, block: Block, paths: Sequence[str]) -> dict[str, Any] | None:
        """What the names ``turn``, ``seldom``, ``now``, ``note`` and ``done`` of a block stand for; None: not timed.

        A run for which ``turn() & seldom`` is not 0 is only counted, by ``done()``; for any other one ``note`` is told
        ``(start, end of the first, ..., end of the last)``. The dict stays in use: ``seldom`` may be changed in it.
        """


class CodeBook:
    """Generated functions and which line of which belongs to which node."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self.glances = Glances()
        self._lines: dict[str, dict[int, Work]] = {}

    def function(self, block: Block) -> Function:
        """A Python function that does what the block says.

        It takes the block's inputs; a block that sends or receives takes the request's frame instead.
        """
        page = _Page(self._binding, self, block)
        source = "\n".join(page.lines) + "\n"
        name = f"<hetero {block.name} #{next(_serial)}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        self._lines[name] = page.work
        for called, path in page.calls:
            self.glances.watch(page.names, called, path)
        exec(
            compile(source, name, "exec"), page.names
        )  # the source holds generated names only, no user's text
        function: Function = page.names["run"]
        return function

    def failure_of(self, error: BaseException) -> Failure:
        """Where an error came from: the innermost node whose line it came through. Lets go of the values of its
        request, but for those that the failure has."""
        found = Failure("")
        trace = error.__traceback__
        while trace is not None:
            lines = self._lines.get(trace.tb_frame.f_code.co_filename)
            if lines is not None:
                if (item := lines.get(trace.tb_lineno)) is not None:
                    names = trace.tb_frame.f_locals
                    found = _failure(item, names)
                    if isinstance(names, dict):  # before Python 3.13 a copy, which the frame would keep
                        names.clear()
                trace.tb_frame.clear()
            trace = trace.tb_next
        return found

    def node_at(self, frame: FrameType | None) -> str:
        """The node that a thread with this frame is in, the innermost one; empty where it is in none."""
        while frame is not None:
            lines = self._lines.get(frame.f_code.co_filename)
            if lines is not None and frame.f_lineno in lines:
                return lines[frame.f_lineno].path
            frame = frame.f_back
        return ""

    def close(self) -> None:
        for name in self._lines:
            linecache.cache.pop(name, None)


class _Page:
    """One function being written: its lines, the names it uses, and the node of each line.

    The work is written twice where it is timed, once without reading the clock: a run that is not timed then costs what
    its calls cost.
    """

    def __init__(self, binding: Binding, book: CodeBook, block: Block) -> None:
        self._binding, self._book = binding, book
        self.work: dict[int, Work] = {}
        self.calls: list[tuple[str, str]] = []
        """The name of the function of each node that is called, and the node."""
        parameters = "frame" if block.framed else ", ".join(f"v{slot}" for slot in block.inputs)
        self.lines = [f"def run({parameters}):"]
        timed = [item for item in block.body if _is_work(item)]
        clock = binding.clock(block, [label(item) for item in timed])
        self.names: dict[str, Any] = {} if clock is None else clock
        self._steps: list[tuple[str, Work | None, bool]] = []
        """Each a line, the work of a node that is done in it, and whether that is timed."""
        for item in block.body:
            self._write(item)
        result = self._tree(block.result) if block.result is not None else "None"
        if clock is not None:
            self._line("if turn() & seldom:")
            self._put(depth=2)
            self._line("done()", depth=2)
            self._line(f"return {result}", depth=2)
        self._put(depth=1, timed=clock is not None)
        self._line(f"return {result}")

    def _put(self, depth: int, timed: bool = False) -> None:
        """All of the work, from one line to the next."""
        times = ["t0"]
        if timed:
            self._line("t0 = now()", depth)
        for line, work, is_work in self._steps:
            self._line(line, depth)
            if work is not None:
                self.work[len(self.lines)] = work
            if timed and is_work:
                times.append(f"t{len(times)}")
                self._line(f"{times[-1]} = now()", depth)
        if timed:
            self._line(f"note(({', '.join(times)},))", depth)

    def _write(self, item: Instruction) -> None:
        work = item if isinstance(item, Call | Map | Branch | Move | Arrive) else None
        self._steps.append((self._text(item), work, _is_work(item)))

    def _text(self, item: Instruction) -> str:
        match item:
            case Recv(slot):
                return f"v{slot} = frame[{slot}].pop()"
            case Send(slot, readers):
                return f"frame[{slot}] = [v{slot}]" + (f" * {readers}" if readers > 1 else "")
            case Free(slots):
                return f"del {', '.join(f'v{slot}' for slot in slots)}"
            case Call():
                return self._call(item)
            case Move(path, source, target):
                return f"v{target} = {self._name('m', path, self._binding.move(item))}(v{source})"
            case Arrive(_, source, target):
                return f"v{target} = v{source}.value()"
            case Map(path, _, _, items, closure, output):
                name = self._name("n", path, self._binding.map(item, self._pieces(item)))
                return f"v{output} = {name}({self._trees((items, *closure))})"
            case Branch(path, test, then, otherwise, closure, outputs):
                yes = self._name("n", f"{path}_then", self._book.function(then))
                no = self._name("n", f"{path}_otherwise", self._book.function(otherwise))
                taken = self._trees(closure)
                targets = ", ".join(f"v{slot}" for slot in outputs)
                return f"{targets} = {yes}({taken}) if {self._tree(test)} else {no}({taken})"

    def _pieces(self, item: Map) -> list[Function]:
        blocks = [part.block for part in item.parts] if item.parts else [item.body]
        return [self._book.function(block) for block in blocks]

    def _call(self, call: Call) -> str:
        run, gate = self._binding.run(call)
        name = self._name("n", call.path, run)
        self.calls.append((name, call.path))
        targets = "".join(f"v{slot}, " for slot in call.outputs).rstrip()
        assignment = f"{targets} = " if targets else ""
        held = f"with {self._name('g', call.path, gate)}: " if gate is not None else ""
        return f"{held}{assignment}{name}({self._trees(call.args, call)})"

    def _line(self, text: str, depth: int = 1) -> None:
        self.lines.append("    " * depth + text)

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


def _failure(item: Work, names: Mapping[str, Any]) -> Failure:
    if not isinstance(item, Call):
        return Failure(item.path)
    slots = {slot: names[f"v{slot}"] for arg in item.args for slot in slots_of(arg)}
    return Failure(item.path, item, tuple(evaluate(arg, slots) for arg in item.args))


def _is_work(item: Instruction) -> TypeGuard[Work]:
    """Whether something is to be timed here; what is lazy or early is done later or elsewhere, and counted there."""
    if isinstance(item, Call | Map):
        return not item.lazy
    return isinstance(item, Branch | Arrive) or (isinstance(item, Move) and not item.early)


def label(item: Work) -> str:
    """What a span is called."""
    if isinstance(item, Move | Arrive):
        copy = f"{item.path or 'input'} {item.source_space} -> {item.target_space}"
        return f"{copy} awaited" if isinstance(item, Arrive) else copy
    return item.path
