"""A provider with real processors' habits, for tests: it queues, fails, times out, and remembers what it was sent."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from qiskit import QuantumCircuit
from qiskit.providers import JobStatus
from qiskit.providers.fake_provider import GenericBackendV2


@dataclass
class Server:
    """What the provider knows, whoever asks: jobs outlive the process that sent them."""

    polls_in_queue: int = 0
    fails: bool = False
    unreachable: bool = False
    jobs: dict[str, FakeJob] = field(default_factory=dict)


@dataclass
class FakeJob:
    server: Server
    number: str
    tag: str
    local: Any
    polls: int = 0
    cancelled: bool = False

    def job_id(self) -> str:
        return self.number

    def status(self) -> JobStatus | str:
        if self.server.unreachable:
            raise ConnectionError("the line went dead")
        self.polls += 1
        if self.cancelled:
            return "CANCELLED"
        if self.polls <= self.server.polls_in_queue:
            return JobStatus.QUEUED
        return JobStatus.ERROR if self.server.fails else JobStatus.DONE

    def error_message(self) -> str:
        return "the cryostat is warm"

    def cancel(self) -> bool:
        self.cancelled = True
        return True

    def result(self) -> Any:
        return self.local.result()


class Provider:
    """A connection to the server; ``lost`` connections deliver the job and fail before they can say so."""

    def __init__(self, server: Server, qubits: int = 3, lost: bool = False) -> None:
        self.server, self.lost = server, lost
        self.backend = GenericBackendV2(qubits, seed=1)
        self._numbers = itertools.count(len(server.jobs))

    def send(self, circuits: list[QuantumCircuit], shots: int, tag: str) -> FakeJob:
        number = f"job-{next(self._numbers)}"
        self.server.jobs[number] = FakeJob(self.server, number, tag, self.backend.run(circuits, shots=shots))
        if self.lost:
            raise ConnectionError("the line went dead")
        return self.server.jobs[number]

    def retrieve(self, job_id: str) -> FakeJob:
        return self.server.jobs[job_id]

    def find(self, tag: str) -> FakeJob | None:
        return next((job for job in self.server.jobs.values() if job.tag == tag), None)
