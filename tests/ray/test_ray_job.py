"""Pipelines submitted as jobs, as an operator does it."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

EXAMPLES = Path(__file__).parents[2] / "examples"

PIPELINE = """
import time
from pathlib import Path
import hetero as ht

@ht.node
def count(text):
    time.sleep(0.05)
    return len(text.split())

@ht.pipeline
def words(text):
    return count(text)

def inputs(path):
    return [(Path(path).read_text("utf-8"),)]
"""
PAGES = 120


def submit(dashboard, *words, wait=True):
    """``ray job submit``, again while the cluster's agent that starts jobs is not up yet."""
    script = "from ray.scripts.scripts import main; main()"
    options = () if wait else ("--no-wait",)
    deadline = time.monotonic() + 90
    while True:
        done = subprocess.run(
            [sys.executable, "-c", script, "job", "submit", "--address", dashboard, *options, "--", *words],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            env=os.environ | {"RAY_ADDRESS": ""},
        )
        if "No available agent" not in done.stderr or time.monotonic() > deadline:
            return done


def test_a_job_answers_as_a_local_run_does(cluster):
    """`ray job submit -- python examples/ray_job.py` ends well, and its output has the right answers."""
    done = submit(cluster.dashboard, "python", str(EXAMPLES / "ray_job.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "processors: cpu, n1:cpu, n2:cpu" in done.stdout
    assert "frequencies: [100, 200, 300, 400, 500, 600, 700, 800]" in done.stdout
    assert "8 of 8 answers equal the local run's" in done.stdout


@pytest.fixture
def folder(tmp_path):
    """Pages of 1, 2, 3, ... words, and the file of a pipeline that counts them."""
    (tmp_path / "mine.py").write_text(PIPELINE)
    (tmp_path / "pages").mkdir()
    for i in range(1, PAGES + 1):
        (tmp_path / "pages" / f"{i:03}.txt").write_text("word " * i)
    return tmp_path


def lines(folder):
    """The whole lines of the results, without their head."""
    path = folder / "results.jsonl"
    data = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()[1:]]


def test_a_job_that_was_killed_half_way_does_only_the_rest(cluster, folder, capsys):
    """The driver gets SIGKILL; submitted again the job does what is missing: each page has one line, and is right."""
    from ray.job_submission import JobSubmissionClient

    command = ["python", "-m", "hetero", "run", f"{folder / 'mine.py'}:words", str(folder / "pages")]
    command += ["--results", str(folder / "results.jsonl"), "--ray", "auto", "--objective", "throughput"]
    first = submit(cluster.dashboard, *command, wait=False)
    assert first.returncode == 0, first.stdout + first.stderr
    while len(lines(folder)) < 10:
        time.sleep(0.02)
    client = JobSubmissionClient(cluster.dashboard)
    (job,) = [found for found in client.list_jobs() if "results.jsonl" in found.entrypoint]
    os.kill(int(job.driver_info.pid), signal.SIGKILL)
    while str(client.get_job_status(job.submission_id)) in ("RUNNING", "PENDING"):
        time.sleep(0.1)
    before = lines(folder)
    assert 10 <= len(before) < PAGES

    again = submit(cluster.dashboard, *command)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"{PAGES} of {PAGES} ({len(before)} from before)" in again.stdout + again.stderr
    after = lines(folder)
    assert after[: len(before)] == before
    assert len(after) == PAGES
    assert {line["input"]: line["result"] for line in after} == {
        f"{i:03}.txt": i for i in range(1, PAGES + 1)
    }


def test_the_example_of_a_folder_reads_every_page(cluster, folder, capsys):
    """`examples/ray_ocr_folder.py`, with a pipeline that counts words in the place of its models."""
    example, mine = (_module(path) for path in (EXAMPLES / "ray_ocr_folder.py", folder / "mine.py"))
    results = folder / "results.jsonl"
    progress = example.read_folder(
        mine.words, mine.inputs, str(folder / "pages"), str(results), cluster.address
    )
    assert (progress.done, progress.failed) == (PAGES, 0)
    said = capsys.readouterr().out
    assert "pages: 0 of 120" in said
    # On a busy machine another node may have been measured as the fastest: it comes first then.
    (site, nodes) = re.search(r"3 replicas of what runs on (.+): on (.+)", said).groups()
    assert nodes.startswith(site)
    assert sorted(nodes.split(", ")) == ["n1", "n2", "the driver's node"]
    assert {line["input"]: line["result"] for line in lines(folder)} == {
        f"{i:03}.txt": i for i in range(1, PAGES + 1)
    }


def _module(path):
    import cloudpickle

    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    return module
