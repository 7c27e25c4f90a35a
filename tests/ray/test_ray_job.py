"""A pipeline submitted as a job, as an operator does it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_job.py"


@pytest.fixture
def dashboard(monkeypatch):
    """The dashboard's address of a cluster of two nodes, on the loopback."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # `python` in a job is the one that this test runs on.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    cluster = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "include_dashboard": True,
            "dashboard_host": "127.0.0.1",
            "dashboard_port": port,
        },
    )
    cluster.add_node(num_cpus=1)
    yield f"http://127.0.0.1:{port}"
    cluster.shutdown()


def test_a_job_answers_as_a_local_run_does(dashboard):
    """`ray job submit -- python examples/ray_job.py` ends well, and its output has the right answers."""
    script = "from ray.scripts.scripts import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "job", "submit", "--address", dashboard, "--", "python", str(EXAMPLE)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=os.environ | {"RAY_ADDRESS": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "processors: cpu, n1:cpu" in done.stdout
    assert "frequencies: [100, 200, 300, 400, 500, 600, 700, 800]" in done.stdout
    assert "8 of 8 answers equal the local run's" in done.stdout
