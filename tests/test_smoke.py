"""Runs first, and on the installed wheel too: the package is whole and does its main thing."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import hetero as ht

NEEDS_AN_EXTRA = ("hetero.backends.", "hetero.graphs.", "hetero.run.ray_", "hetero.quantum")
"""Modules that a core installation need not be able to import."""


def test_the_tested_package_is_the_one_that_was_installed() -> None:
    """In the wheel's environment `hetero` comes from there, not from a checkout."""
    installed = os.environ.get("HETERO_SMOKE_INSTALLED")
    if installed is None:
        pytest.skip("only on an installed wheel")
    for module in ("hetero", "hetero.backends", "hetero.graphs"):
        file = importlib.import_module(module).__file__
        assert file is not None
        assert Path(file).is_relative_to(installed)


def test_every_name_of_the_face_is_there() -> None:
    """Each public name resolves, so every room that it comes from is in the package."""
    for name in ht.__all__:
        assert getattr(ht, name) is not None, name


def test_every_module_can_be_imported() -> None:
    """No module of the core is missing a file or a dependency."""
    names = [
        found.name
        for found in pkgutil.walk_packages(ht.__path__, "hetero.")
        if not found.name.endswith("__main__") and not found.name.startswith(NEEDS_AN_EXTRA)
    ]
    assert len(names) > 50
    for name in names:
        importlib.import_module(name)


def test_a_pipeline_is_planned_and_run() -> None:
    """Two Python nodes: the plan's answer is the function's own, and the bound is below the makespan."""

    @ht.node
    def double(x: int) -> int:
        return 2 * x

    @ht.node
    def add(x: int, y: int) -> int:
        return x + y

    @ht.pipeline
    def pipeline(x: int) -> int:
        return add(double(x), x)

    with ht.plan(pipeline, 1) as plan:
        assert plan(14) == 42
        assert plan.schedule.lower_bound_s <= plan.schedule.makespan_s
        assert "double" in plan.explain()


def test_the_command_line_starts() -> None:
    """`python -m hetero devices` lists the device that is always there."""
    done = subprocess.run(
        [sys.executable, "-m", "hetero", "devices"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "cpu/python" in done.stdout
