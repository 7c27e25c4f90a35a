"""A vector of eight doubles as a value of numba's: the same number of eight parameter sets, side by side.

numba leaves loops over eight neighbours scalar, since it cannot tell that two rows of an array do not overlap.
Told outright that a row is a vector, LLVM makes one AVX-512 or two AVX2 instructions of each operation: a gate takes a
tenth.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

from hetero.backends.statevector_frame import LANES

__all__ = ["LANES", "load", "spread", "store"]

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_ALIGNMENT_BYTES = 8
"""Arrays that come from NumPy promise no more. (Those of the kernels lie on cache lines, which is what counts.)"""


class _LanesType(types.Type):
    pass


_LANES_TYPE: Any = _LanesType(name=f"Lanes({LANES})")


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, row: Any) -> Any:
    """The address of row ``row`` of eight doubles of a contiguous array, whatever its shape."""
    data = context.make_array(array_type)(context, builder, array).data
    offset = builder.mul(row, ir.Constant(ir.IntType(64), LANES))
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


def _load(typing: Any, array: Any, row: Any) -> Any:
    """Row ``row`` of a contiguous float64 array, taken as rows of eight."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.load(_pointer(context, builder, signature.args[0], *arguments))
        found.align = _ALIGNMENT_BYTES
        return found

    return _LANES_TYPE(array, types.int64), generate


def _store(typing: Any, array: Any, row: Any, value: Any) -> Any:
    """Write row ``row`` of a contiguous float64 array, taken as rows of eight."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        written = builder.store(arguments[2], _pointer(context, builder, signature.args[0], *arguments[:2]))
        written.align = _ALIGNMENT_BYTES
        return context.get_dummy_value()

    return types.none(array, types.int64, _LANES_TYPE), generate


def _spread(typing: Any, number: Any) -> Any:
    """One number in all lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(nothing, arguments[0], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, nothing, everywhere)

    return _LANES_TYPE(types.float64), generate


load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
spread: Any = intrinsic(_spread)


def _arithmetic(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    """Have an operator of Python's between lanes mean an instruction of LLVM's."""

    def lower(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments, flags=("fast",))

        return _LANES_TYPE(_LANES_TYPE, _LANES_TYPE), generate

    emit: Any = intrinsic(lower)

    @overload(symbol, strict=False)
    def between_lanes(a: Any, b: Any) -> Any:
        if isinstance(a, _LanesType) and isinstance(b, _LanesType):
            return lambda a, b: emit(a, b)
        return None


for _symbol, _instruction in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _arithmetic(_symbol, _instruction)
