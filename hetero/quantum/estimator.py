"""Expectation values of circuits: Qiskit's BaseEstimatorV2, each circuit on the simulator forecast to be fastest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from qiskit.primitives import BaseEstimatorV2, DataBin, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp

from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_noise import NoisyCircuitOp
from hetero.planning.selection import Selection
from hetero.quantum.aer_options import aer_options
from hetero.quantum.jobs import Job
from hetero.quantum.memory import notes_on
from hetero.quantum.pubs import estimator_pubs, rows_of
from hetero.quantum.queue import Turn, queued, with_cores
from hetero.quantum.running import answer, require_ways
from hetero.quantum.ways import machine_for
from hetero.quantum.workers import warm

__all__ = ["Estimator"]

WASTE = 4
"""All sets are asked for all observables where that is at most so many times the pairs that are wanted: the observables
of one set share its state, and one call beats many."""


class Estimator(BaseEstimatorV2):  # type: ignore[misc]  # qiskit ships no types
    """A drop-in for Qiskit's estimators: any circuit, not only ISA circuits; exact unless a precision is given.

    Args:
        default_precision: standard error where neither ``run`` nor the pub says; 0 is exact. Any other adds normal
            noise of that deviation to the exact values, as sampling on a real processor would.
        seed: of that noise.
        noise_model: a ``qiskit_aer.noise.NoiseModel``; its errors happen at the gates as the circuit has them.
        options: as Aer's own primitives take them; what is given by name comes first. See `aer_options`.
        allow, deny: names of devices, engines, vendors or suppliers.

    >>> from qiskit import QuantumCircuit
    >>> bell = QuantumCircuit(2)
    >>> _ = bell.h(0), bell.cx(0, 1)
    >>> Estimator().run([(bell, ["ZZ", "XX", "ZI"])]).result()[0].data.evs.round(6) + 0.0
    array([1., 1., 0.])
    """

    def __init__(
        self,
        *,
        default_precision: float | None = None,
        seed: np.random.Generator | int | None = None,
        noise_model: Any = None,
        options: Mapping[str, Any] | None = None,
        allow: str | Iterable[str] | None = None,
        deny: str | Iterable[str] | None = None,
    ) -> None:
        said = aer_options(options, estimator=True)
        self.default_precision = said.default_precision if default_precision is None else default_precision
        self.seed = said.seed if seed is None else seed
        self.noise_model = said.noise_model if noise_model is None else noise_model
        self._machine = machine_for(Selection.of(allow, deny))
        warm(*self._machine.devices)

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> Job[_Work]:
        """Begin to run pubs: tuples (circuit, observables, parameter values, precision), broadcast against each other.

        Raises:
            ModelError: an instruction that no simulator can run, parameters without values, an observable that does
                not fit or is not Hermitian, a circuit that measures before its end.
            InfeasibleError: too many qubits for every method; says what each would need.
            ArgumentError: a precision below 0, an angle that is not a finite number.
        """
        coerced = estimator_pubs(pubs, self.default_precision if precision is None else precision)
        rng = np.random.default_rng(self.seed)
        work = [(pub, rows_of(pub), list(_groups(pub, self.noise_model))) for pub in coerced]

        for _, rows, groups in work:
            for group in groups:
                require_ways(group.op, rows[group.sets], self._machine)
        noises = rng.spawn(len(work))

        def run_pub(
            index: int, pub: _Work, go_on: Callable[[], None], lane: int = 0, cores: int | None = None
        ) -> PubResult:
            given, rows, groups = pub
            machine = self._machine if cores is None else with_cores(self._machine, cores)
            values = np.zeros(given.shape)
            flat, parts, notes = values.reshape(-1), [], []
            for group in groups:
                go_on()
                found = answer(group.op, rows[group.sets], machine, noises[index], go_on, lane)
                flat[group.places] = found.values[group.own_set, group.own_observable]
                parts += [story.to_dict() for story in found.stories]
                notes += list(found.notes)
            values = flat.reshape(given.shape)
            if given.precision:
                values = noises[index].normal(values, given.precision)
            stds = np.full(given.shape, float(given.precision))
            data = DataBin(evs=values, stds=stds, shape=given.shape)
            told = {"parts": parts, "reduced": notes}
            metadata = {
                "target_precision": given.precision,
                "circuit_metadata": given.circuit.metadata,
                "hetero": told,
            }
            return PubResult(data, metadata=metadata)

        def arrange() -> tuple[Sequence[Turn], int]:
            asked = [[(group.op, rows[group.sets]) for group in groups] for _, rows, groups in work]
            return queued(asked, self._machine)

        return Job(work, run_pub, arrange)


class _Group(NamedTuple):
    """``op`` runs on the parameter sets ``sets``; its value of (own_set, own_observable) goes to each of ``places``."""

    op: CircuitOp
    sets: Any
    places: Any
    own_set: Any
    own_observable: Any


_Work: TypeAlias = tuple[EstimatorPub, np.ndarray[Any, Any], list[_Group]]
"""A pub, its parameter sets, and what is to be run of it."""


def _groups(pub: EstimatorPub, noise: Any) -> Iterable[_Group]:
    """Few ops for all wanted pairs of parameter set and observable, none of which computes a state twice."""
    sets, observables = _pairs(pub.parameter_values.shape, pub.observables.shape)
    if not len(sets):
        return
    if pub.parameter_values.size * pub.observables.size <= WASTE * len(sets):
        yield _Group(_op(pub, None, noise), slice(None), slice(None), sets, observables)
        return
    asked: dict[tuple[int, ...], list[int]] = {}
    for one in range(pub.parameter_values.size):
        asked.setdefault(tuple(np.unique(observables[sets == one]).tolist()), []).append(one)
    for wanted, members in asked.items():
        places = np.flatnonzero(np.isin(sets, members))
        own_set = np.searchsorted(members, sets[places])
        own_observable = np.searchsorted(wanted, observables[places])
        yield _Group(_op(pub, wanted, noise), members, places, own_set, own_observable)


@lru_cache(maxsize=64)
def _pairs(sets: tuple[int, ...], observables: tuple[int, ...]) -> tuple[Any, Any]:
    """The number of the parameter set and of the observable at each place of their broadcast, flat."""
    left, right = (np.arange(math.prod(shape)).reshape(shape) for shape in (sets, observables))
    left, right = np.broadcast_arrays(left, right)
    return left.reshape(-1), right.reshape(-1)


def _op(pub: EstimatorPub, wanted: tuple[int, ...] | None, noise: Any) -> CircuitOp:
    """The circuit with some or all of the pub's observables, understood once."""
    flat = pub.observables
    notes, key = notes_on(pub.circuit), ("expectations", id(flat), wanted)
    found = notes.get(key)  # once: another thread may clear the notes
    if found is None or found[0] is not flat:
        # Sums of Paulis; projectors (0, 1, +, -, r, l) are written out.
        sparse = flat.ravel().sparse_observables_array()
        places = range(len(sparse)) if wanted is None else wanted
        terms = [SparsePauliOp.from_sparse_observable(sparse[index]) for index in places]
        found = notes[key] = flat, CircuitOp.from_circuit(pub.circuit, observables=terms)
    op: CircuitOp = found[1]
    return op if noise is None else NoisyCircuitOp.of(op, noise)
