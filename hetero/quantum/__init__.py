"""Quantum circuits as Qiskit's users run them, on whatever runs them best.

    from hetero.quantum import Estimator, Sampler      # instead of qiskit.primitives' or qiskit_aer.primitives'

`Sampler` and `Estimator` are Qiskit's V2 primitives; `choose` says what each simulation method is forecast to take for
a circuit, and why. This is the one part of hetero that imports qiskit when it is loaded.
"""

from hetero.quantum.choosing import Choice, choose
from hetero.quantum.estimator import Estimator
from hetero.quantum.gradients import Differentiable
from hetero.quantum.kernels import kernel_matrix
from hetero.quantum.processors import RealProcessor
from hetero.quantum.sampler import Sampler

__all__ = ["Choice", "Differentiable", "Estimator", "RealProcessor", "Sampler", "choose", "kernel_matrix"]
