"""Read a folder of pages on a Ray cluster, as a job that can be killed and submitted again.

    ray job submit --address http://127.0.0.1:8265 -- python examples/ray_ocr_folder.py PAGES RESULTS.jsonl

Plans on the cluster, says what runs where, and writes a line for each page as it is read. Submitted again with the same
RESULTS.jsonl it reads only what is not there. The folder and the file are those of the node where the script runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from typing import Any

import hetero as ht
from hetero.graphs import ocr
from hetero.plans import Plan
from hetero.run.batch import Progress, files_in, resume
from hetero.tracing import Pipeline


def main(folder: str, results: str, address: str = "auto") -> None:
    read_folder(ocr.build(), ocr.inputs, folder, results, address)


def read_folder(pipeline: Pipeline, load: Any, folder: str, results: str, address: str) -> Progress:
    """Every file of the folder through the pipeline; ``load`` gives the arguments of the call for a file."""

    def calls(file: str) -> Iterable[Any]:
        return (ht.args(*call) for call in load(file))

    progress = resume(
        pipeline, files_in(folder, calls), results, partial(plan_on_cluster, pipeline, address), report
    )
    print(f"{progress.done} pages in {results}, {progress.failed} failed")
    return progress


def plan_on_cluster(pipeline: Pipeline, address: str, calls: list[Any]) -> Plan:
    """For as many pages a second as the cluster can give, whatever one of them takes."""
    plan = ht.plan(pipeline, calls[0], calibrate=calls[1:], objective="throughput").on_ray(address)
    print(plan.explain(), flush=True)
    return plan


def report(progress: Progress) -> None:
    """A line in the job's log every few seconds."""
    print(f"pages: {progress}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
