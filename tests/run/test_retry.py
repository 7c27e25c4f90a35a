"""Who is to blame for a failed run, and whether there is another one."""

import pickle

import pytest
from plans_by_hand import plan_of

import hetero as ht
from hetero.errors import DeviceError, NodeError, UnavailableError, WorkerError
from hetero.run.compile import compile_program
from hetero.run.health import NO_STRIKES, after_failure
from hetero.run.retry import ATTEMPTS, blame, device_failure, device_of, may_retry

PURE = compile_program(plan_of(ht.pipeline(lambda x: ht.node(abs, name="size")(x)).trace()))
ONCE = compile_program(plan_of(ht.pipeline(lambda x: ht.node(retry=False, name="pay")(abs)(x)).trace()))


def early():
    error = WorkerError("killed while it started")
    error.starting = True
    return error


def of_node(cause):
    error = NodeError("size", "it failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("cause", [WorkerError("killed"), DeviceError("a bit flipped"), early()])
def test_what_a_device_did_is_tried_again_a_few_times(cause):
    """Never where a node must run once, and never for ever."""
    error = of_node(cause)
    assert device_failure(error) is cause
    assert may_retry(PURE, error, blame(error))
    assert not may_retry(PURE, error, ATTEMPTS)
    assert not may_retry(ONCE, error, blame(error))


@pytest.mark.parametrize("cause", [ValueError("bad input"), MemoryError(), UnavailableError("no driver")])
def test_what_a_node_raised_is_not_tried_again(cause):
    """It would raise again; so would what is not there."""
    assert not may_retry(PURE, of_node(cause), 1.0)


def test_a_process_that_died_while_it_started_says_little_about_a_request():
    """Several such deaths count as one run, also after the error has crossed a process boundary."""
    assert blame(of_node(WorkerError("killed"))) == 1.0
    assert 0 < blame(of_node(early())) < 0.5
    assert pickle.loads(pickle.dumps(early())).starting


def test_an_error_leads_to_its_device():
    """By the node that it names; the error of no node leads nowhere."""
    assert device_of(PURE, of_node(WorkerError("killed"))) == "cpu/python"
    assert device_of(PURE, WorkerError("killed")) is None


def test_strikes_are_of_requests_in_a_row():
    """A call that succeeds in between begins a new row."""
    strikes = NO_STRIKES
    for calls, number in ((0, 1), (0, 2), (5, 1), (5, 2), (5, 3)):
        strikes = after_failure(strikes, calls)
        assert strikes.number == number
