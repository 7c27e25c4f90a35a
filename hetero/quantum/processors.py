"""Real processors: any Qiskit BackendV2, with what a job takes told before it is sent, and no job lost or sent twice.

qpu = RealProcessor(backend, queue_s=600, dollars_per_shot=0.0009, spend_at_most=5.0)
quote = qpu.quote([circuit], shots=1000)      # nothing is sent
print(quote)                                  # seconds, dollars, expected error
counts = qpu.submit(quote, name="monday", allow=True).result()

plan = ht.plan(pipeline, limits=ht.Limits(error=0.1), allow=["cpu", qpu.connect().name])    # or as a device of plans
with qpu.allow("monday"):                     # without it nothing is sent
    plan()
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from qiskit import QuantumCircuit, transpile

from hetero.cost.circuit_target import OnTarget, objection, on_target
from hetero.errors import ArgumentError, DeviceError, InfeasibleError
from hetero.ops.circuit_files import read_circuit
from hetero.ops.circuit_form import content, plain
from hetero.ops.circuit_loops import unrolled
from hetero.quantum.journal import Entry, Journal
from hetero.quantum.paid_job import PaidJob
from hetero.quantum.processor_device import connect, disconnect
from hetero.quantum.quotes import SECONDS_BETWEEN_SHOTS, Quote, Terms, require_amount
from hetero.values import digest_of

__all__ = ["RealProcessor"]


class RealProcessor:
    """A Qiskit ``BackendV2`` as a device. What it declares (qubits, instructions, coupling, errors) is read from it.

    Args:
        backend: any ``BackendV2``.
        queue_s: how long jobs wait before they run, in seconds, as the user or provider says.
        dollars_per_shot, dollars_per_job: its price, for each circuit's shots and for each job. 0 where it is free.
        seconds_between_shots: beside the circuit's own duration.
        spend_at_most: dollars that all jobs of this processor in the journal may cost together; None: no limit.
        journal: the file in which jobs are written down before they are sent.
        send: ``(circuits, shots, name) -> job``, where ``backend.run(circuits, shots=)`` is not the way. The provider's
            job has ``job_id()``, ``status()``, ``result()`` and ``cancel()``.
        retrieve: ``job_id -> job``, where the backend and its provider have no ``retrieve_job`` or ``job``.
        find: ``name -> job or None``: asks the provider for a job that was sent under this name (a tag). With it a
            crash in the middle of sending is sorted out without asking the user.

    >>> from qiskit.providers.fake_provider import GenericBackendV2
    >>> qpu = RealProcessor(GenericBackendV2(3, seed=0), dollars_per_shot=0.001)
    >>> circuit = QuantumCircuit(2)
    >>> _ = circuit.h(0), circuit.cx(0, 1), circuit.measure_all()
    >>> quote = qpu.quote([circuit], shots=100)
    >>> f"${quote.dollars:.2f}", quote.error < 0.1
    ('$0.10', True)
    """

    def __init__(
        self,
        backend: Any,
        *,
        queue_s: float = 0.0,
        dollars_per_shot: float = 0.0,
        dollars_per_job: float = 0.0,
        seconds_between_shots: float = SECONDS_BETWEEN_SHOTS,
        spend_at_most: float | None = None,
        journal: str | Path | None = None,
        send: Callable[[list[QuantumCircuit], int, str], Any] | None = None,
        retrieve: Callable[[str], Any] | None = None,
        find: Callable[[str], Any] | None = None,
    ) -> None:
        if getattr(backend, "target", None) is None:
            raise ArgumentError(
                f"backend={backend!r}: expected a Qiskit BackendV2, which has a target; found {type(backend).__name__}"
            )
        require_amount("spend_at_most", 0.0 if spend_at_most is None else spend_at_most)
        self.backend = backend
        self.name = f"qpu/{backend.name}"
        self.terms = Terms(queue_s, dollars_per_shot, dollars_per_job, seconds_between_shots)
        self.spend_at_most = spend_at_most
        self.journal = Journal(journal)
        self._send = send or (lambda circuits, shots, name: backend.run(circuits, shots=shots))
        self._retrieve = retrieve or _retriever(backend)
        self._find = find
        self._allowed: str | None = None

    def connect(self) -> Self:
        """From now on ``ht.plan`` of this process knows it as a device of this name; another one of the name is
        replaced. Planning sends nothing, and neither does a plan that runs outside of `allow`."""
        connect(self)
        return self

    def disconnect(self) -> None:
        """Plans that are made from now on do not know it."""
        disconnect(self)

    @contextmanager
    def allow(self, name: str) -> Iterator[None]:
        """While it lasts plans may send jobs, within ``spend_at_most``. The jobs' names begin with ``name``: a run
        under the same name goes on with the jobs that the journal knows, so that after a crash none is paid twice. The
        same circuit with the same parameters and shots is one job of that name, however often it is asked.

        Raises:
            ArgumentError: no name, or it is allowed already.
        """
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"allow(name={name!r}): expected a name that finds the jobs again")
        if self._allowed is not None:
            raise ArgumentError(
                f"{self.name}: jobs named {self._allowed!r} are allowed already; let that end first"
            )
        self._allowed = name
        try:
            yield
        finally:
            self._allowed = None

    def allowed_name(self, quote: Quote) -> str:
        """What names begin with now.

        Raises:
            ArgumentError: nothing is allowed; says what the job would take.
        """
        if self._allowed is None:
            raise ArgumentError(
                f"{self.name}: this job would take ${quote.dollars:.2f} and about {quote.seconds:.3g} s, and nothing "
                'was sent; `with qpu.allow("a name"):` around the run allows it'
            )
        return self._allowed

    def quote(self, circuits: Sequence[Any], shots: int = 1024, *, seed: int | None = 0) -> Quote:
        """Translate the circuits (circuits, OpenQASM text or files), and say what a job of them would take.

        Raises:
            ArgumentError: shots that are not a positive integer, no circuits.
            InfeasibleError: the processor cannot run one; says which and why.
        """
        if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
            raise ArgumentError(f"shots={shots!r}: expected an integer > 0")
        if isinstance(circuits, QuantumCircuit | str) or not circuits:
            raise ArgumentError("quote() takes a list of one or more circuits: quote([circuit])")
        read = [unrolled(read_circuit(circuit)) for circuit in circuits]
        for circuit in read:
            if circuit.num_parameters:
                names = ", ".join(parameter.name for parameter in circuit.parameters)
                raise InfeasibleError(
                    f"{self.name} cannot run circuit {circuit.name!r}: parameters without values: {names}"
                )
        translated = [self.translated(circuit, seed) for circuit in read]
        asked = digest_of("paid job", [content(plain(circuit)) for circuit in read], shots)
        own, parts = zip(*translated, strict=True)
        return self.quoted(own, parts, shots, asked)

    def translated(self, circuit: QuantumCircuit, seed: int | None = 0) -> tuple[QuantumCircuit, OnTarget]:
        """A circuit in the processor's own instructions, and what those declare; parameters stay open.

        Raises:
            InfeasibleError: the processor cannot run it; says why.
        """
        target = self.backend.target
        reason = objection(circuit, target)
        if reason is not None:
            raise InfeasibleError(f"{self.name} cannot run circuit {circuit.name!r}: {reason}")
        own = transpile(circuit, self.backend, seed_transpiler=seed)
        return own, on_target(own, target)

    def quoted(
        self, own: Sequence[QuantumCircuit], parts: Sequence[OnTarget], shots: int, asked: str
    ) -> Quote:
        """The quote for circuits that are translated already; ``asked`` is known by what they were."""
        terms = self.terms
        run_s, dollars = terms.run_s(parts, shots), terms.dollars(len(own), shots)
        return Quote(self.name, tuple(own), tuple(parts), shots, asked, terms.queue_s, run_s, dollars)

    def submit(self, quote: Quote, *, allow: bool = False, name: str | None = None) -> PaidJob:
        """Send the job; or, where the journal knows one of this name, go on with that one.

        ``name`` is yours to choose: after a crash the same quote under the same name finds the job again. Without one
        every call is a new job.

        Raises:
            ArgumentError: ``allow`` is not True; the quote is another processor's; the name is another job's.
            InfeasibleError: the limit ``spend_at_most`` would be exceeded. Nothing was sent.
            DeviceError: the provider refused, or a job of this name was being sent when a process died.
        """
        if quote.processor != self.name:
            raise ArgumentError(f"this quote is of {quote.processor}, not of {self.name}")
        if allow is not True:
            raise ArgumentError(
                f"{self.name}: this job takes ${quote.dollars:.2f} and about {quote.seconds:.3g} s; "
                "submit(quote, allow=True) sends it"
            )
        name = name or uuid.uuid4().hex
        entry, new = self.journal.intend(name, self.name, quote.asked, quote.dollars, self.spend_at_most)
        return self._sent(quote, name) if new else self._known(entry)

    def job(self, name: str) -> PaidJob:
        """A job from the journal, whichever process sent it.

        Raises:
            UnknownNameError: there is none of this name.
            ArgumentError: it is another processor's.
            DeviceError: nobody knows whether it was sent.
        """
        return self._known(self._own(name))

    def jobs(self) -> tuple[Entry, ...]:
        """All of this processor's in the journal, the oldest first."""
        return self.journal.entries(self.name)

    def adopt(self, name: str, job_id: str) -> PaidJob:
        """Say that a job which was being sent when a process died did arrive, and under which id.

        Raises:
            UnknownNameError: there is none of this name.
            ArgumentError: it is another processor's, or has another id already.
        """
        entry = self._own(name)
        if entry.state != "intended" and entry.job_id != job_id:
            raise ArgumentError(
                f"{self.name}: job {name!r} is {entry.state} under id {entry.job_id!r} already"
            )
        self.journal.sent(name, job_id)
        return self.job(name)

    def forget(self, name: str) -> None:
        """Say that a job which was being sent when a process died never arrived: it may be sent again.

        Raises:
            UnknownNameError: there is none of this name.
            ArgumentError: it is another processor's.
        """
        self.journal.forget(self._own(name).name)

    def _own(self, name: str) -> Entry:
        """A job of this processor: one journal may hold those of several."""
        entry = self.journal.entry(name)
        if entry.processor != self.name:
            raise ArgumentError(f"job {name!r} is of {entry.processor}, not of {self.name}")
        return entry

    def _sent(self, quote: Quote, name: str) -> PaidJob:
        try:
            job = self._send(list(quote.circuits), quote.shots, name)
        except (
            Exception
        ) as error:  # a provider's client may raise anything, before or after the job has arrived
            raise DeviceError(
                f"{self.name}: sending job {name!r} failed: {type(error).__name__}: {error}. {self._unsure(name)}"
            ) from error
        self.journal.sent(name, str(job.job_id()))
        return PaidJob(self.journal, self.journal.entry(name), job)

    def _known(self, entry: Entry) -> PaidJob:
        if entry.state == "intended":
            found = self._find(entry.name) if self._find else None
            if found is None:
                raise DeviceError(
                    f"{self.name}: job {entry.name!r} was being sent when it was left. {self._unsure(entry.name)}"
                )
            self.journal.sent(entry.name, str(found.job_id()))
            return PaidJob(self.journal, self.journal.entry(entry.name), found)
        if entry.state != "sent":
            return PaidJob(self.journal, entry, None)
        assert entry.job_id is not None
        return PaidJob(self.journal, entry, self._retrieve(entry.job_id))

    def _unsure(self, name: str) -> str:
        return (
            "Whether the provider has it is not known, so it is not sent again: look at the provider's list of jobs, "
            f"then call adopt({name!r}, job_id) if it is there, or forget({name!r}) if it is not"
        )


def _retriever(backend: Any) -> Callable[[str], Any]:
    """How most providers give a job back."""
    for owner in (backend, getattr(backend, "provider", None), getattr(backend, "service", None)):
        for method in ("retrieve_job", "job"):
            found = getattr(owner, method, None)
            if callable(found):
                return found  # type: ignore[no-any-return]

    def missing(job_id: str) -> Any:
        raise DeviceError(
            f"backend {backend.name!r} has no way to find job {job_id} again; give RealProcessor(retrieve=) one"
        )

    return missing
