"""The LLVM instructions behind the kernels: everything here is emitted, nothing is computed in Python.

`dot_block(rows, columns)` is the inner loop of every 8-bit product. It keeps rows x columns accumulators of 16 int32
lanes in registers, reads four operands of B a step (64 output channels when columns = 4) and broadcasts four bytes of
one row of A against them:

        acc[r][j] += dot4(A[r][4k : 4k + 4], B[k][j])        VPDPBUSD, 64 multiply-accumulates an instruction

6 rows x 4 columns = 24 accumulators, 4 operands of B and 1 broadcast fill 29 of the 32 vector registers; 12 x 2 and
14 x 1 do the same for layers with 32 and 16 output channels. VPDPBUSD multiplies unsigned by signed bytes and adds to
32 bits without saturation in between, so that a wrapped sum is the exact sum modulo 2**32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
"""int32 lanes of a vector."""

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_I32, LANES)
_ZERO = ir.Constant(_VECTOR, [0] * LANES)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)
_DOT = "llvm.x86.avx512.vpdpbusd.512"


def _i64(value: int) -> Any:
    return ir.Constant(_I64, value)


@cache
def dot_block(rows: int, columns: int, unsigned_rows: bool) -> Any:
    """The register block as a Numba intrinsic.

        block(a, row_stride, segment_stride, segments, b, quads, c, c_stride, accumulate)

    a, b, c : addresses. A row is `segments` runs of 4 * quads bytes, `segment_stride` bytes apart (1 run in a matrix,
        one a kernel row in a convolution); rows start `row_stride` bytes apart
    b : [segment][quad][columns * 16][4] bytes, aligned to 64
    c : int32 rows of columns * 16, `c_stride` bytes apart
    accumulate : whether c is added to, or overwritten
    unsigned_rows : A is uint8 and B int8, or the reverse
    """

    @intrinsic
    def block(context, a, row_stride, segment_stride, segments, b, quads, c, c_stride, accumulate):
        signature = types.void(*[types.intp] * 8, types.boolean)

        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            _emit_block(builder, rows, columns, unsigned_rows, arguments)
            return target.get_dummy_value()

        return signature, emit

    return block


def _emit_block(builder: Any, rows: int, columns: int, unsigned_rows: bool, arguments: Any) -> None:
    a, row_stride, segment_stride, segments, b, quads, c, c_stride, accumulate = arguments
    dot = builder.module.declare_intrinsic(_DOT, (), ir.FunctionType(_VECTOR, (_VECTOR,) * 3))
    places = [(r, j) for r in range(rows) for j in range(columns)]
    width = 4 * LANES

    def vector_at(address: Any, offset: int, align: int) -> Any:
        loaded = builder.load(builder.inttoptr(builder.add(address, _i64(offset)), _VECTOR.as_pointer()))
        loaded.align = align
        return loaded

    c_rows = [builder.add(c, builder.mul(c_stride, _i64(r))) for r in range(rows)]
    with builder.if_else(accumulate) as (then, otherwise):
        with then:
            held = [vector_at(c_rows[r], j * width, 4) for r, j in places]
            held_block = builder.block
        with otherwise:
            fresh_block = builder.block
    start = []
    for value in held:
        first = builder.phi(_VECTOR)
        first.add_incoming(value, held_block)
        first.add_incoming(_ZERO, fresh_block)
        start.append(first)
    before = builder.block
    outer, inner, next_segment, done = (builder.append_basic_block(n) for n in ("segment", "quad", "next", "done"))
    builder.branch(outer)

    builder.position_at_end(outer)
    segment = builder.phi(_I64)
    segment.add_incoming(_i64(0), before)
    sums_out = [builder.phi(_VECTOR) for _ in places]
    for phi, value in zip(sums_out, start, strict=True):
        phi.add_incoming(value, before)
    a_segment = builder.add(a, builder.mul(segment, segment_stride))
    a_rows = [builder.add(a_segment, builder.mul(row_stride, _i64(r))) for r in range(rows)]
    b_segment = builder.add(b, builder.mul(builder.mul(segment, quads), _i64(width * columns)))
    builder.branch(inner)

    builder.position_at_end(inner)
    quad = builder.phi(_I64)
    quad.add_incoming(_i64(0), outer)
    sums = [builder.phi(_VECTOR) for _ in places]
    for phi, value in zip(sums, sums_out, strict=True):
        phi.add_incoming(value, outer)
    b_quad = builder.add(b_segment, builder.mul(quad, _i64(width * columns)))
    operands = [vector_at(b_quad, j * width, 64) for j in range(columns)]
    offset = builder.mul(quad, _i64(4))
    added = []
    for r in range(rows):
        word = builder.load(builder.inttoptr(builder.add(a_rows[r], offset), _I32.as_pointer()))
        word.align = 1
        lane = builder.insert_element(_UNDEFINED, word, ir.Constant(_I32, 0))
        spread = builder.shuffle_vector(lane, _UNDEFINED, ir.Constant(_VECTOR, [0] * LANES))
        for j in range(columns):
            pair = (spread, operands[j]) if unsigned_rows else (operands[j], spread)
            added.append(builder.call(dot, (sums[r * columns + j], *pair)))
    quad_after = builder.add(quad, _i64(1))
    quad.add_incoming(quad_after, inner)
    for phi, value in zip(sums, added, strict=True):
        phi.add_incoming(value, inner)
    builder.cbranch(builder.icmp_signed("<", quad_after, quads), inner, next_segment)

    builder.position_at_end(next_segment)
    segment_after = builder.add(segment, _i64(1))
    segment.add_incoming(segment_after, next_segment)
    for phi, value in zip(sums_out, added, strict=True):
        phi.add_incoming(value, next_segment)
    builder.cbranch(builder.icmp_signed("<", segment_after, segments), outer, done)

    builder.position_at_end(done)
    for (r, j), value in zip(places, added, strict=True):
        place = builder.inttoptr(builder.add(c_rows[r], _i64(j * width)), _VECTOR.as_pointer())
        builder.store(value, place).align = 4
