"""``compile_program(plan) -> Program``: a pure function from a plan to instructions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hetero.graph import INPUT, Arg, Const, Graph, Node, Ref
from hetero.ops.branch import BranchOp
from hetero.ops.map import MapOp
from hetero.plans import CONTROL, Choice, Plan
from hetero.rewrite.batch import Batching, alone, batch_of
from hetero.run.lanes import Interval, overlapping, seat, topological_by_start
from hetero.run.liveness import with_frees
from hetero.run.parts import cut_at_batches
from hetero.run.prefetch import Prefetch
from hetero.run.program import (
    Arrive,
    Block,
    Branch,
    Build,
    Call,
    Gather,
    Instruction,
    Map,
    Move,
    Part,
    Program,
    Slot,
    Take,
    Tree,
    slots_of,
)
from hetero.run.sites import HOST_SPACE, is_host
from hetero.run.stages import Step, cut
from hetero.run.watchdog import patience_s, predicted_seconds, request_seconds

__all__ = ["compile_program"]


def compile_program(plan: Plan) -> Program:
    """The plan as instructions: slots instead of names, explicit moves, stages on lanes, values freed at last use."""
    intervals = topological_by_start(_intervals(plan))
    seats = seat(intervals)
    builds = _Builds(plan)
    prefetch = Prefetch(plan, intervals, seats)
    writer = _Writer(builds, plan.graph, plan.graph.name, prefix="", prefetch=prefetch)
    for interval in intervals:
        writer.add(plan.graph[interval.name])
    output = writer.output()
    steps = [
        Step(
            interval.name,
            seats[interval.name],
            interval.cores,
            tuple(writer.written[interval.name]),
            plan.micro_batches.get(interval.name),
        )
        for interval in intervals
    ]
    stages, finish, readers = cut(plan.graph.name, steps, writer.inputs, output)
    return Program(
        name=plan.graph.name,
        inputs=writer.inputs,
        input_readers=tuple(readers.get(slot, 0) for slot in writer.inputs),
        builds=builds.finished(),
        # Requests that are to meet at a node cannot run in their callers' threads.
        straight=None if overlapping(intervals) or plan.micro_batches else writer.block(output),
        stages=stages,
        finish=finish,
        slots=builds.slots,
        predicted_s=request_seconds(plan),
    )


def _intervals(plan: Plan) -> Iterable[Interval]:
    options = {task.name: task.options for task in plan.problem.tasks}
    times = {placement.name: placement for placement in plan.schedule.tasks}
    for node in plan.graph:
        placement = times[node.name]
        option = options[node.name][placement.option]
        # The problem's rule: a task of zero seconds holds no cores.
        cores = option.cores if placement.end_s > placement.start_s else 0
        yield Interval(node.name, option.processor, cores, placement.start_s, placement.end_s, node.parents)


class _Builds:
    """What the program needs compiled, each once however often it is called; and the numbering of slots."""

    def __init__(self, plan: Plan) -> None:
        self.choices: Mapping[str, Choice] = plan.choices
        self.slots = 0
        self._call_s = predicted_seconds(plan)
        self._spaces = {
            device.name: HOST_SPACE if is_host(device.memory_space) else device.memory_space
            for device in plan.machine.devices
        }
        self._index: dict[tuple[object, ...], int] = {}
        self._found: list[Build] = []
        self._paths: list[list[str]] = []

    def slot(self) -> Slot:
        self.slots += 1
        return self.slots - 1

    def space(self, path: str) -> str:
        """Where a node takes and leaves its values; maps and branches handle them on the host."""
        device = self.choices[path].device
        return HOST_SPACE if device == CONTROL else self._spaces[device]

    def executable(self, path: str, node: Node) -> int:
        choice = self.choices[path]
        variant = alone(choice.variant)
        # A function with side effects may keep a state of its own: only equal content and equal kind share.
        key = (choice.device, variant, node.op.kind, node.op.digest, node.op.effects)
        if key not in self._index:
            self._index[key] = len(self._found)
            self._found.append(Build(choice.device, node.op, variant, ()))
            self._paths.append([])
        self._paths[self._index[key]].append(path)
        return self._index[key]

    def finished(self) -> tuple[Build, ...]:
        return tuple(
            replace(build, paths=tuple(paths), patience_s=self._patience_s(paths))
            for build, paths in zip(self._found, self._paths, strict=True)
        )

    def _patience_s(self, paths: Sequence[str]) -> float | None:
        """The most patience that one of the callers has; what waits for others in a queue takes as long as it takes."""
        if any(self.choices[path].variant.charged_dollars is not None for path in paths):
            return None
        known = [self._call_s.get(path) for path in paths]
        seconds = [s for s in known if s is not None]
        return patience_s(max(seconds)) if len(seconds) == len(known) else None


@dataclass
class _Writer:
    """Writes the instructions of one graph, node by node; ``written`` has them under the node whose lane they take.

    ``prefetch`` says which copies are begun early; None inside of maps and branches, whose nodes have no times.
    """

    builds: _Builds
    graph: Graph
    name: str
    prefix: str
    prefetch: Prefetch | None = None
    written: dict[str, list[Instruction]] = field(default_factory=dict)
    inputs: tuple[Slot, ...] = ()
    _slots: dict[tuple[Ref, str], Slot] = field(default_factory=dict)
    _under_way: dict[tuple[Ref, str], Move] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inputs = tuple(self.builds.slot() for _ in self.graph.inputs)
        for i, slot in enumerate(self.inputs):
            self._slots[Ref(INPUT, i), HOST_SPACE] = slot

    def add(self, node: Node) -> None:
        path = self.prefix + node.name
        space = self.builds.space(path)
        own = self.written.setdefault(node.name, [])
        args = tuple(self._tree(arg, space, node.name) for arg in node.args)
        outputs = tuple(self.builds.slot() for _ in node.op.outputs)
        for i, slot in enumerate(outputs):
            self._slots[Ref(node.name, i), space] = slot
        own.append(self._instruction(node, path, args, outputs))

    def _instruction(
        self, node: Node, path: str, args: tuple[Tree, ...], outputs: tuple[Slot, ...]
    ) -> Instruction:
        choice = self.builds.choices[path]
        if choice.device != CONTROL:
            # What is charged for is not run again by itself, whatever it computes.
            effects = "once" if choice.variant.charged_dollars is not None else node.op.effects
            return Call(path, self.builds.executable(path, node), args, outputs, effects)
        if isinstance(node.op, MapOp):
            lanes = int(choice.variant.settings.get("lanes", 1))
            inner = self._written(node.op.item, path, "")
            result = inner.output()
            body = inner.block(result)
            return Map(path, body, lanes, args[0], args[1:], outputs[0], node.op.errors, inner.parts(result))
        assert isinstance(node.op, BranchOp), f"{path}: only maps and branches are run by the program itself"
        then = self._inner(node.op.then, path, "then")
        otherwise = self._inner(node.op.otherwise, path, "otherwise")
        return Branch(path, args[0], then, otherwise, args[1:], outputs)

    def _inner(self, graph: Graph, path: str, side: str) -> Block:
        """A graph inside a node: one straight block in topological order."""
        inner = self._written(graph, path, side)
        return inner.block(inner.output())

    def _written(self, graph: Graph, path: str, side: str) -> _Writer:
        prefix = f"{path}/{side}/" if side else f"{path}/"
        inner = _Writer(self.builds, graph, prefix.rstrip("/"), prefix)
        for node in graph:
            inner.add(node)
        return inner

    def parts(self, output: Tree) -> tuple[Part, ...]:
        """What was written, cut where a node takes several items; nothing where none does."""
        sizes = {
            node.name: batch_of(self.builds.choices[self.prefix + node.name].variant) for node in self.graph
        }
        batchings = {
            self.prefix + node.name: Batching.of(node.op, sizes[node.name])
            for node in self.graph
            if sizes[node.name] > 1
        }
        if not batchings:
            return ()
        body = [instruction for part in self.written.values() for instruction in part]
        return cut_at_batches(self.name, body, output, batchings, self.builds.slot)

    def output(self) -> Tree:
        """The graph's result, on the host."""
        return self._tree(self.graph.output, HOST_SPACE, next(reversed(self.written), ""), returned=True)

    def block(self, output: Tree) -> Block:
        """Everything written so far as one block."""
        body = [instruction for part in self.written.values() for instruction in part]
        return Block(self.name, self.inputs, with_frees(body, self.inputs, set(slots_of(output))), output)

    def _tree(self, arg: Arg, space: str, taker: str, *, returned: bool = False) -> Tree:
        """An argument of the node ``taker``, or what is ``returned`` to the caller after it."""
        if isinstance(arg, Ref):
            return Take(self._in_space(arg, space, taker, returned))
        if isinstance(arg, Const):
            return arg
        items = tuple(self._tree(item, space, taker, returned=returned) for item in arg.items)
        return Gather(arg.type, items, arg.keys)

    def _in_space(self, ref: Ref, space: str, taker: str, returned: bool) -> Slot:
        """The slot of a value in a memory space, with the moves that bring it there, each once.

        A move stands right after the node that makes the value, a value of the caller is moved by the node that takes
        it first; one that is begun early is waited for by each node that takes it.
        """
        if (ref, space) in self._slots:
            return self._slots[ref, space]
        home = next(s for (r, s) in self._slots if r == ref)
        if (ref, space) not in self._under_way:
            begin = self._begun_with(ref, taker, (home, space), returned)
            if begin is None:
                return self._moved(ref, (home, space), taker, returned)
            self._begin(ref, (home, space), begin)
        move = self._under_way[ref, space]
        slot = self.builds.slot()
        self.written[taker].append(Arrive(move.path, move.target, slot, home, space))
        return slot

    def _begun_with(self, ref: Ref, taker: str, spaces: tuple[str, str], returned: bool) -> str | None:
        if self.prefetch is None or HOST_SPACE not in spaces:
            return None
        return self.prefetch.begun_with(ref, taker, spaces, returned=returned)

    def _begin(self, ref: Ref, spaces: tuple[str, str], node: str) -> None:
        """Begin a copy: of a result when it is there, of an input before the node."""
        move = Move(self._source(ref), self._slots[ref, spaces[0]], self.builds.slot(), *spaces, early=True)
        self._under_way[ref, spaces[1]] = move
        place = self.written[node]
        place.insert(0 if ref.node == INPUT else len(place), move)

    def _moved(self, ref: Ref, spaces: tuple[str, str], taker: str, returned: bool) -> Slot:
        home, space = spaces
        source = self._slots[ref, home]
        place = self.written[taker if ref.node == INPUT else ref.node]
        if HOST_SPACE not in spaces:  # devices do not know each other: over the host
            source, home = self._in_space(ref, HOST_SPACE, taker, returned), HOST_SPACE
            if (ref, HOST_SPACE) in self._under_way:  # it arrives where it is taken
                place = self.written[taker]
        target = self._slots[ref, space] = self.builds.slot()
        place.append(Move(self._source(ref), source, target, home, space))
        return target

    def _source(self, ref: Ref) -> str:
        return "" if ref.node == INPUT else self.prefix + ref.node
