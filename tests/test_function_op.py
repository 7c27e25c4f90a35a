"""A Python function's content hash: what changes it, and what does not."""

from __future__ import annotations

import functools
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hetero as ht
from hetero.errors import NodeError
from hetero.ops.function import FunctionOp

BASE = """
import functools
import numpy as np
import helpers

FACTOR = 2
TABLE = {"a": [1, 2], "b": {3, 4}}
WEIGHTS = np.arange(4.0)

class Shape:
    SIDES = 4
    def area(self, a): return a * a

class Scaler:
    def __init__(self, by): self.by = by
    def __call__(self, x): return x * self.by

def helper(x):
    return x + 1

def make(closed):
    def node(x, bias=1, *, scale=1.0):
        if x in {"red", "green", "blue", ("a", "b")}:
            return None
        shape = Shape()
        values = [helper(v) * FACTOR for v in (x, closed)]
        return shape.area(sum(values)) * scale + bias + WEIGHTS.sum() + TABLE["a"][0] + helpers.shift(x)
    return node

node = make(5)
power = functools.partial(helper, x=2)
call = Scaler(3)
"""
HELPERS = "def shift(x):\n    return x - 1\n"


def digest(source: str, name: str = "node", file: str = "<memory>", helpers: str = HELPERS) -> str:
    """The hash of one function of a module that stands nowhere."""
    before = sys.modules.get("helpers")
    sys.modules["helpers"] = module = types.ModuleType("helpers")
    module.__file__ = "/somewhere/helpers.py"
    exec(compile(helpers, module.__file__, "exec", dont_inherit=True), module.__dict__)
    try:
        scope: dict[str, Any] = {"__name__": "somewhere"}
        exec(compile(textwrap.dedent(source), file, "exec", dont_inherit=True), scope)
        return FunctionOp(scope[name]).digest
    finally:
        if before is None:
            del sys.modules["helpers"]
        else:
            sys.modules["helpers"] = before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* scale + bias", "* scale - bias"),
        ("bias=1", "bias=2"),
        ("scale=1.0", "scale=1.5"),
        ("make(5)", "make(6)"),
        ("return x + 1", "return x + 2"),
        ("FACTOR = 2", "FACTOR = 3"),
        ('"a": [1, 2]', '"a": [1, 3]'),
        ("{3, 4}", "{3, 5}"),
        ("np.arange(4.0)", "np.arange(5.0)"),
        ("a * a", "a * a * a"),
        ("SIDES = 4", "SIDES = 5"),
        ('"green"', '"grey"'),
        ("(x, closed)", "(closed, x)"),
    ],
)
def test_what_a_function_computes_is_part_of_its_hash(old: str, new: str) -> None:
    """Its body, defaults, closure, constants, helpers, the classes and global values that it uses: each counts."""
    assert old in BASE
    assert digest(BASE.replace(old, new)) != digest(BASE)


def test_functions_of_a_module_of_the_users_are_part_of_the_hash() -> None:
    """`helpers.shift(x)` counts as `shift(x)` would."""
    assert digest(BASE, helpers=HELPERS.replace("- 1", "- 2")) != digest(BASE)
    assert digest(BASE, helpers=HELPERS + "\ndef unused(): pass\n") == digest(BASE)


@pytest.mark.parametrize(
    ("name", "old", "new"), [("power", "x=2", "x=3"), ("call", "Scaler(3)", "Scaler(4)")]
)
def test_partials_and_callable_objects_differ_by_what_they_hold(name: str, old: str, new: str) -> None:
    """Two partials or two objects of one class are two ops when they hold different values."""
    assert digest(BASE, name) == digest(BASE, name)
    assert digest(BASE.replace(old, new), name) != digest(BASE, name)


def test_built_ins_and_ufuncs_differ_by_name() -> None:
    """`np.sin` and `np.cos` are not one op."""
    functions = [
        np.sin,
        np.cos,
        len,
        abs,
        functools.partial(pow, 2),
        functools.partial(pow, 3),
        [1].append,
        [2].append,
    ]
    assert len({FunctionOp(f).digest for f in functions}) == len(functions)


def test_tensors_in_a_closure_count_by_their_values() -> None:
    """Arrays, and tensors of other libraries, count by content."""
    torch = pytest.importorskip("torch")

    def made(value: Any) -> str:
        return FunctionOp(lambda x: x + value).digest

    assert made(np.ones(3)) == made(np.ones(3)) != made(np.zeros(3))
    assert made(torch.ones(3)) == made(torch.ones(3)) != made(torch.zeros(3))


def test_the_place_of_the_source_is_not_part_of_the_hash() -> None:
    """Neither the file's name nor the line, nor comments."""
    assert digest("\n\n# moved down\n" + BASE, file="/elsewhere/other.py") == digest(BASE)


def test_what_the_function_does_not_use_is_not_part_of_the_hash() -> None:
    """Another global, or another function beside it, changes nothing."""
    assert digest(BASE + "\nOTHER = 1\ndef unrelated(): return OTHER\n") == digest(BASE)


def test_code_that_refers_to_itself_has_a_hash() -> None:
    """Recursive functions, objects in a cycle and lists that contain themselves do not loop."""
    loop: list[Any] = [1]
    loop.append(loop)

    class Link:
        other: Any = None

    first, second = Link(), Link()
    first.other, second.other = second, first

    def even(n: int) -> Any:
        return (loop, first) if n == 0 else odd(n - 1)

    def odd(n: int) -> Any:
        return even(n - 1)

    assert FunctionOp(even).digest == FunctionOp(even).digest


def test_an_object_without_state_does_not_stop_the_hash() -> None:
    """A lock or an open connection in a closure is known by its type."""
    lock = threading.Lock()

    class Holder:
        def __init__(self) -> None:
            self.lock, self.value = lock, 1

    holder = Holder()

    def guarded(x: Any) -> Any:
        with lock:
            return x, holder

    before = FunctionOp(guarded).digest
    holder.value = 2
    assert FunctionOp(guarded).digest != before


@pytest.mark.parametrize("name", ["node", "power", "call"])
def test_the_hash_is_the_same_in_every_process(name: str, tmp_path: Path) -> None:
    """Whatever the seed of Python's string hashes is, and however the module was loaded."""
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "mine.py").write_text(BASE)
    script = f"import mine; from hetero.ops.function import FunctionOp; print(FunctionOp(mine.{name}).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path), "PATH": ""},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(digests) == 1


def test_the_number_and_names_of_inputs_are_part_of_the_hash() -> None:
    """Two functions of one body with other parameters are two ops."""
    assert FunctionOp(lambda a, b: 1).digest != FunctionOp(lambda a: 1).digest
    assert FunctionOp(lambda a: 1).digest != FunctionOp(lambda b: 1).digest
    assert FunctionOp(lambda a: 1, outputs=2).digest != FunctionOp(lambda a: 1).digest


@pytest.mark.parametrize("result", [1, (1,), (1, 2, 3), "ab", None])
def test_another_number_of_outputs_than_declared_is_an_error(result: Any) -> None:
    """It names the node, what was returned and what was declared."""
    with pytest.raises(NodeError, match=r"node 'pair' failed: returned .* declares 2 outputs"):
        FunctionOp(lambda: result, name="pair", outputs=2).load()()


def test_side_effects_are_declared() -> None:
    """`retry=False` marks a node that must not be run twice."""
    assert ht.node(retry=False)(lambda x: x).op.effects == "once"
    assert ht.node(lambda x: x).op.effects == "pure"


def test_the_package_that_the_node_is_in_is_followed_though_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pipeline may be somebody's package in site-packages: its own helpers count, those of others by version."""

    def made(step: int, version: str, own: int = 1) -> str:
        for name in ("mine", "other"):
            module: Any = types.ModuleType(name)
            module.__file__, module.__version__ = f"/site-packages/{name}.py", version
            monkeypatch.setitem(sys.modules, name, module)
        other, mine = sys.modules["other"], sys.modules["mine"]
        exec(compile(f"def far(x): return x + {step}", "/site-packages/other.py", "exec"), other.__dict__)
        source = f"from other import far\ndef near(x): return x + {own}\ndef node(x): return near(x) + far(x)"
        exec(compile(source, "/site-packages/mine.py", "exec"), mine.__dict__)
        return FunctionOp(mine.__dict__["node"]).digest

    monkeypatch.setattr("hetero.ops.code.is_library", lambda file: file.startswith("/site-packages"))
    assert made(1, "1.0") == made(2, "1.0")
    assert made(1, "1.0") != made(1, "2.0")
    assert made(1, "1.0") != made(1, "1.0", own=2)
