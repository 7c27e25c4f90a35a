"""WebGPU: what is said where there is no adapter, and real work on the software adapter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import software_gpu
from needs import needs
from onnx import helper
from onnx_models import model, projection

from hetero.backends import webgpu
from hetero.device import DeviceStatus
from hetero.machine import Processor

CPU = Processor("cpu", cores=2)


@pytest.fixture
def no_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a GPU, and with nothing remembered."""
    monkeypatch.setenv("HETERO_CACHE", str(tmp_path))
    monkeypatch.delenv(webgpu.SOFTWARE, raising=False)
    monkeypatch.setattr(webgpu, "_may_have_gpu", lambda: False)
    webgpu._adapter.cache_clear()


def asked(monkeypatch: pytest.MonkeyPatch, probe: str) -> DeviceStatus:
    """The status where a GPU may be there, and asking for it runs ``probe``."""
    monkeypatch.setattr(webgpu, "_may_have_gpu", lambda: True)
    monkeypatch.setattr(webgpu, "_PROBE", probe)
    webgpu._adapter.cache_clear()
    (status,) = webgpu.probe(CPU)
    return status


@pytest.mark.usefixtures("no_hardware")
class TestProbe:
    def test_no_gpu_at_all(self) -> None:
        """No process is started to find out; the reason names what was looked for."""
        (status,) = webgpu.probe(CPU)
        assert not status.available
        assert "/dev/dri" in status.reason

    @pytest.mark.parametrize(
        ("probe", "reason"),
        [
            ("print({})", "finds no adapter"),
            ("import os; os.abort()", "status -6"),
            ("raise SystemExit('the driver is broken')", "the driver is broken"),
        ],
    )
    def test_a_broken_driver(self, monkeypatch: pytest.MonkeyPatch, probe: str, reason: str) -> None:
        """A driver that is absent, aborts or complains gives a status with its reason, and no crash here."""
        status = asked(monkeypatch, probe)
        assert not status.available
        assert reason in status.reason

    def test_a_driver_that_hangs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is given up."""
        monkeypatch.setattr(webgpu, "PROBE_SECONDS", 0.2)
        assert "did not answer" in asked(monkeypatch, "import time; time.sleep(60)").reason

    def test_only_a_yes_is_remembered(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A GPU that was found is not asked for again by the next process; one that was not may come later."""
        answer = {"type": "GPU", "vendor_id": 0x10DE, "device_id": 0x2330}
        assert not asked(monkeypatch, "print('{}')").available
        assert not (tmp_path / "webgpu-probe.json").exists()
        status = asked(monkeypatch, f"print('{json.dumps(answer)}')")
        assert status.processor is not None
        assert (status.processor.vendor, status.processor.name) == ("NVIDIA", "gpu0")
        assert asked(monkeypatch, "raise SystemExit('not asked again')").available

    def test_a_damaged_memory_of_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A remembered answer that cannot be read is asked for again."""
        (tmp_path / "webgpu-probe.json").write_text("[half")
        assert "finds no adapter" in asked(monkeypatch, "print('{}')").reason


WORK = """
import sys, numpy as np
from hetero.backends import webgpu
from hetero.device import Variant
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.onnx import OnnxOp

(status,) = webgpu.probe(Processor("cpu", cores=2))
assert status.available, str(status)
device = webgpu.open_device(status.info)
first, second = (OnnxOp.from_model(path) for path in sys.argv[1:3])
x = np.random.default_rng(0).standard_normal((5, 4), np.float32)

run, then = device.compile(first, Variant(exact=False)), device.compile(second, Variant(exact=False))
(between,) = run.start([device.memory.put(x)]).wait()
assert not isinstance(between, np.ndarray), "the output left the device"
(y,) = then.start([between]).wait()
expected = second.load()(*first.load()(x))[0]
error = np.abs(device.memory.get(y) - expected).max()
assert error < 1e-4, error

try:
    device.compile(OnnxOp.from_model(sys.argv[3]), Variant(exact=False))
except DeviceError as reason:
    print(reason, flush=True)
run.close()
then.close()
import os
os._exit(0)  # the provider may crash when the interpreter ends: in hetero it lives in a worker process
"""


@pytest.mark.timeout(180)
def test_real_work_on_the_software_adapter(tmp_path: Path) -> None:
    """Two models in a row, the tensor between them never on the host; a model that would fall back is refused."""
    environment = software_gpu.environment()
    if not environment:
        needs("the software GPU", "scripts/install_software_gpu.sh was not run, or could not install it")
    built = {
        "first": projection(np.ones((4, 4), np.float32)),
        "second": projection(),
        # ONNX Runtime computes this operator on the CPU only
        "cpu_only": model(
            [helper.make_node("Det", ["x"], ["y"])], {"x": (np.float32, [3, 3])}, {"y": (np.float32, [])}
        ),
    }
    paths = []
    for name, each in built.items():
        paths.append(tmp_path / f"{name}.onnx")
        paths[-1].write_bytes(each.SerializeToString())
    result = subprocess.run(
        [sys.executable, "-c", WORK, *map(str, paths)],
        env={**environment, "HETERO_CACHE": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "gpu0/webgpu cannot compile onnx 'cpu_only'" in result.stdout
    assert "no WebGPU kernel" in result.stdout
