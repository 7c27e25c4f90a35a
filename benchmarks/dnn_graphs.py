"""Inference graphs of neural networks, one task an operator, made up but of the usual shapes and sizes.

Each function returns operators with FLOPs, bytes of weights and bytes of output, and the edges between them. Sizes
vary with a seed by some percent, so that no two layers are the same to a scheduler.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hetero.schedule import Edge, Link, Option, Problem, Processor, Task

__all__ = ["Network", "inception", "mixture", "problem", "resnet", "transformer"]


@dataclass(slots=True)
class Network:
    """A graph under construction; an operator is added after what it reads."""

    rng: np.random.Generator
    flops: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    output: list[float] = field(default_factory=list)
    shared: list[str | None] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)

    def add(
        self, gflops: float, weights_mb: float, output_mb: float, *reads: int, shared: str | None = None
    ) -> int:
        vary = self.rng.uniform(0.85, 1.15, 3).tolist()
        self.flops.append(gflops * 1e9 * vary[0])
        # A copy that two operators share is one copy, of one size.
        self.weights.append(weights_mb * 1e6 * (1.0 if shared else vary[1]))
        self.output.append(output_mb * 1e6 * vary[2])
        self.shared.append(shared)
        number = len(self.flops) - 1
        self.edges += [(source, number) for source in reads]
        return number


def transformer(layers: int, groups: int, seed: int, *, share: bool = False) -> Network:
    """An encoder whose attention is computed in groups of heads; with `share`, all layers have one set of weights."""
    net = Network(np.random.default_rng(seed))

    def key(part: str) -> str | None:
        return f"layer/{part}" if share else None

    x = net.add(0.1, 90, 1.5)
    for _ in range(layers):
        norm = net.add(0.02, 0.1, 1.5, x)
        heads = []
        for group in range(groups):
            q, k, v = (
                net.add(2.4 / groups, 7.0 / groups, 1.5 / groups, norm, shared=key(f"{p}{group}"))
                for p in "qkv"
            )
            scores = net.add(0.8 / groups, 0, 3.0 / groups, q, k)
            weights = net.add(0.05 / groups, 0, 3.0 / groups, scores)
            heads.append(net.add(0.8 / groups, 0, 1.5 / groups, weights, v))
        merged = net.add(2.4, 7.0, 1.5, *heads, shared=key("merge"))
        added = net.add(0.02, 0, 1.5, merged, x)
        norm = net.add(0.02, 0.1, 1.5, added)
        halves = [net.add(4.8, 14.0, 3.0, norm, shared=key(f"up{half}")) for half in range(2)]
        active = [net.add(0.1, 0, 3.0, half) for half in halves]
        down = net.add(9.6, 28.0, 1.5, *active, shared=key("down"))
        x = net.add(0.02, 0, 1.5, down, added)
    net.add(0.5, 90, 0.1, x)
    return net


def inception(blocks: int, seed: int) -> Network:
    """Blocks of four branches of different depth, joined by concatenation."""
    net = Network(np.random.default_rng(seed))
    x = net.add(0.5, 0.1, 6.0)
    for block in range(blocks):
        width = 1.0 + block / blocks
        ends = [net.add(0.6, 0.6 * width, 1.5, x)]
        for depth in (2, 3, 4):
            branch = net.add(0.3, 0.4 * width, 1.2, x)
            for _ in range(depth):
                branch = net.add(0.02, 0, 1.2, net.add(0.9, 2.2 * width, 1.2, branch))
            ends.append(branch)
        x = net.add(0.02, 0, 5.0, *ends)
    net.add(0.1, 8, 0.1, x)
    return net


def resnet(blocks: int, seed: int) -> Network:
    """Bottleneck blocks with a path around each, which is a projection in every fourth."""
    net = Network(np.random.default_rng(seed))
    x = net.add(1.6, 0.1, 3.2)
    for block in range(blocks):
        width = 4.0 ** (3 * block // blocks) / 4
        around = net.add(1.6, 1.0 * width, 3.2, x) if block % 4 == 0 else x
        inner = x
        for gflops, megabytes in ((1.0, 0.5), (1.8, 1.2), (1.0, 0.5)):
            inner = net.add(
                0.02, 0, 0.8, net.add(0.01, 0, 0.8, net.add(gflops, megabytes * width, 0.8, inner))
            )
        x = net.add(0.02, 0, 3.2, inner, around)
    net.add(0.1, 8, 0.1, x)
    return net


def mixture(layers: int, experts: int, seed: int) -> Network:
    """Attention, then a router that sends parts of the batch to experts, whose sums go on."""
    net = Network(np.random.default_rng(seed))
    x = net.add(0.1, 60, 1.5)
    for _ in range(layers):
        attention = net.add(3.0, 14, 1.5, net.add(2.4, 21, 4.5, x))
        added = net.add(0.02, 0, 1.5, attention, x)
        router = net.add(0.05, 0.1, 0.1, added)
        outputs = []
        for _ in range(experts):
            share = float(net.rng.dirichlet([2.0] * experts)[0] * experts)
            up = net.add(2.0 * share, 28, 0.8 * share, added, router)
            outputs.append(net.add(2.0 * share, 28, 0.4 * share, net.add(0.02, 0, 0.8 * share, up)))
        x = net.add(0.05, 0, 1.5, *outputs, added)
    net.add(0.5, 60, 0.1, x)
    return net


def problem(
    net: Network,
    accelerators: int,
    room: float,
    *,
    kinds: tuple[float, ...] = (1.0,),
    cpu_room: float | None = None,
) -> Problem:
    """The network on so many accelerators and a CPU ten times slower.

    The accelerators hold `room` times all weights between them, the CPU `cpu_room` times (None: no limit). `kinds`
    are the accelerators' relative speeds, in turn; an accelerator does 10 TFLOP/s at speed 1 and every operator costs
    it 10 us to start. All are joined by links of 20 us and 12 GB/s.
    """
    unique = {
        key or f"own{number}": size
        for number, (key, size) in enumerate(zip(net.shared, net.weights, strict=True))
    }
    total = sum(unique.values())
    capacity = room * total / accelerators
    names = [f"acc{number}" for number in range(accelerators)]
    speeds = {name: 10e12 * kinds[number % len(kinds)] for number, name in enumerate(names)} | {"cpu": 1e12}
    tasks = tuple(
        Task(
            f"op{number}",
            tuple(
                Option(name, 1e-5 + flops / speed, memory_bytes=weights, resident=key)
                for name, speed in speeds.items()
            ),
        )
        for number, (flops, weights, key) in enumerate(zip(net.flops, net.weights, net.shared, strict=True))
    )
    processors = [Processor(name, memory_bytes=capacity) for name in names]
    processors.append(Processor("cpu", memory_bytes=None if cpu_room is None else cpu_room * total))
    return Problem(
        tuple(processors),
        tasks,
        tuple(Edge(f"op{a}", f"op{b}", net.output[a]) for a, b in net.edges),
        tuple(Link(a, b, 2e-5, 12e9) for a in speeds for b in speeds if a != b),
    )
