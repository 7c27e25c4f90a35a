"""Runs that are charged for one by one, as on a real quantum processor: where they may stand, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hetero import show
from hetero.device import Offers, Refusal
from hetero.plans import Plan

__all__ = ["charges_told", "without_charged"]


def without_charged(offers: Offers) -> Offers:
    """What a device offers inside a map or branch: how often that will run is not known, nor what it would cost."""
    charged = [one for one in offers.variants if one.charged_dollars is not None]
    why = "it is charged for by the run, and inside a map or branch nobody knows how many there will be"
    return replace(
        offers,
        variants=tuple(one for one in offers.variants if one.charged_dollars is None),
        refusals=(*offers.refusals, *(Refusal(why, one) for one in charged)),
    )


def charges_told(plan: Plan) -> Iterator[str]:
    """A line for the plan's notes for each node whose runs are charged for."""
    for path, choice in plan.choices.items():
        variant = choice.variant
        if variant.charged_dollars is not None:
            error = "unknown" if variant.declared_error is None else f"{variant.declared_error:.2g}"
            yield (
                f"{path} on {choice.device}: each request is charged ${variant.charged_dollars:.6g} for it and waits "
                f"{show.seconds(variant.declared_seconds or 0.0)}, error {error}, all as declared: nothing was sent, "
                "and nothing will be without the device's leave"
            )
