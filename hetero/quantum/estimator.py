"""Expectation values of circuits: Qiskit's BaseEstimatorV2, each circuit on the simulator forecast to be fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2, DataBin, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp

from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_noise import NoisyCircuitOp
from hetero.planning.selection import Selection
from hetero.quantum.jobs import Job
from hetero.quantum.pubs import estimator_pubs, rows_of
from hetero.quantum.running import answer
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
        default_precision: float = 0.0,
        seed: np.random.Generator | int | None = None,
        noise_model: Any = None,
        allow: str | Iterable[str] | None = None,
        deny: str | Iterable[str] | None = None,
    ) -> None:
        self.default_precision = default_precision
        self.seed = seed
        self.noise_model = noise_model
        self._machine = machine_for(Selection.of(allow, deny))
        warm(*self._machine.devices)

    def run(
        self, pubs: Iterable[Any], *, precision: float | None = None
    ) -> Job[tuple[EstimatorPub, list[_Group]]]:
        """Begin to run pubs: tuples (circuit, observables, parameter values, precision), broadcast against each other.

        Raises:
            ModelError: an instruction that no simulator can run, parameters without values, an observable that does
                not fit or is not Hermitian, a circuit that measures before its end.
            ArgumentError: a precision below 0, an angle that is not a finite number.
        """
        coerced = estimator_pubs(pubs, self.default_precision if precision is None else precision)
        rng = np.random.default_rng(self.seed)
        work = [(pub, [_with(self.noise_model, group) for group in _groups(pub)]) for pub in coerced]

        def run_pub(
            index: int, item: tuple[EstimatorPub, list[_Group]], go_on: Callable[[], None]
        ) -> PubResult:
            pub, groups = item
            rows = rows_of(pub)
            values = np.zeros(pub.shape)
            flat, parts, notes = values.reshape(-1), [], []
            for op, sets, places, own_set, own_observable in groups:
                go_on()
                found = answer(op, rows[sets], self._machine, rng, go_on)
                flat[places] = found.values[own_set, own_observable]
                parts += [story.to_dict() for story in found.stories]
                notes += list(found.notes)
            values = flat.reshape(pub.shape)
            if pub.precision:
                values = rng.normal(values, pub.precision)
            data = DataBin(evs=values, stds=np.full(pub.shape, float(pub.precision)), shape=pub.shape)
            told = {"parts": parts, "reduced": notes}
            metadata = {
                "target_precision": pub.precision,
                "circuit_metadata": pub.circuit.metadata,
                "hetero": told,
            }
            return PubResult(data, metadata=metadata)

        for pub, _ in work:
            rows_of(pub)
        return Job(work, run_pub)


_Group = tuple[CircuitOp, Any, Any, Any, Any]
"""An op, the parameter sets that it runs on, the flat places in the result that it gives, and for each of these the
number of the set and of the observable among the op's."""


def _with(noise: Any, group: _Group) -> _Group:
    return group if noise is None else (NoisyCircuitOp.of(group[0], noise), *group[1:])


def _groups(pub: EstimatorPub) -> Iterable[_Group]:
    """Few ops for all wanted pairs of parameter set and observable, none of which computes a state twice."""
    sets, observables = np.broadcast_arrays(
        np.arange(pub.parameter_values.size).reshape(pub.parameter_values.shape),
        np.arange(pub.observables.size).reshape(pub.observables.shape),
    )
    sets, observables = sets.reshape(-1), observables.reshape(-1)
    if not len(sets):
        return
    # Sums of Paulis; projectors (0, 1, +, -, r, l) are written out.
    sparse = pub.observables.ravel().sparse_observables_array()
    known = [SparsePauliOp.from_sparse_observable(sparse[index]) for index in range(len(sparse))]
    all_sets, all_observables = np.unique(sets), np.unique(observables)
    if len(all_sets) * len(all_observables) <= WASTE * len(sets):
        yield _group(pub, known, np.arange(len(sets)), sets, observables)
        return
    asked: dict[tuple[int, ...], list[int]] = {}
    for one in all_sets.tolist():
        asked.setdefault(tuple(np.unique(observables[sets == one]).tolist()), []).append(one)
    for members in asked.values():
        places = np.flatnonzero(np.isin(sets, members))
        yield _group(pub, known, places, sets[places], observables[places])


def _group(pub: EstimatorPub, known: list[SparsePauliOp], places: Any, sets: Any, observables: Any) -> _Group:
    own_sets, set_numbers = np.unique(sets, return_inverse=True)
    own_observables, observable_numbers = np.unique(observables, return_inverse=True)
    op = CircuitOp.from_circuit(pub.circuit, observables=[known[i] for i in own_observables.tolist()])
    return op, own_sets, places, set_numbers, observable_numbers
