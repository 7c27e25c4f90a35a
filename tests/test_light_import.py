"""`import hetero` is light: NumPy and the standard library, and hardly any time."""

from __future__ import annotations

import json
import subprocess
import sys

MOST_MILLISECONDS = 150.0
FACE = "import hetero as ht; ht.node; ht.pipeline; ht.Limits; ht.Machine; ht.HeteroError"


def in_a_fresh_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that the code loads, those of the standard library left out."""
    found = in_a_fresh_process(
        f"import sys; before = set(sys.modules); {code}; import json\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    top = {name.partition(".")[0] for name in json.loads(found)}
    # The build's settings are a module of the standard library whose name depends on the platform.
    return {
        name for name in top if name not in sys.stdlib_module_names and not name.startswith("_sysconfigdata")
    }


def test_importing_loads_numpy_and_the_standard_library_only() -> None:
    """Nothing else is loaded by the import, nor by defining nodes and pipelines."""
    assert loaded_by("import hetero") <= {"hetero", "numpy"}
    assert loaded_by(FACE) <= {"hetero", "numpy"}


def test_listing_devices_imports_no_engine() -> None:
    """Facts about devices are had without loading what they run on."""
    heavy = {"torch", "onnxruntime", "openvino", "qiskit", "qiskit_aer", "onnx", "ray", "transformers"}
    assert not loaded_by("import hetero; hetero.devices()") & heavy


def test_scheduling_a_file_imports_no_engine() -> None:
    """The command line and the scheduler know nothing of models."""
    heavy = {"torch", "onnxruntime", "openvino", "qiskit", "onnx", "ray", "transformers", "plotly"}
    assert not loaded_by("import hetero.cli, hetero.schedule.command") & heavy


def test_importing_takes_less_than_150_milliseconds() -> None:
    """NumPy included; the best of a few processes, since a busy machine can only make it slower."""
    code = "import time; t = time.perf_counter(); import hetero; print((time.perf_counter() - t) * 1e3)"
    milliseconds: list[float] = []
    while len(milliseconds) < 20 and min(milliseconds, default=MOST_MILLISECONDS) >= MOST_MILLISECONDS:
        milliseconds.append(float(in_a_fresh_process(code)))
    assert min(milliseconds) < MOST_MILLISECONDS
