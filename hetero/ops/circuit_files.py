"""Circuits from what people have: a Qiskit circuit, OpenQASM text, or a file of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetero.errors import ArgumentError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["read_circuit"]

_VERSION = re.compile(r"^\s*(?://[^\n]*\n\s*|/\*.*?\*/\s*)*OPENQASM\s+(\d+)", re.DOTALL)


def read_circuit(source: Any) -> QuantumCircuit:
    """A circuit from a ``QuantumCircuit`` (as it is), OpenQASM 2 or 3 text, or the path of such a file.

    Raises:
        ArgumentError: it is none of these.
        ModelError: the text is broken; the message has the parser's line and column.
        MissingExtraError: qiskit (or, for OpenQASM 3, qiskit_qasm3_import) is not installed.
    """
    try:
        from qiskit import QuantumCircuit
    except ModuleNotFoundError as error:
        raise MissingExtraError("a circuit", "qiskit", "quantum") from error
    if isinstance(source, QuantumCircuit):
        return source
    if isinstance(source, str) and _VERSION.match(source):
        return _parse(source, "OpenQASM text")
    if isinstance(source, str | Path):
        try:
            text = Path(source).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{str(source)[:80]!r} is neither OpenQASM text (which starts with 'OPENQASM 2.0;' or "
                f"'OPENQASM 3;') nor a file of it: {error}"
            ) from error
        return _parse(text, str(source))
    raise ArgumentError(
        f"a circuit must be a qiskit QuantumCircuit, OpenQASM text or a path, not {type(source).__name__}"
    )


def _parse(text: str, where: str) -> QuantumCircuit:
    from qiskit import qasm2, qasm3
    from qiskit.exceptions import MissingOptionalLibraryError, QiskitError

    found = _VERSION.match(text)
    if found is None or found[1] not in "23":
        raise ModelError(f"{where}: must start with 'OPENQASM 2.0;' or 'OPENQASM 3;'")
    try:
        if found[1] == "3":
            return qasm3.loads(text)
        return qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    except MissingOptionalLibraryError as error:
        raise MissingExtraError("OpenQASM 3", "qiskit_qasm3_import", "quantum") from error
    except QiskitError as error:
        raise ModelError(f"{where}: broken OpenQASM {found[1]}: {error.message}") from error
    except Exception as error:
        # The OpenQASM 3 parser's error is empty; the one that it came from knows the place.
        if type(error).__name__ != "QASM3ParsingError":
            raise
        raise ModelError(f"{where}: broken OpenQASM 3: {_place(error)}") from error


def _place(error: BaseException | None) -> str:
    """The line and column of a syntax error of ANTLR's, found among the causes of ``error``."""
    while error is not None:
        token = getattr(next(iter(error.args), error), "offendingToken", None)
        if token is not None:
            return f"line {token.line}, column {token.column}: unexpected {token.text!r}"
        error = error.__cause__ or error.__context__
    return "syntax error"
