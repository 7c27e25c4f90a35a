"""Waiting for what another thread will do."""

from __future__ import annotations

import time


def until(true, seconds=30.0):
    """Wait until something is true; how long that takes is not the test's business."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.005)
