"""A device in this process that does what a test tells it to: fail, be gone, hang; for plans that have another one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from plans_by_hand import PYTHON, info, machine, plan_of

from hetero.cost.estimate import Estimate
from hetero.device import HOST, DirectExecutable, Offers, Variant
from hetero.errors import DeviceError
from hetero.planning.evidence import Evidence, SeenCall
from hetero.plans import Choice, Considered
from hetero.registry import open_here
from hetero.run.compile import compile_program
from hetero.run.local import LocalExecutor
from hetero.run.session import Session
from hetero.values import ObjectSpec

SHAKY = info("shaky")


@dataclass
class Shaky:
    """``failures`` runs raise; while ``gone`` nothing can be compiled or run; while ``hangs`` is set a run waits."""

    failures: int = 0
    gone: bool = False
    runs: int = 0
    hangs: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    info = SHAKY
    memory = HOST

    def variants(self, op, specs):
        return Offers((Variant("native"),))

    def compile(self, op, variant):
        self._require_here()
        function = op.load()

        def run(*inputs):
            self._require_here()
            if self.failures:
                self.failures -= 1
                raise DeviceError("a bit flipped")
            if self.hangs.is_set():
                self.go_on.wait(60)
            self.runs += 1
            return function(*inputs)

        return DirectExecutable(run)

    def _require_here(self):
        if self.gone:
            raise DeviceError("the device has fallen off the bus")

    def open_device(self, wanted):
        return self if wanted.engine == "shaky" else open_here(wanted)

    def session(self, graph, *, other=True, seconds=0.001, samples=(), **plan):
        """A session of a graph that runs here; where there is an ``other`` device, Python is the second best."""
        devices = {path: SHAKY.name for path, _ in graph.walk()}
        made = plan_of(graph, devices=devices, on=machine(PYTHON, SHAKY), **plan)
        kinds = {SHAKY.name: seconds} | ({PYTHON.name: 2 * seconds} if other else {})
        options = tuple(Considered(Choice(d, Variant("native")), Estimate(s)) for d, s in kinds.items())
        anything = (ObjectSpec("object", 8),)
        calls = {path: (SeenCall(anything, anything, 1),) for path, _ in graph.walk()}
        made = replace(
            made,
            options=dict.fromkeys(calls, options),
            evidence=Evidence(1, calls, {}, {}),
            samples=tuple((sample,) for sample in samples),
        )
        return Session(made, reopen=lambda p: LocalExecutor(compile_program(p), p.machine, self.open_device))
