"""The ``options=`` of Aer's own primitives, so that code which was written for them changes one import line.

What says what is asked (noise, seed, shots, precision) is taken. What says how Aer is to go about it has no meaning
where the method is chosen, and is refused by name: to leave it out without a word would be another program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hetero.errors import ArgumentError, UnknownNameError

__all__ = ["AerOptions", "aer_options"]

TAKEN = {
    "backend_options": ("noise_model", "seed_simulator", "method"),
    "run_options": ("noise_model", "seed_simulator"),
}
"""Of both dictionaries that Aer's options have; a method is taken where it is ``automatic``."""


@dataclass(frozen=True, slots=True)
class AerOptions:
    """What the options say; as they are by default where they do not."""

    noise_model: Any = None
    seed: int | None = None
    default_precision: float = 0.0


def aer_options(options: Mapping[str, Any] | None, *, estimator: bool = False) -> AerOptions:
    """Read them.

    Raises:
        ArgumentError: it is no dictionary, or has what is left to hetero: says which and what to do.
        UnknownNameError: a key that Aer's options do not have.

    >>> aer_options({"backend_options": {"method": "automatic", "seed_simulator": 5}}).seed
    5
    """
    given = {} if options is None else options
    known = [*TAKEN, "default_precision"] if estimator else [*TAKEN]
    if not isinstance(given, Mapping):
        raise ArgumentError(f"options={options!r}: expected a dictionary with {', '.join(known)}")
    for key in given:
        if key not in known:
            raise UnknownNameError("option of Aer's primitives", str(key), known)
    said: dict[str, Any] = {}
    for where, names in TAKEN.items():
        for name, value in _entries(where, given.get(where)):
            if name not in names or (name == "method" and value != "automatic"):
                raise ArgumentError(
                    f"options[{where!r}][{name!r}]={value!r}: hetero chooses how circuits are simulated, by what it "
                    f"takes; leave it out, or keep to some devices by allow= and deny=. Taken are {', '.join(names)}"
                )
            said[name] = value
    return AerOptions(
        said.get("noise_model"), said.get("seed_simulator"), given.get("default_precision") or 0.0
    )


def _entries(where: str, given: Any) -> list[tuple[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise ArgumentError(f"options[{where!r}]={given!r}: expected a dictionary")
    return [(str(name), value) for name, value in given.items()]
