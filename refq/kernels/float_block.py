"""The register block of float32 products: the loop of `intrinsics`, with a fused multiply-add for 16 or 8 lanes."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refq.kernels.intrinsics import Dot, emit_block

_DOTS = {lanes: Dot(llvm=f"llvm.fma.v{lanes}f32", lanes=lanes, elements=1, is_float=True) for lanes in (16, 8)}


@cache
def float_block(rows: int, columns: int, lanes: int) -> Any:
    """rows x columns accumulators of float32 lanes, as a Numba intrinsic.

        block(a, a_row, a_word, a_segment, segments, b, b_word, words, c, c_row, adds)

    a, a_row, a_word, a_segment : address of the first element, bytes between rows, elements of a row, and segments
    b, b_word : address of [segment][word][columns * lanes] float32, and bytes between words
    c, c_row : address of rows of columns * lanes float32, and bytes between them
    adds : whether the rows of c are added to, not overwritten
    """

    @intrinsic
    def block(context, a, a_row, a_word, a_segment, segments, b, b_word, words, c, c_row, adds):
        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            a, a_row, a_word, a_segment, segments, b, b_word, words, c, c_row, adds = arguments
            a_rows = [builder.add(a, builder.mul(a_row, ir.Constant(ir.IntType(64), r))) for r in range(rows)]
            accumulate = builder.icmp_signed("!=", adds, ir.Constant(ir.IntType(64), 0))
            operands = (a_rows, a_segment, segments, b, words, c, c_row, c, c_row, accumulate)
            emit_block(builder, rows, columns, _DOTS[lanes], operands, words=(a_word, b_word))
            return target.get_dummy_value()

        return types.void(*[types.intp] * 11), emit

    return block
