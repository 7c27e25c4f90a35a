"""A device of another node as if it were here: to ask what it offers, and to compare its outputs.

Runs of a plan do not go this way: there a site's actor has its devices in its own process. A planner needs them once or
twice, and only where no device here is of the same kind.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from hetero.device import HOST, Device, DeviceInfo, DirectExecutable, Executable, Memory, Offers, Variant
from hetero.errors import UnavailableError
from hetero.machine import Machine, Processor
from hetero.ops.base import Op, Outputs
from hetero.registry import open_device
from hetero.run.sites import local_info, site_of
from hetero.values import Specs

__all__ = ["FarDevice", "opener_of"]

PATIENCE_S = 120.0


def opener_of(machine: Machine) -> Callable[[DeviceInfo], Device]:
    """What opens the devices of a cluster: one that has its like on the driver's node is opened here."""
    here = {
        info.fingerprint(machine.processor(info.processor))
        for info in machine.devices
        if not site_of(info.name)
    }

    def opened(info: DeviceInfo) -> Device:
        processor = machine.processor(info.processor)
        if not site_of(info.name) or info.fingerprint(processor) in here:
            return open_device(info)
        return FarDevice(info, processor)

    return opened


class FarDevice:
    """A device on the node of its processor. Values come and go as those of the host."""

    def __init__(self, info: DeviceInfo, processor: Processor) -> None:
        self.info = info
        self.memory: Memory = HOST
        self._processor = processor

    def variants(self, op: Op, specs: Specs) -> Offers:
        import cloudpickle

        actor = self._actor()
        found: Offers = _answer(actor, actor.variants.remote(cloudpickle.dumps(op), specs))
        return found

    def compile(self, op: Op, variant: Variant) -> Executable:
        """Build one variant there.

        Raises:
            DeviceError: the engine refused.
            UnavailableError: the node does not answer.
        """
        import cloudpickle
        import ray

        actor = self._actor()
        _answer(actor, actor.compile.remote(cloudpickle.dumps(op), variant), keep=True)

        def run(*inputs: Any) -> Outputs:
            found: Outputs = ray.get(actor.run.remote(*inputs))
            return found

        return DirectExecutable(run, lambda: ray.kill(actor))

    def _actor(self) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        remote: Any = ray.remote(_Host).options(
            num_cpus=0,
            num_gpus=float(self._processor.kind == "gpu"),
            scheduling_strategy=NodeAffinitySchedulingStrategy(self._processor.node, soft=False),
        )
        return remote.remote(local_info(self.info))


def _answer(actor: Any, ref: Any, *, keep: bool = False) -> Any:
    """What the node says; the actor ends unless it is to be kept."""
    import ray

    try:
        found = ray.get(ref, timeout=PATIENCE_S)
    except ray.exceptions.RayTaskError as error:
        ray.kill(actor)
        raise error.cause from error
    except ray.exceptions.GetTimeoutError as error:
        ray.kill(actor)
        raise UnavailableError(f"a node of the cluster did not answer within {PATIENCE_S:g} s") from error
    if not keep:
        ray.kill(actor)
    return found


class _Host:
    """The process on the node."""

    def __init__(self, info: DeviceInfo) -> None:
        self._info = info
        self._run: Any = None

    def variants(self, op: bytes, specs: Specs) -> Offers:
        return open_device(self._info).variants(pickle.loads(op), specs)

    def compile(self, op: bytes, variant: Variant) -> None:
        from hetero.cost.contender import host_run

        device = open_device(self._info)
        self._run = host_run(device, device.compile(pickle.loads(op), variant))

    def run(self, *inputs: Any) -> Outputs:
        outputs: Outputs = self._run(*inputs)
        return outputs
