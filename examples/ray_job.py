"""A pipeline as a job on a Ray cluster: ray job submit -- python examples/ray_job.py

The plan is made here, solved again for the cluster's nodes, and run there; the answers are compared with a local run.
"""

from __future__ import annotations

import numpy as np

import hetero as ht

SAMPLES = 8
LENGTH = 400_000


@ht.node
def spectrum(signal: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft(signal))


@ht.node
def envelope(signal: np.ndarray) -> np.ndarray:
    return np.convolve(np.abs(signal), np.full(256, 1 / 256), mode="same")


@ht.node
def describe(spectrum: np.ndarray, envelope: np.ndarray) -> dict[str, float]:
    return {"frequency": int(spectrum.argmax()), "peak": float(envelope.max())}


@ht.pipeline
def listen(signal: np.ndarray) -> dict[str, float]:
    return describe(spectrum(signal), envelope(signal))


def signals() -> list[np.ndarray]:
    """Tones of 100, 200, 300, ... periods, with noise."""
    noise = np.random.default_rng(0)
    time = np.linspace(0, 1, LENGTH, endpoint=False)
    return [
        np.sin(2 * np.pi * 100 * (i + 1) * time) + 0.1 * noise.standard_normal(LENGTH) for i in range(SAMPLES)
    ]


def main() -> None:
    inputs = signals()
    with ht.plan(listen, inputs[0]) as plan:
        expected = [plan(signal) for signal in inputs]
        with plan.on_ray() as on_cluster:
            found = list(on_cluster.stream(inputs))
            print("processors:", ", ".join(p.name for p in on_cluster.machine.processors))
            for node, (device, variant) in on_cluster.placement.items():
                print(f"{node} runs on {device} ({variant})")
    print("frequencies:", [answer["frequency"] for answer in found])
    print(
        f"{sum(a == b for a, b in zip(found, expected, strict=True))} of {SAMPLES} answers equal the local run's"
    )


if __name__ == "__main__":
    main()
