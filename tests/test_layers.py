"""Imports point one way, and a new device touches no file of hetero's: read from the source."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hetero.registry

HETERO = Path(hetero.__file__).parent
BACKENDS = Path(hetero.registry.__file__).parent.parent / "backends"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("files", "containers", "arguments", "user_code", "events", "latch", "admission"),
    ("values",),
    ("ops.base", "graph", "traced"),
    ("ops", "show"),
    ("graph_files", "limits"),
    ("machine",),
    ("device", "wire"),
    ("isolation", "worker_process", "pool", "blas_threads"),
    ("cost", "detect", "schedule", "rewrite"),
    ("registry",),
    ("conformance",),
    ("planning.selection", "planning.evidence"),
    ("plans",),
    ("planning",),
    ("recording",),
    ("callee",),
    ("cascades", "tracing", "explain", "constraint_costs", "bill"),
    ("plan_files",),
    ("progress_bar",),
    ("planner", "uniform"),
    ("run",),
    ("report", "quantum"),
    ("commands", "demo", "cli", "__main__"),
)
"""From the ground up. A module may import at its top what stands below it or beside it; a longer name counts first."""


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, ast.Module]:
    return {
        module_name(path, HETERO): ast.parse(path.read_text("utf-8"))
        for path in sorted(HETERO.rglob("*.py"))
        if path != HETERO / "__init__.py"  # the doors: the declared exception
        and not path.relative_to(HETERO).parts[0].startswith(("backends", "graphs"))
    }


def level(name: str) -> int:
    """The layer of a module: of its own name, else of the package that it is in."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        for number, layer in enumerate(LAYERS):
            if ".".join(parts[:length]) in layer:
                return number
    raise AssertionError(
        f"hetero.{name} is in no layer: say in LAYERS of {Path(__file__).name} where it stands"
    )


def is_typing_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(body: list[ast.stmt]) -> Iterator[str]:
    """What a module imports when it is loaded: imports inside functions and for typing are doors, not floors."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Try | ast.With) or (isinstance(node, ast.If) and not is_typing_only(node)):
            yield from imported(
                [child for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node]
            )


def inside_hetero(names: Iterator[str], known: dict[str, ast.Module]) -> set[str]:
    return {
        name.removeprefix("hetero.") for name in names if name.startswith("hetero.") and name[7:] in known
    }


def test_every_module_has_a_layer() -> None:
    """A new module says where it stands."""
    for name in modules():
        level(name)


def test_imports_point_down() -> None:
    """No module imports, when it is loaded, one that stands above it."""
    known = modules()
    wrong = [
        f"{name} imports {other}"
        for name, tree in known.items()
        for other in inside_hetero(imported(tree.body), known)
        if level(other) > level(name)
    ]
    assert not wrong, wrong


def test_there_is_no_cycle_of_imports() -> None:
    """Modules beside each other do not import each other in a circle."""
    known = modules()
    below = {name: inside_hetero(imported(tree.body), known) - {name} for name, tree in known.items()}
    while below:
        free = [name for name, others in below.items() if not others & below.keys()]
        assert free, f"a cycle among: {sorted(below)}"
        for name in free:
            del below[name]


def test_nothing_in_hetero_imports_a_backend_or_a_ready_pipeline() -> None:
    """They are found by their dotted paths; the command line and the demo are what name ready pipelines."""
    for name, tree in modules().items():
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for other in names:
                assert not other.startswith("hetero.backends"), f"{name} imports {other}"
                if not name.startswith(("commands", "cli", "demo")):
                    assert not other.startswith("hetero.graphs"), f"{name} imports {other}"


def test_backends_are_named_in_the_registry_only() -> None:
    """The dotted path of a device family stands in one file of hetero's."""
    holders = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "hetero.backends." in node.value
    }
    assert holders == {"registry"}


def test_every_built_in_family_has_its_file() -> None:
    """Each row of the registry leads to a file under backends/ with the two functions of a backend."""
    for row in hetero.registry.rows():
        if row.path.startswith("hetero.backends."):
            tree = ast.parse((BACKENDS / f"{row.path.rpartition('.')[2]}.py").read_text("utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert {"probe", "open_device"} <= functions, row.path


@pytest.mark.parametrize("path", sorted(BACKENDS.glob("*.py")), ids=lambda p: p.stem)
def test_a_backend_imports_little(path: Path) -> None:
    """The device interface, errors, machine, values, ops and its own helpers: not the planner, not the runtime."""
    allowed = ("backends", "device", "errors", "machine", "values", "ops", "graph", "files", "containers")
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hetero."):
            assert node.module.split(".")[1] in allowed, f"{path.stem} imports {node.module}"


def test_the_core_imports_no_engine_when_it_is_loaded() -> None:
    """Every module of hetero's loads with the packages of the core installation only."""
    core = {
        "numpy",
        "networkx",
        "scipy",
        "ortools",
        "numba",
        "llvmlite",
        "cloudpickle",
        "msgspec",
        "rich",
        "typer",
        "click",
    }
    own = ("quantum", "run.ray_", "ops.pauli", "ops.circuit")
    for name, tree in modules().items():
        if name.startswith(own):
            continue
        for other in imported(tree.body):
            top = other.partition(".")[0]
            assert top in core | {"hetero"} | set(sys.stdlib_module_names), f"{name} imports {other}"
