"""ONNX models as operations: what they say of themselves, what they refuse, what they compute."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx_models import either, model, pair, projection

from hetero.errors import ModelError, SpecError
from hetero.ops.onnx import OnnxOp
from hetero.values import TensorSpec, specs_of

X = np.ones((2, 4), np.float32)


def op_of(built: onnx.ModelProto, name: str | None = None) -> OnnxOp:
    return OnnxOp.from_model(built.SerializeToString(), name)


def saved_with_external_data(folder: Path) -> Path:
    """A projection whose weights are in a file of their own."""
    path = folder / "big.onnx"
    weights = np.arange(4 * 300, dtype=np.float32).reshape(4, 300)
    onnx.save_model(
        projection(weights), path, save_as_external_data=True, location="big.weights", size_threshold=0
    )
    return path


def relocate(path: Path, location: str) -> None:
    """Let the model's tensors say that their data is elsewhere."""
    built = onnx.load_model(path, load_external_data=False)
    for entry in built.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    path.write_bytes(built.SerializeToString())


class TestSignature:
    def test_initialisers_are_not_inputs(self) -> None:
        """Weights that an old exporter also lists as inputs are no inputs of the op."""
        built = projection()
        built.graph.input.append(helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [4, 3]))
        assert op_of(built).inputs == ("x",)

    def test_dtypes_and_sizes(self) -> None:
        """Fixed, named and unknown sizes are told apart."""
        built = model(
            [helper.make_node("Identity", ["x"], ["y"])],
            {"x": (np.int64, ["batch", 3, None, -1])},
            {"y": (np.int64, None)},  # type: ignore[dict-item]
        )
        op = op_of(built)
        assert str(op.input_ports[0]) == "int64[batch,3,?,?]"
        assert op.output_ports[0].shape is None

    def test_names(self, tmp_path: Path) -> None:
        """The name is the one given, the file's stem, or the graph's."""
        path = tmp_path / "det.onnx"
        path.write_bytes(projection().SerializeToString())
        assert OnnxOp.from_model(path).name == "det"
        assert OnnxOp.from_model(str(path), "mine").name == "mine"
        assert op_of(projection()).name == "by_hand"

    def test_weights_are_counted(self) -> None:
        """Resident bytes are those of the weights."""
        assert op_of(projection()).weights_nbytes == 12 * 4

    def test_reading_executes_nothing(self, tmp_path: Path) -> None:
        """No engine is loaded to read, describe, check and hash a model."""
        path = tmp_path / "m.onnx"
        path.write_bytes(projection().SerializeToString())
        script = (
            "import sys; from hetero.ops.onnx import OnnxOp; from hetero.values import TensorSpec;"
            f"op = OnnxOp.from_model({str(path)!r}); op.digest; op.check('n', (TensorSpec('float32', (1, 4)),));"
            "assert not {'onnxruntime', 'openvino', 'torch'} & set(sys.modules), 'an engine was loaded'"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


class TestCorruptModels:
    @pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 64, b"PK\x03\x04 a zip file"])
    def test_other_bytes(self, content: bytes) -> None:
        """Bytes that are no model give one line that says so."""
        with pytest.raises(ModelError, match="not an ONNX model") as caught:
            OnnxOp.from_model(content)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
    def test_a_truncated_file(self, tmp_path: Path, part: float) -> None:
        """A download that broke off is found when it is read, and the message names the file."""
        content = projection().SerializeToString()
        path = tmp_path / "broken.onnx"
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(ModelError, match=r"broken\.onnx: not an ONNX model"):
            OnnxOp.from_model(path)

    def test_damage_of_any_byte(self) -> None:
        """Whatever bytes of a model are changed, it is read or refused in one line, and pricing it never fails."""
        random = np.random.default_rng(0)
        messages: list[str] = []
        for content in (built().SerializeToString() for built in (projection, pair, either)):
            for _ in range(400):
                damaged = bytearray(content)
                for place in random.integers(len(content), size=random.integers(1, 4)):
                    damaged[place] = random.integers(256)
                try:
                    op = OnnxOp.from_model(bytes(damaged))
                except ModelError as error:
                    messages.append(str(error))
                    continue
                op.work(tuple(TensorSpec(p.dtype, (2,) * len(p.shape or ())) for p in op.input_ports))
        assert messages
        assert not any("\n" in message for message in messages)

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (
                lambda m: m.graph.node[1].input.__setitem__(0, "nobody"),
                "'Relu' takes 'nobody', which nothing gives",
            ),
            (lambda m: setattr(m.graph.output[0], "name", "z"), "nothing gives the output 'z'"),
            (lambda m: m.graph.initializer[0].dims.append(7), "'w' holds 48 bytes, expected 336"),
            (
                lambda m: setattr(m.graph.initializer[0], "data_type", 999),
                "'w' has the unknown element type 999",
            ),
            (lambda m: m.graph.node[0].ClearField("output"), "a node 'MatMul' has no outputs"),
        ],
    )
    def test_what_is_damaged_is_named(
        self, damage: Callable[[onnx.ModelProto], object], message: str
    ) -> None:
        """A file that parses and is no model is refused, and the message says what is wrong with it."""
        built = projection()
        damage(built)
        with pytest.raises(ModelError, match=message):
            op_of(built)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        """A path that is not there, or is a folder, is named with the system's reason."""
        with pytest.raises(ModelError, match=r"nowhere\.onnx: cannot be read: No such file"):
            OnnxOp.from_model(tmp_path / "nowhere.onnx")
        with pytest.raises(ModelError, match="Is a directory"):
            OnnxOp.from_model(tmp_path)

    def test_inputs_that_are_no_tensors(self) -> None:
        """A model that takes a sequence is refused, naming the input."""
        built = projection()
        element = helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [1])
        built.graph.input[0].CopyFrom(helper.make_value_info("x", helper.make_sequence_type_proto(element)))
        with pytest.raises(ModelError, match="input 'x' is a sequence"):
            op_of(built)

    def test_an_unknown_operator(self) -> None:
        """It is read, and refused by its reference run with the engine's reason."""
        built = model(
            [helper.make_node("Prophecy", ["x"], ["y"])], {"x": (np.float32, [1])}, {"y": (np.float32, [1])}
        )
        with pytest.raises(ModelError, match="Prophecy"):
            op_of(built).load()


class TestExternalData:
    def test_beside_the_model(self, tmp_path: Path) -> None:
        """Weights in a file beside the model are used, counted and part of the digest."""
        op = OnnxOp.from_model(saved_with_external_data(tmp_path))
        assert op.load()(X)[0].shape == (2, 300)
        assert op.weights_nbytes == 4 * 300 * 4
        before = op.digest
        weights = tmp_path / "big.weights"
        content = bytearray(weights.read_bytes())
        content[5] ^= 0xFF
        weights.write_bytes(bytes(content) + b" ")
        assert OnnxOp.from_model(tmp_path / "big.onnx").digest != before

    @pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "sub/../../secret"])
    def test_outside_of_the_folder(self, tmp_path: Path, location: str) -> None:
        """A model that points out of its own folder is refused before anything is read there."""
        folder = tmp_path / "model"
        folder.mkdir()
        (tmp_path / "secret").write_bytes(b"s" * 10_000)
        path = saved_with_external_data(folder)
        relocate(path, location)
        with pytest.raises(ModelError, match="outside of the model's folder"):
            OnnxOp.from_model(path)

    def test_through_a_link(self, tmp_path: Path) -> None:
        """A link in the folder does not lead out of it."""
        folder = tmp_path / "model"
        folder.mkdir()
        (tmp_path / "secret").write_bytes(b"s" * 10_000)
        path = saved_with_external_data(folder)
        (folder / "link").symlink_to(tmp_path / "secret")
        relocate(path, "link")
        with pytest.raises(ModelError, match="outside of the model's folder"):
            OnnxOp.from_model(path)

    def test_missing_or_short(self, tmp_path: Path) -> None:
        """Weights that are not there, or not all there, are named with what was expected."""
        path = saved_with_external_data(tmp_path)
        (tmp_path / "big.weights").write_bytes(b"short")
        with pytest.raises(ModelError, match="has 5 bytes, expected at least 4800"):
            OnnxOp.from_model(path)
        (tmp_path / "big.weights").unlink()
        with pytest.raises(ModelError, match="is missing"):
            OnnxOp.from_model(path)

    def test_a_model_given_as_bytes(self, tmp_path: Path) -> None:
        """Bytes have no folder: the message says to give the path."""
        content = saved_with_external_data(tmp_path).read_bytes()
        with pytest.raises(ModelError, match="give its path"):
            OnnxOp.from_model(content)


class TestCheck:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ((np.ones((2, 4)),), r"input 'x': found float64\[2,4\], expected float32\[n,4\]"),
            ((np.ones(4, np.float32),), r"found float32\[4\], expected float32\[n,4\]: 2 dimensions"),
            ((np.ones((2, 5), np.float32),), r"found float32\[2,5\], .*: size 4 in dimension 1"),
            (([1.0, 2.0],), r"found list\(2 x float\), expected an array float32\[n,4\]"),
            (("text",), "found str, expected an array"),
            ((X, X), "found 2 inputs, expected 1"),
        ],
    )
    def test_what_does_not_fit(self, values: tuple[Any, ...], expected: str) -> None:
        """The message names the node, the input, what was found and what is expected."""
        with pytest.raises(SpecError, match=expected) as caught:
            op_of(projection()).check("read", specs_of(values))
        assert "node 'read'" in str(caught.value)

    def test_sizes_of_one_name_must_agree(self) -> None:
        """A size that two inputs share by name is compared between them."""
        values = (np.ones((2, 2), np.float32), np.ones((3, 2), np.float32), 1.0)
        with pytest.raises(
            SpecError, match=r"input 'right': found float32\[3,2\].* n = 2, as in input 'left'"
        ):
            op_of(pair()).check("add", specs_of(values))

    def test_plain_numbers_fit_scalars(self) -> None:
        """A float goes where a scalar of a float type is taken, and computes as one."""
        op = op_of(pair())
        values = (X[:, :2], X[:, :2], 3.0)
        op.check("add", specs_of(values))
        np.testing.assert_array_equal(op.load()(*values)[0], np.full((2, 2), 6, np.float32))
        with pytest.raises(SpecError, match="input 'scale'"):
            op.check("add", specs_of((X[:, :2], X[:, :2], "3")))

    def test_any_length_fits_a_free_size(self) -> None:
        """Named sizes fix nothing by themselves."""
        op_of(projection()).check("read", specs_of([np.ones((1000, 4), np.float32)]))


class TestIdentity:
    def test_digest_is_the_content(self, tmp_path: Path) -> None:
        """Path, bytes and name do not matter; a weight does."""
        path = tmp_path / "m.onnx"
        path.write_bytes(projection().SerializeToString())
        assert OnnxOp.from_model(path, "a").digest == op_of(projection(), "b").digest
        assert op_of(projection(np.zeros((4, 3), np.float32))).digest != op_of(projection()).digest

    def test_a_changed_file_has_a_new_digest(self, tmp_path: Path) -> None:
        """The digest of a path is not remembered beyond the file's content."""
        path = tmp_path / "m.onnx"
        path.write_bytes(projection().SerializeToString())
        before = OnnxOp.from_model(path).digest
        path.write_bytes(projection(np.zeros((4, 300), np.float32)).SerializeToString())
        assert OnnxOp.from_model(path).digest != before

    def test_it_travels_without_its_files(self, tmp_path: Path) -> None:
        """A pickled op computes the same where its files are gone, external data too."""
        path = saved_with_external_data(tmp_path)
        op = OnnxOp.from_model(path, "big")
        packed, expected, digest = pickle.dumps(op), op.load()(X)[0], op.digest
        path.unlink()
        (tmp_path / "big.weights").unlink()
        arrived = pickle.loads(packed)
        assert (arrived.name, arrived.digest) == ("big", digest)
        np.testing.assert_array_equal(arrived.load()(X)[0], expected)


class TestReference:
    def test_outputs_that_are_no_tensors(self) -> None:
        """A classifier's list of dicts comes out as plain Python values."""
        path = Path(onnxruntime.__file__).parent / "datasets" / "logreg_iris.onnx"
        op = OnnxOp.from_model(path)
        outputs = op.load()(np.ones((3, 2), np.float32))
        assert len(outputs) == len(op.outputs) == 2
        assert [set(row) for row in outputs[1]] == [{0, 1, 2}] * 3

    def test_it_computes(self) -> None:
        """The reference run gives what the model says."""
        w = np.arange(12, dtype=np.float32).reshape(4, 3)
        np.testing.assert_allclose(op_of(projection()).load()(X)[0], np.maximum(X @ w, 0))

    def test_control_flow(self) -> None:
        """If takes the side that its flag says."""
        run = op_of(either()).load()
        assert run(np.array(True), X[0])[0][0] == 2
        assert run(np.array(False), X[0])[0][0] == 0
