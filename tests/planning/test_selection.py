"""Which devices ``allow`` and ``deny`` leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from planning.made import info, machine

from hetero.detect import VENDORS
from hetero.device import DeviceStatus
from hetero.errors import ArgumentError, InfeasibleError, UnknownNameError
from hetero.machine import Machine, Processor
from hetero.planning.selection import Selection, known_words, select, words
from hetero.registry import Row

HERE = machine("cpu/python", "cpu/fast", "gpu0/fast", "gpu0/slow")
KNOWN = known_words(HERE, (), ())


def left(allow: Any = None, deny: Any = None, where: Machine = HERE) -> list[str]:
    found = select(where, Selection.of(allow, deny), known_words(where, (), ()), ())
    return [device.name for device in found.devices]


@pytest.mark.parametrize(
    ("allow", "deny", "expected"),
    [
        (None, None, ["cpu/python", "cpu/fast", "gpu0/fast", "gpu0/slow"]),
        ("fast", None, ["cpu/python", "cpu/fast", "gpu0/fast"]),
        ("gpu0/fast", None, ["cpu/python", "gpu0/fast"]),
        ("gpu0", None, ["cpu/python", "gpu0/fast", "gpu0/slow"]),
        (["cpu/fast", "slow"], None, ["cpu/python", "cpu/fast", "gpu0/slow"]),
        (None, "fast", ["cpu/python", "gpu0/slow"]),
        (None, "gpu0", ["cpu/python", "cpu/fast"]),
        (None, "cpu", ["cpu/python", "gpu0/fast", "gpu0/slow"]),
        ("fast", "gpu0", ["cpu/python", "cpu/fast"]),
        ("fast", "fast", ["cpu/python"]),
        ([], None, ["cpu/python"]),
        (("Maker",), "Supplier", ["cpu/python"]),
        (None, "python", ["cpu/fast", "gpu0/fast", "gpu0/slow"]),
        (None, "cpu/python", ["cpu/fast", "gpu0/fast", "gpu0/slow"]),
    ],
)
def test_words_match_exactly(allow: Any, deny: Any, expected: list[str]) -> None:
    """A device, an engine, a processor, a vendor or a supplier; denied beats allowed; Python is denied by name only."""
    assert left(allow, deny) == expected


def test_a_part_of_a_word_matches_nothing() -> None:
    """`gpu` is not `gpu0`: the message says what was perhaps meant."""
    with pytest.raises(UnknownNameError, match="did you mean 'gpu0'"):
        left("gpu")


def test_a_vendor_may_be_denied_where_it_has_nothing() -> None:
    """A program that does without one runs on every machine; a misspelt one is an error on each."""
    assert left(None, "NVIDIA") == left()
    with pytest.raises(UnknownNameError, match="did you mean 'NVIDIA'"):
        left(None, "NVIDA")


def test_nothing_left_lists_what_there_was() -> None:
    """Every device is in the message, with the word of the user that is in its way."""
    with pytest.raises(
        InfeasibleError,
        match="no device is left: cpu/python is denied by 'python'; cpu/fast is denied by 'Supplier'",
    ):
        left(None, ["python", "Supplier"])


def test_a_kind_of_op_without_a_device_names_the_words_in_the_way() -> None:
    """Denied or not allowed, device by device, and for whom; kinds that nothing here runs are left to the planner."""
    needs = {"onnx": "node 'detect'", "function": "node 'crop'", "unheard of": "node 'x'"}
    where = replace(
        HERE,
        devices=(HERE.devices[0], *(replace(device, kinds=("onnx",)) for device in HERE.devices[1:])),
    )
    with pytest.raises(
        InfeasibleError,
        match=r"for node 'detect' \(onnx\): cpu/fast is not in allow=\['gpu0'\]; gpu0/fast is denied by 'gpu0/fast'; ",
    ):
        select(where, Selection.of("gpu0", ["gpu0/fast", "slow"]), KNOWN, (), needs)
    assert select(where, Selection.of(None, "fast"), KNOWN, (), needs).devices[-1].name == "gpu0/slow"


def test_an_allowed_device_that_is_not_available_gives_its_reason() -> None:
    """What its status says, with what to install."""
    absent = DeviceStatus("tpu0/far", False, reason="no driver", install="pip install far")
    known = known_words(HERE, [Row("far", "x", "tpu0/far")], [absent])
    with pytest.raises(
        InfeasibleError, match=r"allow names tpu0/far: not available, no driver \(pip install far\)"
    ):
        select(HERE, Selection.of("tpu0/far", None), known, [absent])


def test_the_known_words_are_of_this_machine_and_of_all_families() -> None:
    """Also engines that are not installed, and vendors of processors without devices, known ones and others."""
    where = Machine((Processor("cpu", vendor="Maker"), Processor("qpu0", vendor="Quantum")), ())
    found = known_words(where, [Row("far", "x", "tpu0/far")], [DeviceStatus("gpu9/near", False)])
    assert found == sorted({"cpu", "qpu0", "Maker", "Quantum", "far", "tpu0/far", "gpu9/near", *VENDORS})


def test_a_device_has_its_words() -> None:
    """Empty ones do not count: an unknown vendor cannot be denied as the empty text."""
    assert words(info("cpu/fast", vendor="")) == {"cpu/fast", "fast", "cpu", "Supplier"}


@pytest.mark.parametrize("given", [3, [3], {"a": 1}.items()])
def test_a_word_is_a_text(given: Any) -> None:
    """Anything else is refused with the option's name."""
    with pytest.raises(ArgumentError, match="allow="):
        Selection.of(given, None)
