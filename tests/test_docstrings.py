"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import hetero
import hetero.backends
import hetero.graphs


def with_examples() -> Iterator[str]:
    """The modules that have any; read from their text, since importing them all would load every engine."""
    for package in (hetero, hetero.backends, hetero.graphs):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            spec = importlib.util.find_spec(found.name)
            assert spec is not None
            assert spec.origin is not None
            if ">>> " in Path(spec.origin).read_text("utf-8"):
                yield found.name


@pytest.mark.parametrize("name", sorted(with_examples()))
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    """Each runs, and prints what stands below it."""
    done = doctest.testmod(importlib.import_module(name), report=False)
    assert done.attempted > 0
    assert done.failed == 0
