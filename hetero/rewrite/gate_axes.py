"""Along which axis of the Bloch sphere a gate acts on each of its qubits: gates that share axes commute."""

from __future__ import annotations

from typing import Any

__all__ = ["ANY", "DIAGONAL", "axes_of"]

ANY = "*"
"""No axis: the gate commutes with nothing on this qubit, as far as is known."""

DIAGONAL = frozenset("id z s sdg t tdg p rz u1 cz cp cu1 crz cs csdg ccz rzz mcp mcphase".split())  # noqa: SIM905
"""Standard gates whose matrix is diagonal whatever their angles, control states included."""

_ALONG = {"x": "X", "rx": "X", "sx": "X", "sxdg": "X", "y": "Y", "ry": "Y"}
_PAIRS = {"rxx": "XX", "ryy": "YY", "rzx": "ZX"}
_CONTROLLED = {
    **dict.fromkeys(("cx", "ccx", "mcx", "crx", "csx"), "X"),
    **dict.fromkeys(("cy", "cry"), "Y"),
    **dict.fromkeys(("ch", "cu"), ANY),
    "cswap": ANY * 2,
}
"""What a controlled gate does to its last qubits; a control is along Z, whichever state it waits for."""


def axes_of(instruction: Any) -> str:
    """A letter for each qubit of an instruction: it is a sum of products of I and this Pauli operator there.

    Two gates commute that have the same letter on every qubit that they share, for all these operators do.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(3)
    >>> _ = circuit.ccx(0, 1, 2), circuit.rzz(0.1, 0, 1), circuit.h(0)
    >>> [axes_of(instruction) for instruction in circuit.data]
    ['ZZX', 'ZZ', '*']
    """
    name, width = instruction.name.removesuffix("_o0"), len(instruction.qubits)
    if name in DIAGONAL:
        return "Z" * width
    if name in _CONTROLLED:
        target = _CONTROLLED[name]
        return "Z" * (width - len(target)) + target
    return _ALONG.get(name) or _PAIRS.get(name) or ANY * width
