"""A Ray cluster of three nodes on this machine, started once for these tests and stopped by its own handle."""

import os
import socket
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "run")]  # Ray gives the path of the driver to its processes

HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 3,
}
"""As docs/ray.md has them: a lost node is done without after seconds instead of half a minute."""


@pytest.fixture(scope="session")
def cluster():
    """A head and two nodes of one core each. One has the custom resource ``quantum``, a label, and no OpenVINO.

    The head's object store is the smallest that Ray makes.
    """
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.environ["PATH"]
    # `python` in a job is the one that this test runs on.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), path])
    found = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "include_dashboard": True,
            "dashboard_host": "127.0.0.1",
            "dashboard_port": port,
            "object_store_memory": 80_000_000,
            "_system_config": HEALTH,
        },
    )
    os.environ["PATH"] = path
    found.add_node(wait=False, num_cpus=1, resources={"annex": 1})
    found.add_node(
        wait=False,
        num_cpus=1,
        resources={"quantum": 1},
        labels={"tier": "lab"},
        env_vars={
            "PYTHONPATH": os.pathsep.join([str(HERE / "without_openvino"), os.environ.get("PYTHONPATH", "")])
        },
    )
    found.wait_for_nodes()
    found.dashboard = f"http://127.0.0.1:{port}"
    yield found
    found.shutdown()
