"""Spread over a cluster or on one node of it: which plan is taken."""

from dataclasses import replace

import pytest
from cluster_nodes import double
from plans_by_hand import PYTHON, plan_of

import hetero as ht
from hetero.cost.estimate import Estimate
from hetero.machine import Machine, Processor
from hetero.run.ray_plan import best_of
from hetero.run.sites import site_of

CORES = {"": 1, "n1": 2}
"""Nodes of two kinds: of equal ones only the first is asked."""


@ht.pipeline
def doubled(x):
    return double(double(x))


def machine():
    names = {site: f"{site}:cpu" if site else "cpu" for site in CORES}
    return Machine(
        tuple(Processor(names[site], cores=cores, node=site or "own") for site, cores in CORES.items()),
        tuple(replace(PYTHON, name=f"{name}/python", processor=name) for name in names.values()),
    )


def chosen(objective, here, there, spread):
    """Where the best plan runs, of three with these estimates."""

    def decide_on(machine):
        sites = [site_of(p.name) for p in machine.processors]
        own, other = "cpu/python", "n1:cpu/python"
        devices = {"double": other if sites == ["n1"] else own, "double#2": other if "n1" in sites else own}
        plan = plan_of(doubled.trace(), on=machine, devices=devices)
        estimate = {("",): here, ("n1",): there, ("", "n1"): spread}[tuple(sites)]
        return replace(plan, request=replace(plan.request, objective=objective), estimate=estimate)

    found = best_of(machine(), decide_on)
    return {site_of(choice.device) for choice in found.choices.values()}, found.notes


def test_the_drivers_node_is_kept_where_others_win_by_noise_only():
    """One percent is noise, ten are not."""
    assert chosen("latency", Estimate(1.01), Estimate(1.0), Estimate(1.0))[0] == {""}
    assert chosen("latency", Estimate(1.1), Estimate(1.0), Estimate(1.0))[0] == {"n1"}


@pytest.mark.parametrize("objective", ["latency", "energy", "cost"])
def test_the_objective_is_what_counts_of_the_whole_request(objective):
    """The plan that is best in it is taken, however bad it is in the others; the notes say by how much."""
    field = {"latency": "seconds", "energy": "joules", "cost": "dollars"}[objective]
    bad, good = (replace(Estimate(9.0, joules=9.0, dollars=9.0), **{field: value}) for value in (4.0, 1.0))
    sites, notes = chosen(objective, bad, bad, good)
    assert sites == {"", "n1"}
    assert any(note.startswith("spread over the driver's node, n1: 1") for note in notes)
    assert chosen(objective, good, bad, bad)[0] == {""}
