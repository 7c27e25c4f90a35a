"""Room for all actors of a program at once: a placement group, so that of two jobs one has all its room and the other
waits, instead of each holding half of what both need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from hetero.errors import UnavailableError
from hetero.run.ray_actor import Reserved
from hetero.run.ray_needs import Needs

__all__ = ["Group"]

PATIENCE_S = 60.0
NODE_LABEL = "ray.io/node-id"
"""Ray labels each node with its own id: a bundle goes to the node whose label it selects."""


class Group:
    """A placement group with a bundle for each actor that needs anything, on the node that the plan chose for it.

    Raises:
        UnavailableError: there is no such room; says what was asked for.
    """

    def __init__(self, name: str, needs: Mapping[str, Needs], nodes: Mapping[str, str]) -> None:
        """``needs`` and ids of ``nodes`` by actor, whose name is that of a site; without an id it goes anywhere."""
        import ray

        self._numbers: dict[str, int] = {}
        self._group: Any = None
        self._nodes = nodes
        asked = {actor: found for actor, found in needs.items() if found.bundle and nodes[actor]}
        if not asked:
            return
        self._numbers = {actor: number for number, actor in enumerate(asked)}
        self._group = ray.util.placement_group(
            [found.bundle for found in asked.values()],
            strategy="PACK",
            # Ray takes a name once, and a plan made again is open beside the one before.
            name=f"hetero {name} {uuid4().hex[:8]}",
            bundle_label_selector=[{NODE_LABEL: nodes[actor]} for actor in asked],
        )
        if not self._group.wait(PATIENCE_S):
            self.close()
            wanted = "; ".join(f"{actor or 'driver'}: {found}" for actor, found in asked.items())
            raise UnavailableError(
                f"plan {name!r} needs room on the cluster that was not free within {PATIENCE_S:g} s ({wanted}): other "
                "jobs hold it; wait for their end, add nodes, or plan on fewer of them"
            )

    def place(self, actor: str) -> Reserved:
        """Where an actor goes."""
        number = self._numbers.get(actor)
        if number is None:
            return Reserved(self._nodes[actor])
        return Reserved(self._nodes[actor], self._group, number)

    def close(self) -> None:
        import ray

        if self._group is not None:
            ray.util.remove_placement_group(self._group)
            self._group = None
