"""A problem as JSON, both ways.

This module checks the shape of the data (objects, lists, fields that must be there); whether the values
make sense is for `hetero.schedule.rules` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from hetero.errors import ProblemError, UnknownNameError
from hetero.schedule.problem import Edge, Limits, Link, Option, Problem, Processor, Task
from hetero.schedule.rules import check_limits

__all__ = ["limits_from_dict", "problem_from_dict", "problem_to_dict"]

VERSION = 1
LIMIT_NAMES = tuple(field.name for field in fields(Limits))


def problem_from_dict(data: Mapping[str, Any]) -> Problem:
    """The Problem that a decoded JSON object describes."""
    top = _Object(data, "problem")
    top.known("version", "processors", "tasks", "edges", "links", "limits")
    version = top.get("version", VERSION)
    if isinstance(version, bool) or version != VERSION:
        raise ProblemError(f"problem: version is {version!r}; this hetero reads version {VERSION}")
    return Problem(
        processors=tuple(map(_processor, top.items("processors"))),
        tasks=tuple(map(_task, top.items("tasks"))),
        edges=tuple(map(_edge, top.items("edges", optional=True))),
        links=tuple(map(_link, top.items("links", optional=True))),
        limits=limits_from_dict({} if (limits := top.get("limits", None)) is None else limits),
    )


def limits_from_dict(data: Mapping[str, Any]) -> Limits:
    """Limits by name; `latency_s`, the planner's word for `seconds`, is understood too."""
    entry = _Object(data, "limits")
    if {"seconds", "latency_s"} <= entry.data.keys():
        raise ProblemError("limits: seconds and latency_s are two names of one limit; give one of them")
    renamed = {"seconds" if name == "latency_s" else name: value for name, value in entry.data.items()}
    for name in renamed:
        if name not in LIMIT_NAMES:
            raise ProblemError(f"limits: {UnknownNameError('limit', name, ('latency_s', *LIMIT_NAMES))}")
    limits = Limits(**renamed)
    check_limits(limits)
    return limits


def problem_to_dict(problem: Problem) -> dict[str, Any]:
    """The JSON form, defaults left out where the format has one."""
    data: dict[str, Any] = {
        "version": VERSION,
        "processors": [
            {"name": p.name, "cores": p.cores, "memory_bytes": p.memory_bytes} for p in problem.processors
        ],
        "links": [
            {"from": k.source, "to": k.target, "latency_s": k.latency_s, "bytes_per_s": k.bytes_per_s}
            for k in problem.links
        ],
        "tasks": [
            {"name": t.name, "options": [_option_to_dict(option) for option in t.options]}
            for t in problem.tasks
        ],
        "edges": [{"from": e.source, "to": e.target, "bytes": e.nbytes} for e in problem.edges],
    }
    limits = {name: getattr(problem.limits, name) for name in LIMIT_NAMES}
    stated = {name: value for name, value in limits.items() if value is not None}
    return {**data, "limits": stated} if stated else data


def _option_to_dict(option: Option) -> dict[str, Any]:
    data: dict[str, Any] = {"processor": option.processor, "seconds": option.seconds, "cores": option.cores}
    for name in ("memory_bytes", "joules", "dollars", "error"):
        if getattr(option, name) != 0:
            data[name] = getattr(option, name)
    if option.resident is not None:
        data["resident"] = option.resident
    return data


def _processor(entry: _Object) -> Processor:
    entry.known("name", "cores", "memory_bytes")
    return Processor(entry.need("name"), _whole(entry.get("cores", 1)), entry.get("memory_bytes", None))


def _link(entry: _Object) -> Link:
    entry.known("from", "to", "latency_s", "bytes_per_s")
    return Link(entry.need("from"), entry.need("to"), entry.need("latency_s"), entry.need("bytes_per_s"))


def _edge(entry: _Object) -> Edge:
    entry.known("from", "to", "bytes")
    return Edge(entry.need("from"), entry.need("to"), entry.get("bytes", 0))


def _task(entry: _Object) -> Task:
    entry.known("name", "options")
    name = entry.need("name")
    return Task(name, tuple(map(_option, entry.items("options", place=f"task {name!r}"))))


def _option(entry: _Object) -> Option:
    names = [field.name for field in fields(Option)]
    entry.known(*names)
    entry.need("processor")
    entry.need("seconds")
    values = {name: entry.data[name] for name in names if name in entry.data}
    if "cores" in values:
        values["cores"] = _whole(values["cores"])
    return Option(**values)


def _whole(value: Any) -> Any:
    """A JSON writer in a language of floats says 2.0 where it means 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Object:
    """A JSON object that knows its place, for messages."""

    def __init__(self, data: Any, place: str) -> None:
        if not isinstance(data, Mapping):
            raise ProblemError(f"{place}: found {_kind(data)}; it must be an object")
        self.data, self.place = data, place

    def known(self, *names: str) -> None:
        """Refuse a misspelt field; other extra fields are a writer's own notes and are left alone."""
        for name in self.data:
            if name not in names and (close := get_close_matches(str(name), names, n=1, cutoff=0.8)):
                raise ProblemError(f"{self.place}: unknown field {name!r}; did you mean {close[0]!r}?")

    def need(self, name: str) -> Any:
        if name not in self.data:
            raise ProblemError(f"{self.place}: field {name!r} is missing")
        return self.data[name]

    def get(self, name: str, default: Any) -> Any:
        return self.data.get(name, default)

    def items(self, name: str, *, optional: bool = False, place: str | None = None) -> list[_Object]:
        value = self.get(name, []) if optional else self.need(name)
        place = place or (self.place if self.place != "problem" else "")
        if not isinstance(value, list | tuple):
            raise ProblemError(f"{place or 'problem'}: {name!r} is {_kind(value)}; it must be a list")
        prefix = f"{place}, " if place else ""
        return [_Object(item, f"{prefix}{name}[{index}]") for index, item in enumerate(value)]


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}.get(
        type(value), repr(value)
    )
