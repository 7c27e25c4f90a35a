"""From a plan to what runs it: in this process, or on the cluster that it was made for."""

from __future__ import annotations

from hetero.plans import Plan
from hetero.run.session import Session

__all__ = ["open_session"]


def open_session(plan: Plan) -> Session:
    """Open the plan where it belongs. Compiles every node, so what cannot run fails here.

    Raises:
        DeviceError: a node cannot be compiled.
        UnavailableError: the plan is for a Ray cluster that is not there.
    """
    if plan.cluster is None:
        return Session(plan)
    from hetero.run.compile import compile_program
    from hetero.run.ray_cluster import RayExecutor

    executor = RayExecutor(
        compile_program(plan), plan.machine, plan.cluster, replicate=plan.objective == "throughput"
    )
    return Session(plan, executor)
