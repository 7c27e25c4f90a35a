"""Counts of circuits: Qiskit's BaseSamplerV2, each circuit on the simulator that is forecast to be fastest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from qiskit.primitives import BaseSamplerV2, BitArray, DataBin, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub

from hetero.arguments import Auto, auto
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_gates import names_of
from hetero.ops.circuit_noise import NoisyCircuitOp
from hetero.ops.shots import AUTO_ERROR, shots_for
from hetero.planning.selection import Selection
from hetero.quantum.aer_options import aer_options
from hetero.quantum.jobs import Job
from hetero.quantum.pubs import rows_of, sampler_pubs, seed_of
from hetero.quantum.queue import Turn, queued, with_cores
from hetero.quantum.running import Answer, answer, require_ways
from hetero.quantum.ways import machine_for
from hetero.quantum.workers import warm

__all__ = ["Sampler"]


class Sampler(BaseSamplerV2):  # type: ignore[misc]  # qiskit ships no types
    """A drop-in for Qiskit's samplers: any circuit, not only ISA circuits; nothing to choose.

    Args:
        default_shots: where neither ``run`` nor the pub says; ``ht.auto`` (as ``run`` may say, too): the fewest of
            which a relative frequency has a standard error of ``error``.
        error: what ``ht.auto`` aims at; given by itself it stands for ``default_shots=ht.auto``.
        seed: the same seed gives the same counts as long as the same simulators are chosen.
        noise_model: a ``qiskit_aer.noise.NoiseModel``; its errors happen at the gates as the circuit has them.
        options: as Aer's own primitives take them; what is given by name comes first. See `aer_options`.
        allow, deny: names of devices, engines, vendors or suppliers.

    A result's ``metadata["hetero"]`` says which simulator ran which part, predicted and measured seconds, what was
    tried before, and what was dropped or split.

    >>> from qiskit import QuantumCircuit
    >>> bell = QuantumCircuit(2)
    >>> _ = bell.h(0), bell.cx(0, 1), bell.measure_all()
    >>> counts = Sampler(seed=1).run([bell], shots=1000).result()[0].data.meas.get_counts()
    >>> sorted(counts), sum(counts.values())
    (['00', '11'], 1000)
    """

    def __init__(
        self,
        *,
        default_shots: int | Auto | None = None,
        error: float | None = None,
        seed: np.random.Generator | int | None = None,
        noise_model: Any = None,
        options: Mapping[str, Any] | None = None,
        allow: str | Iterable[str] | None = None,
        deny: str | Iterable[str] | None = None,
    ) -> None:
        self.error = AUTO_ERROR if error is None else error
        if default_shots is None:
            default_shots = 1024 if error is None else auto
        self.default_shots = self._shots(default_shots)
        said = aer_options(options)
        self.seed = said.seed if seed is None else seed
        self.noise_model = said.noise_model if noise_model is None else noise_model
        self._machine = machine_for(Selection.of(allow, deny))
        warm(*self._machine.devices)

    def _shots(self, wanted: int | Auto) -> int:
        return shots_for(self.error) if isinstance(wanted, Auto) else wanted

    def run(self, pubs: Iterable[Any], *, shots: int | Auto | None = None) -> Job[_Work]:
        """Begin to run pubs: circuits, or tuples (circuit, parameter values, shots).

        Raises:
            ModelError: an instruction that no simulator can run, parameters without values.
            InfeasibleError: too many qubits for every method; says what each would need.
            ArgumentError: shots that are not a positive integer, an angle that is not a finite number.
        """
        coerced = sampler_pubs(pubs, self.default_shots if shots is None else self._shots(shots))
        rng = None if self.seed is None else np.random.default_rng(self.seed)
        work = [(pub, rows_of(pub), _op(pub, seed_of(rng), self.noise_model)) for pub in coerced]
        for pub, rows, op in work:
            if op is not None:
                require_ways(op, rows, self._machine)
            if not pub.circuit.cregs:
                warnings.warn(
                    f"circuit {pub.circuit.name!r} has no classical registers: its result will be empty",
                    UserWarning,
                    stacklevel=2,
                )
        orders = [np.random.default_rng(seed_of(rng)) for _ in work]

        def run_pub(
            index: int, pub: _Work, go_on: Callable[[], None], lane: int = 0, cores: int | None = None
        ) -> SamplerPubResult:
            given, rows, op = pub
            found = Answer([{0: given.shots}] * given.size, (), ())
            if op is not None:
                machine = self._machine if cores is None else with_cores(self._machine, cores)
                found = answer(op, rows, machine, orders[index], go_on, lane)
            return _result(given, found, orders[index])

        def arrange() -> tuple[Sequence[Turn], int]:
            return queued([[] if op is None else [(op, rows)] for _, rows, op in work], self._machine)

        return Job(work, run_pub, arrange)


_Work: TypeAlias = tuple[SamplerPub, np.ndarray[Any, Any], CircuitOp | None]
"""A pub, its parameter sets, and what is to be run of it."""


def _op(pub: SamplerPub, seed: int | None, noise: Any) -> CircuitOp | None:
    """None where nothing is measured: all bits stay 0."""
    if "measure" not in names_of(pub.circuit):
        return None
    op = CircuitOp.from_circuit(pub.circuit, shots=int(pub.shots), seed=seed)
    return op if noise is None else NoisyCircuitOp.of(op, noise)


def _result(pub: SamplerPub, found: Answer, rng: np.random.Generator) -> SamplerPubResult:
    """Bit arrays by register; a shot is the same shot in all of them."""
    shots, bits = pub.shots, pub.circuit.num_clbits
    samples = np.stack([_samples(one, shots, bits, rng) for one in found.values]) if pub.size else None
    registers = {}
    for register in pub.circuit.cregs:
        places = [pub.circuit.find_bit(bit).index for bit in register]
        if samples is None:
            own = np.zeros((*pub.shape, shots, register.size), bool)
        else:
            own = samples[..., places].reshape(*pub.shape, shots, register.size)
        registers[register.name] = BitArray.from_bool_array(own, order="little")
    return SamplerPubResult(
        DataBin(**registers, shape=pub.shape),
        metadata={"shots": shots, "circuit_metadata": pub.circuit.metadata, "hetero": _told(found)},
    )


def _samples(
    counts: Mapping[int, int], shots: int, bits: int, rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    """(shots, bits) of 0 and 1, bit 0 first, in random order: shots have no order that counts could keep."""
    width = max(1, -(-bits // 8))
    packed = b"".join(value.to_bytes(width, "little") for value in counts)
    table = np.unpackbits(
        np.frombuffer(packed, np.uint8).reshape(len(counts), width), axis=1, bitorder="little"
    )
    order = rng.permutation(np.repeat(np.arange(len(counts)), list(counts.values())))
    return table[order, :bits]


def _told(found: Answer) -> dict[str, Any]:
    return {"parts": [story.to_dict() for story in found.stories], "reduced": list(found.notes)}
