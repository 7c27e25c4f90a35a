"""The angles of a circuit's gates as functions of its parameters, for many parameter sets at once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Angles"]

Array = np.ndarray[Any, Any]


class _Curve(NamedTuple):
    """A row that is no linear function of the parameters: its value, and its slope by each that it depends on."""

    row: int
    value: Callable[..., Any]
    slopes: list[tuple[int, Callable[..., Any]]]


class Angles:
    """A table of angles in radians, a row for each distinct ``factor * expression``.

    Filled by `row` while a circuit is read, then `compiled`: rows linear in the parameters become one matrix product,
    the others one function each.
    """

    def __init__(self, parameters: Sequence[Any]) -> None:
        self._parameters = list(parameters)
        self._rows: dict[tuple[float, Any], int] = {}
        self._slope = self._offset = np.zeros((0, 0))
        self._curved: list[_Curve] = []

    def row(self, expression: Any, factor: float = 1.0) -> int:
        """The number of the row of ``factor * expression``."""
        return self._rows.setdefault((factor, expression), len(self._rows))

    def compiled(self) -> Angles:
        """The same, ready to be evaluated."""
        rows = list(self._rows)
        self._slope = np.zeros((len(rows), len(self._parameters)))
        self._offset = np.zeros((len(rows), 1))
        column = {parameter: i for i, parameter in enumerate(self._parameters)}
        for index, (factor, expression) in enumerate(rows):
            own = getattr(expression, "parameters", ())
            if not own:
                self._offset[index] = factor * _real(expression)
                continue
            slopes = {p: expression.gradient(p) for p in own}
            if any(getattr(slope, "parameters", ()) for slope in slopes.values()):
                self._curved.append(self._curve(index, factor, expression))
                continue
            for p, slope in slopes.items():
                self._slope[index, column[p]] = factor * _real(slope)
            self._offset[index] = factor * _real(expression.bind(dict.fromkeys(own, 0.0)))
        return self

    def table(self, sets: Array) -> Array:
        """Of parameter sets (sets, n): angles (rows, sets)."""
        table = self._slope @ sets.T + self._offset
        for curve in self._curved:
            table[curve.row] = np.real(curve.value(*sets.T))
        return np.asarray(table)

    def pulled_back(self, by_angle: Array, sets: Array) -> Array:
        """Derivatives by parameters (sets, n) from those by angles (rows, sets): the chain rule."""
        found = by_angle.T @ self._slope
        for curve in self._curved:
            for column, slope in curve.slopes:
                found[:, column] += by_angle[curve.row] * np.real(slope(*sets.T))
        return np.asarray(found)

    def _curve(self, index: int, factor: float, expression: Any) -> _Curve:
        """A nonlinear row as NumPy functions of all parameters in order.

        SymPy differentiates: Qiskit's own derivative of ``x[0] * x[1]`` turns into the wrong symbol on its way to it.
        """
        sympy: Any = importlib.import_module("sympy")  # comes with qiskit
        # Names of one's own: those of vector elements ("x[0]") are no names of Python variables.
        plain = [sympy.Symbol(f"angle{i}") for i in range(len(self._parameters))]
        own = dict(zip(map(str, self._parameters), plain, strict=True))
        formula = expression.sympify()
        formula = factor * formula.xreplace({symbol: own[str(symbol)] for symbol in formula.free_symbols})
        slopes = [
            (column, sympy.lambdify(plain, formula.diff(symbol), "numpy"))
            for column, symbol in enumerate(plain)
            if symbol in formula.free_symbols
        ]
        return _Curve(index, sympy.lambdify(plain, formula, "numpy"), slopes)


def _real(value: Any) -> float:
    return float(np.real(complex(value)))
