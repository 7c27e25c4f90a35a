"""Machines as values and as files: what may be in them, and what differs between two."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import hetero as ht
from hetero.device import DeviceInfo
from hetero.errors import ArgumentError, UnknownNameError
from hetero.machine import Link, Machine, Processor

CPU = Processor("cpu", cores=8, memory_bytes=2**34, vendor="Maker", model="Fast", features=("avx2",))
GPU = Processor("gpu0", kind="gpu", memory_space="gpu0", vendor="Other")
DEVICE = DeviceInfo("cpu/engine", "engine", "1.0", "cpu", "Maker", "Supplier", ("onnx",))
MADE = Machine((CPU, GPU), (DEVICE,), (Link("host", "gpu0", 1e-4, 1e9),))


def test_a_machine_survives_its_file(tmp_path: Path) -> None:
    """A made-up machine, and the one that is here."""
    for machine in (MADE, Machine.detect()):
        machine.save(tmp_path / "machine.json")
        back = Machine.load(tmp_path / "machine.json")
        assert back == machine
        assert back.origin == "loaded"
        assert not back.differences(machine)


def test_parts_are_found_by_name() -> None:
    """An unknown name lists those there are."""
    assert MADE.processor_of("cpu/engine") is CPU
    assert MADE.link("host", "gpu0") == Link("host", "gpu0", 1e-4, 1e9)
    assert MADE.link("gpu0", "host") is None
    with pytest.raises(UnknownNameError, match="known: cpu, gpu0"):
        MADE.processor("gpu1")
    with pytest.raises(UnknownNameError, match="known: cpu/engine"):
        MADE.device("gpu0/engine")


def test_links_are_added_and_replaced() -> None:
    """One link for each direction between two memories."""
    more = MADE.with_links(Link("host", "gpu0", 1e-5, 2e9), Link("gpu0", "host", 1e-4, 1e9))
    assert len(more.links) == 2
    link = more.link("host", "gpu0")
    assert link is not None
    assert link.seconds(2e9) == pytest.approx(1 + 1e-5)


def test_names_must_be_unique_and_known() -> None:
    """Two processors of one name, or a device on none, make no machine."""
    with pytest.raises(ArgumentError, match="'cpu' is listed twice"):
        Machine((CPU, CPU))
    with pytest.raises(UnknownNameError, match=r"processor of device 'cpu/engine' 'cpu'; .*known: gpu0"):
        Machine((GPU,), (DEVICE,))


@pytest.mark.parametrize("value", [math.nan, math.inf, -1])
@pytest.mark.parametrize("name", ["memory_bytes", "idle_watts", "active_watts_per_core", "dollars_per_hour"])
def test_numbers_that_cannot_be_are_refused(name: str, value: float) -> None:
    """A NaN in a price or in watts would make every plan look equally good."""
    with pytest.raises(ArgumentError, match=f"processor 'cpu': {name}="):
        Machine((replace(CPU, **{name: value}),))  # type: ignore[arg-type]


def test_capacities_and_bandwidths_must_be_positive() -> None:
    """A processor without cores, a device that takes no call and a link without bandwidth run nothing."""
    with pytest.raises(ArgumentError, match="cores=0"):
        Machine((replace(CPU, cores=0),))
    with pytest.raises(ArgumentError, match="concurrency=0"):
        Machine((CPU,), (replace(DEVICE, concurrency=0),))
    with pytest.raises(ArgumentError, match="link 'host' -> 'gpu0': bytes_per_s=0"):
        Machine((CPU,), (), (Link("host", "gpu0", 0.0, 0.0),))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: replace(m, processors=(replace(CPU, model="Slow"), GPU)), "cpu.model: 'Fast' -> 'Slow'"),
        (lambda m: replace(m, processors=(replace(CPU, cores=4), GPU)), "cpu.cores: 8 -> 4"),
        (lambda m: replace(m, processors=(replace(CPU, features=()), GPU)), "cpu.features"),
        (lambda m: replace(m, processors=(CPU,)), "processor gpu0 is missing"),
        (lambda m: replace(m, devices=()), "device cpu/engine is missing"),
        (lambda m: replace(m, devices=(replace(DEVICE, version="2"),)), "version 1.0 -> 2"),
        (lambda m: replace(m, devices=(replace(DEVICE, engine="x"),)), "engine engine -> x"),
    ],
)
def test_differences_are_named(change: Any, says: str) -> None:
    """Each with what it was and what it is."""
    (found,) = MADE.differences(change(MADE))
    assert says in found


def test_what_another_machine_has_beside_does_not_matter() -> None:
    """More processors and devices, other prices: no difference."""
    more = replace(
        MADE,
        processors=(replace(CPU, dollars_per_hour=3.0), GPU, Processor("gpu1")),
        devices=(DEVICE, replace(DEVICE, name="cpu/other")),
    )
    assert not MADE.differences(more)


BAD: dict[str, Any] = {
    "no processors": {},
    "a list": [],
    "a text": "cpu",
    "a later version": {"version": 2, "processors": []},
    "cores of a text": {"processors": [{"name": "cpu", "cores": "8"}]},
    "cores of a half": {"processors": [{"name": "cpu", "cores": 1.5}]},
    "no name": {"processors": [{"cores": 1}]},
    "a misspelt field": {"processors": [{"name": "cpu", "core": 8}]},
    "a processor of null": {"processors": [None]},
    "a huge number": {"processors": [{"name": "cpu", "idle_watts": 10**400}]},
    "a link to nowhere": {"processors": [], "links": [{"source": "host"}]},
    "a device without engine": {"processors": [{"name": "cpu"}], "devices": [{"name": "x"}]},
    "an unknown isolation": {
        "processors": [{"name": "cpu"}],
        "devices": [
            {
                "name": "cpu/e",
                "engine": "e",
                "version": "1",
                "processor": "cpu",
                "vendor": "",
                "supplier": "",
                "kinds": [],
                "isolation": "none",
            }
        ],
    },
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_its_name(case: str, tmp_path: Path) -> None:
    """Whatever a person writes into it, it is one kind of error that names the file."""
    path = tmp_path / "machine.json"
    path.write_text(json.dumps(BAD[case]))
    with pytest.raises(ArgumentError, match=r"machine\.json"):
        ht.Machine.load(path)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, '{"links": [], "links": []}'])
def test_a_file_that_is_no_json_is_refused(content: str, tmp_path: Path) -> None:
    """Empty, cut off, nested too deeply, or with a field given twice."""
    (tmp_path / "machine.json").write_text(content)
    with pytest.raises(ArgumentError, match=r"machine\.json"):
        ht.Machine.load(tmp_path / "machine.json")
    with pytest.raises(FileNotFoundError):
        ht.Machine.load(tmp_path / "missing.json")


def test_the_machine_that_is_here_is_what_this_process_may_use() -> None:
    """It has a CPU with at least one core, Python on it, and no teaching devices."""
    here = ht.Machine.detect()
    assert here.processor("cpu").cores >= 1
    assert here.device("cpu/python").kinds == ("function",)
    assert not {"reference", "null", "foreign"} & {d.engine for d in here.devices}
