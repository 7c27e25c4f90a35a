"""Work and output shapes of ONNX models, told without running them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from needs import needs
from onnx import helper
from onnx_models import either, model, projection

from hetero.ops.onnx import OnnxOp
from hetero.values import TensorSpec, specs_of

node = helper.make_node
FLOAT = np.float32


def op_of(built: object) -> OnnxOp:
    return OnnxOp.from_model(built.SerializeToString())  # type: ignore[attr-defined]


def floats(*shape: int) -> TensorSpec:
    return TensorSpec("float32", shape)


def test_a_matrix_product() -> None:
    """A multiply-add is two FLOPs; bytes are what is read and written, weights included."""
    work = op_of(projection()).work((floats(10, 4),))
    assert work is not None
    assert work.features["product_flops"] == 2 * 10 * 4 * 3
    assert work.flops == 2 * 10 * 4 * 3 + 10 * 3
    matmul, relu = 4 * (10 * 4 + 4 * 3 + 10 * 3), 4 * (10 * 3 + 10 * 3)
    assert work.nbytes == matmul + relu


@pytest.mark.parametrize(
    ("operator", "attributes", "shape", "weights", "flops"),
    [
        ("Conv", {"pads": [1, 1, 1, 1]}, (2, 3, 8, 8), (16, 3, 3, 3), 2 * 2 * 16 * 8 * 8 * 3 * 9),
        ("Conv", {"group": 4, "strides": [2, 2]}, (1, 4, 9, 9), (4, 1, 3, 3), 2 * 4 * 4 * 4 * 9),
        ("ConvTranspose", {}, (1, 3, 5, 5), (3, 8, 2, 2), 2 * 3 * 5 * 5 * 8 * 4),
        ("Gemm", {"transA": 1}, (4, 10), (4, 3), 2 * 10 * 3 * 4),
        ("Einsum", {"equation": "ij,jk->ik"}, (10, 4), (4, 3), 2 * 10 * 3 * 4),
        ("LSTM", {"hidden_size": 5}, (7, 2, 3), (1, 20, 3), 2 * 7 * 2 * 20 * (3 + 5)),
    ],
)
def test_products(
    operator: str, attributes: dict[str, object], shape: tuple[int, ...], weights: tuple[int, ...], flops: int
) -> None:
    """Convolutions, products and recurrent layers are counted exactly."""
    extra = {"r": np.zeros((1, 20, 5), FLOAT)} if operator == "LSTM" else {}
    built = model(
        [node(operator, ["x", "w", *extra], ["y"], **attributes)],
        {"x": (FLOAT, [None] * len(shape))},
        {"y": (FLOAT, None)},  # type: ignore[dict-item]
        w=np.zeros(weights, FLOAT),
        **extra,
    )
    work = op_of(built).work((floats(*shape),))
    assert work is not None
    assert work.features["product_flops"] == flops


@pytest.mark.parametrize("opset", [11, 17])
def test_shapes_that_are_computed(opset: int) -> None:
    """A reshape to a shape that the model computes from its input is followed by value."""
    axes = {"axes": [0]} if opset < 13 else {}
    built = model(
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "zero"], ["batch"]),
            node("Unsqueeze", ["batch", *([] if axes else ["axis"])], ["first"], **axes),
            node("Concat", ["first", "rest"], ["target"], axis=0),
            node("Reshape", ["x", "target"], ["flat"]),
            node("MatMul", ["flat", "w"], ["y"]),
        ],
        {"x": (FLOAT, ["n", 3, "m"])},
        {"y": (FLOAT, ["n", 5])},
        opset,
        zero=np.array(0),
        axis=np.array([0]),
        rest=np.array([-1]),
        w=np.zeros((12, 5), FLOAT),
    )
    op = op_of(built)
    assert op.output_specs((floats(6, 3, 4),)) == (floats(6, 5),)
    assert op.work((floats(6, 3, 4),)).features["product_flops"] == 2 * 6 * 12 * 5  # type: ignore[union-attr]


def test_what_depends_on_data_is_not_guessed() -> None:
    """Control flow, data-dependent shapes and unknown operators give no work rather than a wrong one."""
    found = model([node("NonZero", ["x"], ["y"])], {"x": (FLOAT, ["n"])}, {"y": (np.int64, [1, "k"])})
    strange = model([node("Prophecy", ["x"], ["y"])], {"x": (FLOAT, ["n"])}, {"y": (FLOAT, ["n"])})
    assert op_of(found).work((floats(4),)) is None
    assert op_of(strange).work((floats(4),)) is None
    assert op_of(either()).work((TensorSpec("bool", ()), floats(4))) is None


@pytest.mark.parametrize(
    ("part", "shape"), [("det", (1, 3, 64, 96)), ("rec", (2, 3, 48, 96)), ("cls", (3, 3, 48, 192))]
)
def test_real_models(part: str, shape: tuple[int, ...]) -> None:
    """On PP-OCR's three models the shapes told are those that come out."""
    rapidocr = pytest.importorskip("rapidocr", reason="of the extra 'graphs'")
    paths = sorted((Path(rapidocr.__file__).parent / "models").glob(f"*{part}*.onnx"))
    if not paths:
        needs("PP-OCR's models", "this rapidocr package holds none")
    op = OnnxOp.from_model(paths[0])
    x = np.zeros(shape, FLOAT)
    assert op.output_specs((floats(*shape),)) == specs_of(op.load()(x))
    work = op.work((floats(*shape),))
    assert work is not None
    assert work.flops > 1e6
