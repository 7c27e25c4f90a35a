"""What a command works on: a ready pipeline by its name, or a person's own as ``FILE.py:PIPELINE``."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hetero.errors import ArgumentError, UnknownNameError

if TYPE_CHECKING:
    from hetero.plans import Plan
    from hetero.tracing import Callee, Pipeline

__all__ = ["Target", "target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A pipeline with what it is tried on and how its results are shown."""

    name: str
    pipeline: Pipeline | Callee
    sample: Callable[[], tuple[Any, ...]]
    inputs: Callable[[str], list[tuple[Any, ...]]]
    show: Callable[[Any], str]
    suffixes: tuple[str, ...] = ()
    """How the files end that it takes from a folder; empty where only the pipeline's own code knows."""

    def calls(self, path: str | None) -> list[tuple[Any, ...]]:
        """The arguments of one call for each input at ``path``, or of the one call on the sample.

        Raises:
            ArgumentError: the input cannot be read.
        """
        if path is None:
            return [self.sample()]
        try:
            found = self.inputs(path)
        except OSError as error:
            said = f"{error.filename}: {error.strerror}" if error.strerror else str(error)
            raise ArgumentError(f"{self.name}: {said}") from error
        except ValueError as error:
            name = Path(path).name  # empty of a path like "."
            said = str(error) if name and name in str(error) else f"{path}: {error}"
            raise ArgumentError(f"{self.name}: {said}") from error
        if not found:
            raise ArgumentError(f"{self.name}: {path} holds no input")
        return found

    def plan(self, calls: list[tuple[Any, ...]], **options: Any) -> Plan:
        """A plan made on the first call, with the others as more samples."""
        import hetero as ht

        calibrate = [ht.args(*call) for call in calls[1:CALIBRATED]]
        return ht.plan(self.pipeline, *calls[0], calibrate=calibrate, **options)


CALIBRATED = 8
"""Inputs that a plan is made on at most: a folder may hold thousands."""


def target(name: str) -> Target:
    """The target that a word of the command line names.

    Raises:
        UnknownNameError: no ready pipeline, or nothing in the file, has this name.
        ArgumentError: the file cannot be imported.
    """
    from hetero.progress_bar import under_way

    file, colon, attribute = name.rpartition(":")
    if colon and file.endswith(".py"):
        with under_way(f"loading {file}"):
            return _own(Path(file), attribute)
    if name.endswith(".py"):
        raise ArgumentError(f"{name}: which pipeline of it? write {name}:PIPELINE")
    from hetero.graphs.catalog import NAMES, ready

    if name not in NAMES:
        raise UnknownNameError("pipeline", name, [*NAMES, "FILE.py:PIPELINE of your own"])
    face = ready(name)
    with under_way(f"loading {name}"):
        pipeline = face.build()
    return Target(name, pipeline, face.sample, _listing(face.inputs), face.show, face.SUFFIXES)


def _own(file: Path, attribute: str) -> Target:
    """A pipeline of a person's file. The file may have the functions of a ready pipeline, ``sample()``,
    ``inputs(path)`` and ``show(result)``, beside it."""
    from hetero.tracing import Callee, Pipeline

    module = _import_file(file)
    found = {key: value for key, value in vars(module).items() if isinstance(value, Pipeline | Callee)}
    if attribute not in found:
        raise UnknownNameError(f"pipeline of {file}", attribute, found)

    def no_sample() -> tuple[Any, ...]:
        raise ArgumentError(
            f"{file} has no function sample() that gives the pipeline's arguments; write one, or name an input file"
        )

    return Target(
        attribute,
        found[attribute],
        getattr(module, "sample", no_sample),
        _listing(getattr(module, "inputs", _read_input)),
        getattr(module, "show", str),
    )


def _listing(inputs: Callable[[str], Any]) -> Callable[[str], list[tuple[Any, ...]]]:
    return lambda path: list(inputs(path))


def _import_file(file: Path) -> ModuleType:
    """The file as a module of its own name, its folder on the path as if it had been started from there."""
    if not file.is_file():
        raise ArgumentError(f"{file}: there is no such file")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None, "a .py file always has an import specification"
    assert spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except SystemExit as error:  # else it would end this command, with a status of its own
        raise ArgumentError(
            f"{file} cannot be imported: it ends the program; what a script does belongs under "
            '`if __name__ == "__main__":`'
        ) from error
    except Exception as error:  # whatever the file does wrong is for its author to read
        raise ArgumentError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    import cloudpickle

    # A worker process cannot import the file by its stem, so its functions travel whole.
    cloudpickle.register_pickle_by_value(module)
    return module


def _read_input(path: str) -> list[tuple[Any, ...]]:
    """One call from a file: ``.npy`` is its one array, ``.json`` a list of its arguments."""
    import numpy as np

    if path.endswith(".npy"):
        return [(np.load(path, allow_pickle=False),)]
    if path.endswith(".json"):
        try:
            arguments = json.loads(Path(path).read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        return [tuple(arguments) if isinstance(arguments, list) else (arguments,)]
    raise ValueError("expected a .npy or .json file; the pipeline's file may define inputs(path) for others")
