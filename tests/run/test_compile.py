"""Plans as instructions."""

from plans_by_hand import info, machine, plan_of

import hetero as ht
from hetero.run.compile import compile_program
from hetero.run.program import Free, Move, Recv, Send


@ht.node
def double(x):
    return 2 * x


@ht.node
def add(x, y):
    return x + y


@ht.pipeline
def diamond(x):
    a = double(x)
    return add(double(a), add(a, 1))


PARALLEL = {"double": (0, 1), "double#2": (1, 2), "add": (1, 2), "add#2": (2, 3)}


def test_a_chain_is_one_straight_block_and_one_stage():
    """A plan whose tasks do not overlap runs in one thread without a hand-over."""
    program = compile_program(plan_of(diamond.trace()))
    assert program.straight is not None
    assert len(program.stages) == 1


def test_parallel_tasks_are_cut_where_lanes_meet():
    """Stages start where something is received and end where something is sent."""
    program = compile_program(plan_of(diamond.trace(), times=PARALLEL))
    assert program.straight is None
    assert len(program.stages) == 4
    assert {stage.lane.index for stage in program.stages} == {0, 1}
    assert program.stages[-1].waits_for == (1, 2)


def test_every_value_is_received_as_often_as_it_is_sent_to():
    """The readers that a send counts are exactly the stages that receive the slot."""
    program = compile_program(plan_of(diamond.trace(), times=PARALLEL))
    received = [i.slot for s in program.stages for i in s.block.body if isinstance(i, Recv)]
    received += [i.slot for i in program.finish.body if isinstance(i, Recv)]
    sent = dict(zip(program.inputs, program.input_readers, strict=True))
    sent |= {i.slot: i.readers for s in program.stages for i in s.block.body if isinstance(i, Send)}
    assert {slot: received.count(slot) for slot in received} == sent


def test_values_are_freed_after_their_last_use():
    """Nothing but the result is left when a block ends."""
    program = compile_program(plan_of(diamond.trace()))
    freed = [slot for i in program.straight.body if isinstance(i, Free) for slot in i.slots]
    assert sorted(freed) == sorted(set(range(program.slots)) - {program.straight.result.slot})


def test_one_op_used_twice_is_built_once():
    """Two nodes of equal content and variant share an executable, and its weights."""
    program = compile_program(plan_of(diamond.trace()))
    assert [build.paths for build in program.builds] == [("double", "double#2"), ("add", "add#2")]


def test_a_value_is_moved_once_into_each_space_and_only_where_spaces_differ():
    """Two consumers of one foreign space share one copy; a chain inside a space has none."""

    @ht.pipeline
    def chain(x):
        a = double(x)
        b = double(a)
        return add(add(b, a), a)

    foreign = info("far", processor="gpu0", memory_space="gpu0")
    there = dict.fromkeys(["double#2", "add"], "gpu0/far")
    program = compile_program(plan_of(chain.trace(), devices=there, on=machine(info("python"), foreign)))
    moves = [(i.path, i.source_space, i.target_space) for i in program.straight.body if isinstance(i, Move)]
    assert moves == [("double", "host", "gpu0"), ("add", "gpu0", "host")]


def test_the_program_reads_as_text():
    """A person sees calls, maps, sends and frees, a line each."""

    @ht.pipeline
    def several(xs, flag):
        ys = ht.map(lambda x: add(double(x), flag), xs)
        return ht.branch(flag, lambda: add(ys, ys), lambda: ys)

    text = str(compile_program(plan_of(several.trace(), lanes={"map": 2})))
    for word in ("map map#1 lanes=", "branch", "then", "otherwise", "free", "return"):
        assert word in text
