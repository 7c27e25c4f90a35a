"""Nodes that the tests run on the cluster; Ray's processes import this module by name."""

import os
import signal
from pathlib import Path

import hetero as ht


@ht.node
def double(x):
    return 2 * x


@ht.node
def add(x, y):
    return x + y


@ht.node
def process(x):
    return os.getpid()


@ht.node
def in_place(x):
    x += 1
    return x


@ht.node
def invert(x):
    return 1 / x  # the user's line


@ht.node
def fragile(x, marker):
    """Kills its process the first time."""
    path = Path(marker)
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x + 1


@ht.node
def node_id(x):
    """Nothing where it is tried out on the driver, which need not be on the cluster yet."""
    import ray

    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""


@ht.node
def slow_on(x, slow):
    """Takes ten times as long on the node ``slow``."""
    import time

    import ray

    here = ray.get_runtime_context().get_node_id()
    time.sleep(0.05 if here == slow else 0.005)
    return here


@ht.node
def affinity(x):
    return sorted(os.sched_getaffinity(0))


@ht.node
def total(x):
    return float(x.sum())
