"""The manifest for Kubernetes: each of its fields is one that the KubeRay operator knows, and none is missing."""

import json
import re
import shlex
from pathlib import Path

import pytest

from hetero.cli import app

MANIFEST = Path(__file__).parents[2] / "deploy" / "kuberay.yaml"

GROUP = {"rayStartParams", "template"}
FIELDS = {
    "RayJob": {"apiVersion", "kind", "metadata", "spec"},
    "spec": {
        "entrypoint",
        "shutdownAfterJobFinishes",
        "ttlSecondsAfterFinished",
        "backoffLimit",
        "rayClusterSpec",
    },
    "rayClusterSpec": {"rayVersion", "headGroupSpec", "workerGroupSpecs"},
    "headGroupSpec": GROUP,
    "workerGroupSpec": GROUP | {"groupName", "replicas", "minReplicas", "maxReplicas"},
    "pod": {"containers", "volumes"},
    "container": {"name", "image", "env", "resources", "volumeMounts"},
}
"""Of the ray.io/v1 custom resources and of Kubernetes' pods: those that the manifest may use.

Source of the former: `json:` names of RayJobSpec in ray-operator/apis/ray/v1/rayjob_types.go, and of RayClusterSpec,
HeadGroupSpec and WorkerGroupSpec in raycluster_types.go beside it, of github.com/ray-project/kuberay (commits 0057210,
026f143). The API server checks by the schema that is made from these.
"""

REQUIRED = {
    "RayJob": {"apiVersion", "kind", "metadata", "spec"},
    "spec": {"entrypoint", "rayClusterSpec"},
    "rayClusterSpec": {"headGroupSpec", "workerGroupSpecs", "rayVersion"},
    "headGroupSpec": GROUP,
    "workerGroupSpec": GROUP | {"groupName", "replicas", "minReplicas", "maxReplicas"},
    "container": {"name", "image", "resources"},
}
"""What the operator refuses to be without, or would fill with a default that is not meant: a limit of no workers."""
TYPES = {
    "spec": {
        "entrypoint": str,
        "shutdownAfterJobFinishes": bool,
        "ttlSecondsAfterFinished": int,
        "backoffLimit": int,
    },
    "rayClusterSpec": {"rayVersion": str, "workerGroupSpecs": list},
    "headGroupSpec": {"rayStartParams": dict, "template": dict},
    "workerGroupSpec": {
        "groupName": str,
        "replicas": int,
        "minReplicas": int,
        "maxReplicas": int,
        "rayStartParams": dict,
        "template": dict,
    },
}
"""The types of those fields in the same source. A number in quotes, or a version without them, would be refused."""
NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
"""A DNS label: what Kubernetes takes as a name."""


@pytest.fixture(scope="module")
def job():
    return pytest.importorskip("yaml").safe_load(MANIFEST.read_text("utf-8"))


def test_every_field_is_known(job):
    """A misspelt field would be refused by the API server, or ignored."""
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job.keys() <= FIELDS["RayJob"]
    assert job["spec"].keys() <= FIELDS["spec"]
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster.keys() <= FIELDS["rayClusterSpec"]
    assert cluster["headGroupSpec"].keys() <= FIELDS["headGroupSpec"]
    groups = cluster["workerGroupSpecs"]
    assert all(group.keys() <= FIELDS["workerGroupSpec"] for group in groups)
    for group in (cluster["headGroupSpec"], *groups):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        assert pod.keys() <= FIELDS["pod"]
        mounts = {mount["name"] for c in pod["containers"] for mount in c.get("volumeMounts", ())}
        assert mounts == {volume["name"] for volume in pod.get("volumes", ())}
        for container in pod["containers"]:
            assert container.keys() <= FIELDS["container"]
            assert container["resources"]["requests"] == container["resources"]["limits"]


def test_no_field_is_missing_and_each_has_its_type(job):
    """Replicas are whole numbers between their limits, names are such, and every pod has containers with an image."""
    cluster = job["spec"]["rayClusterSpec"]
    head, groups = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    parts = [("RayJob", job), ("spec", job["spec"]), ("rayClusterSpec", cluster), ("headGroupSpec", head)]
    parts += [("workerGroupSpec", group) for group in groups]
    containers = [c for group in (head, *groups) for c in group["template"]["spec"]["containers"]]
    parts += [("container", container) for container in containers]
    missing = {(name, field) for name, part in parts for field in REQUIRED[name] - part.keys()}
    assert missing == set()
    wrong = {
        (name, field, type(part[field]))
        for name, part in parts
        for field, kind in TYPES.get(name, {}).items()
        if field in part and type(part[field]) is not kind
    }
    assert wrong == set()
    assert groups
    assert all(group["template"]["spec"]["containers"] for group in (head, *groups))
    for group in groups:
        counts = [group["minReplicas"], group["replicas"], group["maxReplicas"]]
        assert 0 <= counts[0] <= counts[1] <= counts[2]
        assert counts[2] > 0
    named = [group["groupName"] for group in groups]
    assert len(set(named)) == len(named)
    for name in (job["metadata"]["name"], *named, *(container["name"] for container in containers)):
        assert re.fullmatch(NAME, name)


def test_start_parameters_are_those_of_ray_start(job):
    """Each is an option of `ray start`; the quantum group's resources are the JSON that it reads."""
    scripts = pytest.importorskip("ray.scripts.scripts")
    known = {option.lstrip("-") for p in scripts.start.params for option in p.opts}
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert group["rayStartParams"].keys() <= known
    (resources,) = (
        g["rayStartParams"]["resources"] for g in cluster["workerGroupSpecs"] if g["groupName"] == "quantum"
    )
    assert json.loads(json.loads(resources)) == {"quantum": 1}


def test_the_entrypoint_is_a_command_of_hetero(job):
    """Its words are understood by the command line that is tested here."""
    import typer

    program, command, *words = shlex.split(job["spec"]["entrypoint"])
    assert program == "hetero"
    found = typer.main.get_command(app).commands[command]
    context = found.make_context(command, list(words), resilient_parsing=True)
    assert context.params["ray"] == "auto"
    assert str(context.params["results"]).endswith("results.jsonl")
