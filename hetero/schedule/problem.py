"""The scheduling problem as a frozen value: all that the scheduler sees.

A Problem that exists is well-formed: building one runs every rule of `hetero.schedule.rules`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hetero.errors import ProblemError
from hetero.files import read_json

__all__ = ["Edge", "Limits", "Link", "Option", "Problem", "Processor", "Task"]


@dataclass(frozen=True, slots=True)
class Processor:
    """A physical thing with capacity; `memory_bytes` None means no limit."""

    name: str
    cores: int = 1
    memory_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A direct connection, in one direction, between the memories of two processors."""

    source: str
    target: str
    latency_s: float
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run a task: where, for how long, and what it takes.

    `memory_bytes` stays resident for the whole schedule (weights). Options of one processor with the same
    `resident` key share one copy (a model used twice); where their sizes differ, the largest counts.
    """

    processor: str
    seconds: float
    cores: int = 1
    memory_bytes: float = 0
    joules: float = 0
    dollars: float = 0
    error: float = 0
    resident: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Runs exactly one of its options, once, without interruption."""

    name: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` starts after `source` has ended and its `nbytes` have arrived."""

    source: str
    target: str
    nbytes: float = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits on one run of the whole graph; None means no limit.

    `seconds` limits the makespan, `joules`, `dollars` and `error` the sums over the chosen options, and
    `memory_bytes` the resident memory summed over processors.
    """

    seconds: float | None = None
    joules: float | None = None
    dollars: float | None = None
    error: float | None = None
    memory_bytes: float | None = None

    def merged(self, other: Limits | None) -> Limits:
        """These limits, with those that `other` states in their place."""
        if other is None:
            return self
        stated = {f.name: getattr(other, f.name) for f in fields(other) if getattr(other, f.name) is not None}
        return replace(self, **stated)


@dataclass(frozen=True, slots=True)
class Problem:
    """Tasks with options, edges between them, processors and links.

    Raises `ProblemError` naming the place, what was found and what is allowed.
    """

    processors: tuple[Processor, ...] = ()
    tasks: tuple[Task, ...] = ()
    edges: tuple[Edge, ...] = ()
    links: tuple[Link, ...] = ()
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        from hetero.schedule.rules import check

        check(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Problem:
        """Read the JSON form (see the design's section "Scheduling problem, as a file")."""
        from hetero.schedule.parse import problem_from_dict

        return problem_from_dict(data)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `Problem.from_dict` reads it back to an equal value."""
        from hetero.schedule.parse import problem_to_dict

        return problem_to_dict(self)

    @classmethod
    def load(cls, path: str | Path) -> Problem:
        """Read a problem file. Raises `ProblemError` if it cannot be read, naming the file."""
        try:
            data = read_json(path)
        except OSError as error:
            raise ProblemError(f"cannot read {path}: {error.strerror or error}") from error
        except ValueError as error:
            raise ProblemError(f"cannot read {path} as JSON: {error}") from error
        except RecursionError as error:
            raise ProblemError(f"{path} is not a problem file: it is nested too deeply") from error
        return cls.from_dict(data)

    def save(self, path: str | Path) -> None:
        """Write the problem file; the old file stays intact if writing fails."""
        from hetero.files import write_atomically

        write_atomically(path, (json.dumps(self.to_dict(), indent=1) + "\n").encode())
