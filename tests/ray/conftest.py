"""A Ray cluster of two nodes on this machine, started once for these tests and stopped by its own handle."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "run")]  # Ray gives the path of the driver to its processes


@pytest.fixture(scope="session")
def cluster():
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    found = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    found.add_node(num_cpus=1, resources={"annex": 1})
    yield found
    found.shutdown()
