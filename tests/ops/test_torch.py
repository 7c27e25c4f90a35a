"""Torch modules as operations: what they say of themselves, what they refuse, what they compute."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch

from hetero.errors import ArgumentError, ModelError, SpecError
from hetero.ops import onnx_export
from hetero.ops.torch import TorchOp
from hetero.values import TensorSpec, specs_of

X = np.random.default_rng(0).standard_normal((2, 4), np.float32)


class Layer(torch.nn.Module):
    """A linear layer, its weights from a seed, and dropout that must be off."""

    def __init__(self, seed: int = 0, width: int = 3) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.linear = torch.nn.Linear(4, width)
        self.dropout = torch.nn.Dropout(0.9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.linear(x))


class Joined(torch.nn.Module):
    """Two inputs, one with a default, and a tuple of outputs."""

    def forward(self, left: torch.Tensor, right: torch.Tensor, scale: float = 2.0) -> Any:
        return left + right, (left - right) * scale


@dataclass
class Answer:
    scores: torch.Tensor
    nothing: torch.Tensor | None = None


class Answering(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> Answer:
        return Answer(scores=x.softmax(-1))


class Failing(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("no such thing")


class Unexportable(torch.nn.Module):
    """Looks at its data in Python, which an export cannot follow."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * float(x.sum().item() > 0) if x.abs().max().item() < 100 else x


class Deaf(torch.nn.Module):
    """Takes an input that reaches no output."""

    def forward(self, x: torch.Tensor, ignored: torch.Tensor) -> torch.Tensor:
        return x + 1


class TestSignature:
    @pytest.mark.parametrize("example", [X, torch.from_numpy(X), (X,), {"x": X}])
    def test_forms_of_the_example(self, example: Any) -> None:
        """An array, a tensor, a tuple by position and a dict by name are the same example."""
        op = TorchOp.from_module(Layer(), example)
        assert (op.name, op.inputs, op.outputs) == ("layer", ("x",), ("output",))

    def test_several_inputs_and_outputs(self) -> None:
        """Inputs have the names of forward's parameters, a tuple's outputs numbers."""
        op = TorchOp.from_module(Joined(), (X, X), "join")
        assert (op.inputs, op.outputs) == (("left", "right"), ("output_0", "output_1"))
        np.testing.assert_allclose(op.load()(X, X)[0], 2 * X)

    def test_outputs_of_a_dataclass(self) -> None:
        """A dataclass names its outputs; what is None is no output."""
        assert TorchOp.from_module(Answering(), X).outputs == ("scores",)

    def test_evaluation_mode_without_gradients(self) -> None:
        """Dropout is off and the arrays that come out need no gradient."""
        op = TorchOp.from_module(Layer().train(), X)
        np.testing.assert_array_equal(op.load()(X)[0], op.load()(X)[0])
        assert isinstance(op.load()(X)[0], np.ndarray)

    def test_weights_are_counted(self) -> None:
        """Resident bytes are those of parameters and buffers."""
        assert TorchOp.from_module(Layer(), X).weights_nbytes == 4 * (4 * 3 + 3)

    def test_read_only_arrays(self) -> None:
        """An array that may not be written is taken, without a warning."""
        fixed = X.copy()
        fixed.flags.writeable = False
        assert TorchOp.from_module(Layer(), fixed).load()(fixed)[0].shape == (2, 3)


class TestRefusals:
    def test_not_a_module(self) -> None:
        """Something else than a module is named by its type."""
        with pytest.raises(ArgumentError, match="not a list"):
            TorchOp.from_module([], X)  # type: ignore[arg-type]

    @pytest.mark.parametrize("example", [(X, X), {"y": X}, ()])
    def test_an_example_that_does_not_fit(self, example: Any) -> None:
        """The message shows forward's signature."""
        with pytest.raises(ArgumentError, match=r"the example does not fit Layer\.forward\(x"):
            TorchOp.from_module(Layer(), example)

    def test_an_example_that_is_no_tensor(self) -> None:
        """The message names the parameter."""
        with pytest.raises(ArgumentError, match="the example of 'x' is a str"):
            TorchOp.from_module(Layer(), "text")

    def test_a_module_that_fails(self) -> None:
        """What forward raised is in the message, and is the cause."""
        with pytest.raises(ModelError, match="Failing fails on its example: KeyError") as caught:
            TorchOp.from_module(Failing(), X)
        assert isinstance(caught.value.__cause__, KeyError)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (X.astype(np.float64), r"found float64\[2,4\], expected float32\[\?,\?\]"),
            (X[0], r"found float32\[4\]"),
            ("text", "found str"),
        ],
    )
    def test_values_that_do_not_fit(self, value: Any, expected: str) -> None:
        """The example fixes dtype and rank; the message names node and input."""
        with pytest.raises(SpecError, match=rf"node 'embed', input 'x': {expected}"):
            TorchOp.from_module(Layer(), X).check("embed", specs_of([value]))

    def test_sizes_are_free(self) -> None:
        """Another batch fits."""
        TorchOp.from_module(Layer(), X).check("embed", specs_of([np.ones((9, 4), np.float32)]))


class TestIdentity:
    def test_digest_is_the_content(self) -> None:
        """Weights, structure and code decide it; the name and the example's values do not."""
        digest = TorchOp.from_module(Layer(), X, "a").digest
        assert TorchOp.from_module(Layer(), X + 1, "b").digest == digest
        assert TorchOp.from_module(Layer(seed=1), X).digest != digest
        assert TorchOp.from_module(Layer(width=5), X).digest != digest

    def test_changed_code_is_another_op(self) -> None:
        """Two classes of one name that compute differently have different digests."""

        def variant(factor: int) -> torch.nn.Module:
            class Scaled(torch.nn.Module):
                def forward(self, x: torch.Tensor) -> torch.Tensor:
                    return x * 2 if factor == 2 else x * 3

            class Scaled3(torch.nn.Module):
                def forward(self, x: torch.Tensor) -> torch.Tensor:
                    return x * 3

            Scaled3.__qualname__ = Scaled.__qualname__
            return Scaled() if factor == 2 else Scaled3()

        assert TorchOp.from_module(variant(2), X).digest != TorchOp.from_module(variant(3), X).digest

    def test_what_no_state_dict_holds(self) -> None:
        """Numbers and functions that a module keeps beside its weights decide what it computes."""

        class Scaled(torch.nn.Module):
            def __init__(self, factor: float, then: Any) -> None:
                super().__init__()
                self.factor, self.then = factor, then

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.then(x * self.factor)

        kinds = [
            (2.0, torch.relu),
            (3.0, torch.relu),
            (2.0, torch.tanh),
            (2.0, lambda x: x),
            (2.0, lambda x: -x),
        ]
        assert len({TorchOp.from_module(Scaled(*kind), X).digest for kind in kinds}) == len(kinds)

    def test_digest_is_the_same_in_every_process(self) -> None:
        """Neither addresses nor the order of sets, which each process has its own, are part of it."""
        script = """
import numpy as np, torch
from hetero.ops.torch import TorchOp

class Odd(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.thing = {"some", "words", "in", "a", "set"}, object()
    def forward(self, x):
        return x + 1 if "some" in {"more", "words", "some"} else x

print(TorchOp.from_module(Odd(), np.zeros((2, 2), np.float32)).digest)
"""
        digests = {
            subprocess.run(
                [sys.executable, "-c", script],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            ).stdout
            for seed in ("1", "2")
        }
        assert len(digests) == 1

    @pytest.mark.parametrize("pickler", [pickle, cloudpickle])
    def test_it_travels(self, pickler: Any) -> None:
        """A pickled op computes the same and is the same."""
        op = TorchOp.from_module(Layer(), X, "embed")
        arrived = pickle.loads(pickler.dumps(op))
        assert (arrived.name, arrived.digest) == (op.name, op.digest)
        np.testing.assert_array_equal(arrived.load()(X)[0], op.load()(X)[0])


class TestWork:
    def test_products_are_counted(self) -> None:
        """A linear layer is two FLOPs a weight and row, on sizes that were never run."""
        work = TorchOp.from_module(Layer(), X).work((TensorSpec("float32", (1000, 4)),))
        assert work is not None
        assert work.flops == 2 * 1000 * 4 * 3
        assert work.nbytes >= 4 * (1000 * 4 + 4 * 3 + 1000 * 3)

    def test_what_depends_on_data_is_not_guessed(self) -> None:
        """A module that looks at its data has no known work."""
        assert TorchOp.from_module(Unexportable(), X).work(specs_of([X])) is None


class TestExport:
    @pytest.fixture(autouse=True)
    def fresh(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No export of another test is found."""
        monkeypatch.setenv("HETERO_CACHE", str(tmp_path))
        monkeypatch.setattr(onnx_export, "_MEMORY", {})

    @pytest.mark.parametrize("batch", [1, 2])
    def test_it_computes_the_same_on_any_batch(self, batch: int) -> None:
        """An export from a batch of one takes other batches too."""
        op = TorchOp.from_module(Layer(), X[:batch], "embed")
        model = op.as_onnx()
        assert (model.inputs, model.outputs, model.name) == (op.inputs, op.outputs, "embed")
        for rows in (1, 2, 7):
            x = np.ones((rows, 4), np.float32)
            np.testing.assert_allclose(model.load()(x)[0], op.load()(x)[0], rtol=1e-5, atol=1e-6)

    def test_it_is_done_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The export is kept in the process, and on disk for the next process."""
        op = TorchOp.from_module(Layer(), X)
        model = op.as_onnx()
        assert op.as_onnx() is model
        assert [path.stem for path in (tmp_path / "exports").iterdir()] == [op.digest]

        def refuse(_: TorchOp) -> bytes:
            raise AssertionError("exported twice")

        monkeypatch.setattr(onnx_export, "_export", refuse)
        monkeypatch.setattr(onnx_export, "_MEMORY", {})
        assert op.as_onnx().digest == model.digest

    def test_a_damaged_copy_on_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An export that was damaged on disk is made again."""
        op = TorchOp.from_module(Layer(), X)
        digest = op.as_onnx().digest
        (tmp_path / "exports" / f"{op.digest}.onnx").write_bytes(b"half of it")
        monkeypatch.setattr(onnx_export, "_MEMORY", {})
        assert op.as_onnx().digest == digest

    def test_what_cannot_be_exported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The reason is in the message, the exporter's error is the cause, and it is tried once."""
        op = TorchOp.from_module(Unexportable(), X)
        assert onnx_export.failure(op) is None
        with pytest.raises(ModelError, match="torch cannot export 'unexportable'") as caught:
            op.as_onnx()
        assert caught.value.__cause__ is not None
        monkeypatch.setattr(onnx_export, "_export", lambda _: pytest.fail("tried twice"))
        with pytest.raises(ModelError, match="torch cannot export 'unexportable'"):
            op.as_onnx()
        assert "unexportable" in (onnx_export.failure(op) or "")

    def test_an_input_without_use_stays(self) -> None:
        """The export takes what the module takes, even what reaches no output."""
        assert TorchOp.from_module(Deaf(), (X, X)).as_onnx().inputs == ("x", "ignored")

    def test_an_export_that_takes_something_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An export whose inputs are not the module's is refused, naming both."""
        wrong = TorchOp.from_module(Joined(), (X, X)).as_onnx().file.read()
        monkeypatch.setattr(onnx_export, "_export", lambda _: wrong)
        with pytest.raises(ModelError, match="with the inputs left, right; the module takes x"):
            TorchOp.from_module(Layer(seed=2), X).as_onnx()

    def test_an_export_that_computes_something_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is compared with torch before it counts."""
        wrong = TorchOp.from_module(Layer(seed=1), X).as_onnx().file.read()
        monkeypatch.setattr(onnx_export, "_export", lambda _: wrong)
        with pytest.raises(ModelError, match="differs from torch in 'output': relative error"):
            TorchOp.from_module(Layer(seed=2), X).as_onnx()
