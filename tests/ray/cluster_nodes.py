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
