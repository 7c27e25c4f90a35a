"""Sessions whose functions run in worker processes of their own."""

from __future__ import annotations

from dataclasses import replace

from plans_by_hand import PYTHON, machine, plan_of

from hetero.isolation import ProcessDevice
from hetero.registry import open_here
from hetero.run.compile import compile_program
from hetero.run.local import LocalExecutor
from hetero.run.session import Session
from hetero.worker_process import WorkerProcess

APART = replace(PYTHON, name="cpu/apart", isolation="process")


class Apart:
    """Opens sessions; ``close`` ends the worker processes."""

    def __init__(self):
        self.workers = {}

    def open_device(self, wanted):
        if wanted.isolation != "process":
            return open_here(wanted)
        name = wanted.memory_space if wanted.memory_space != "host" else wanted.name
        worker = self.workers.setdefault(name, WorkerProcess(name, patience_s=60))
        return ProcessDevice(wanted, worker)

    def __call__(self, graph, device=APART, *, change=lambda plan: plan, **plan):
        """A session of a graph that runs on ``device``; its worker is ``session.worker``."""
        made = change(
            plan_of(
                graph, devices={p: device.name for p, _ in graph.walk()}, on=machine(PYTHON, device), **plan
            )
        )
        session = Session(
            made, reopen=lambda p: LocalExecutor(compile_program(p), p.machine, self.open_device)
        )
        session.worker = self.workers.get(
            device.memory_space if device.memory_space != "host" else device.name
        )
        return session

    def close(self):
        for worker in self.workers.values():
            worker.close()
