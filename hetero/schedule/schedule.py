"""What the scheduler gives back: an option, a start and an end for each task, with a proven bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

__all__ = ["OBJECTIVES", "Objective", "Placement", "Schedule"]

Objective = Literal["latency", "throughput", "energy", "cost"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and when a task runs: `option` counts from 0 in the order of the task's options."""

    name: str
    option: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """A verified schedule and how good it provably is.

    `objective_value` and `lower_bound` are in the objective's unit: seconds for latency and throughput
    (the period), joules for energy, dollars for cost. Under throughput the placements show one query
    alone; in steady state only their options count. `method` names the algorithm that found it.
    """

    objective: Objective
    tasks: tuple[Placement, ...]
    makespan_s: float
    objective_value: float
    lower_bound: float
    proven_optimal: bool
    method: str

    @property
    def lower_bound_s(self) -> float:
        """The bound in seconds: on the makespan for latency, on the period for throughput, else 0."""
        return self.lower_bound if self.objective in ("latency", "throughput") else 0.0

    @property
    def period_s(self) -> float | None:
        """Seconds between two results in steady state; known under throughput only."""
        return self.objective_value if self.objective == "throughput" else None

    @property
    def gap(self) -> float:
        """How much smaller, relative to the value, the optimum might be: 0 where it is proven."""
        if self.objective_value <= self.lower_bound:
            return 0.0
        return 1.0 - self.lower_bound / self.objective_value

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of the design's section "Scheduling problem, as a file"."""
        if self.objective == "throughput":
            return {
                "objective": self.objective,
                "period_s": self.objective_value,
                "lower_bound_s": self.lower_bound,
                "proven_optimal": self.proven_optimal,
                "tasks": [{"name": task.name, "option": task.option} for task in self.tasks],
            }
        head: dict[str, Any] = {"objective": self.objective, "makespan_s": self.makespan_s}
        if self.objective == "latency":
            head["lower_bound_s"] = self.lower_bound
        else:
            head["objective_value"] = self.objective_value
            head["lower_bound"] = self.lower_bound
        head["proven_optimal"] = self.proven_optimal
        head["tasks"] = [
            {"name": task.name, "option": task.option, "start_s": task.start_s, "end_s": task.end_s}
            for task in self.tasks
        ]
        return head
