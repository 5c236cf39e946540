"""The LLVM instructions behind the kernels: everything here is emitted, nothing is computed in Python.

`dot_block(rows, columns)` is the inner loop of every 8-bit product. It keeps rows x columns accumulators of 16 int32
lanes in registers, reads four operands of B a step (64 output channels when columns = 4) and broadcasts four bytes of
one row of A against them:

        acc[r][j] += dot4(A[r][4k : 4k + 4], B[k][j])        VPDPBUSD, 64 multiply-accumulates an instruction

6 rows x 4 columns = 24 accumulators, 4 operands of B and 1 broadcast fill 29 of the 32 vector registers; 12 x 2 and
14 x 1 do the same for layers with 32 and 16 output channels. VPDPBUSD multiplies unsigned by signed bytes and adds to
32 bits without saturation in between, so that a wrapped sum is the exact sum modulo 2**32.

`product_block` is the same loop over any of `DOTS`: an instruction sees a row of A as 32-bit words, 4 bytes or 2 int16.
VPMADDUBSW is not among them: it saturates the sum of two byte products to 16 bits. `float_block.py` runs
the same loop over float32, one a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
"""int32 lanes of a vector."""

_I16, _I32, _I64, _F32 = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """An instruction that adds to each 32-bit lane the sum of the products in a word: 4 bytes, 2 int16, 1 float32."""

    llvm: str
    lanes: int
    elements: int
    fused: bool = True
    """Whether the instruction adds to the accumulator itself."""
    is_float: bool = False


DOTS = (
    Dot(llvm="llvm.x86.avx512.vpdpbusd.512", lanes=16, elements=4),
    Dot(llvm="llvm.x86.avx512.vpdpbusd.256", lanes=8, elements=4),
    Dot(llvm="llvm.x86.avx512.vpdpwssd.512", lanes=16, elements=2),
    Dot(llvm="llvm.x86.avx512.vpdpwssd.256", lanes=8, elements=2),
    Dot(llvm="llvm.x86.avx512.pmaddw.d.512", lanes=16, elements=2, fused=False),
    Dot(llvm="llvm.x86.avx2.pmadd.wd", lanes=8, elements=2, fused=False),
)
"""The instructions, by the number that kernels are made with. The first two multiply unsigned by signed bytes."""


_AHEAD = 1024
"""Bytes that a block of one row, which waits for B and nothing else, asks for ahead of where it reads."""


def _i64(value: int) -> Any:
    return ir.Constant(_I64, value)


@cache
def dot_block(rows: int, columns: int, even: bool = False) -> Any:
    """The register block of a convolution, unsigned rows by signed columns, as a Numba intrinsic.

        block(a, places, segment_stride, segments, b, quads, c)

    a, b, c, places : addresses. A row is `segments` runs of 4 * quads bytes, `segment_stride` bytes apart, one a kernel
        row of a convolution; places, int64, says how many bytes behind a each row starts
    b : [segment][quad][columns * 16][4] bytes, aligned to 64
    c : int32 rows of columns * 16, overwritten
    even : the rows stand as far apart as the first two, which takes fewer registers
    """

    @intrinsic
    def block(context, a, places, segment_stride, segments, b, quads, c):
        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            a, places, *inner, c = arguments

            def place(r: int) -> Any:
                return builder.load(builder.inttoptr(builder.add(places, _i64(8 * r)), _I64.as_pointer()))

            if even:
                first, step = builder.add(a, place(0)), builder.sub(place(1), place(0))
                row_places = [builder.add(first, builder.mul(step, _i64(r))) for r in range(rows)]
            else:
                row_places = [builder.add(a, place(r)) for r in range(rows)]
            stride, never = _i64(64 * columns), ir.Constant(ir.IntType(1), 0)
            emit_block(builder, rows, columns, DOTS[0], (row_places, *inner, c, stride, c, stride, never))
            return target.get_dummy_value()

        return types.void(*[types.intp] * 7), emit

    return block


def _product_block(context, dot, rows, columns, a, row_stride, flip, b, words, start, start_stride, c, c_stride):
    """The register block of a matrix product; unsigned rows and signed columns where the instruction is mixed.

    dot : constant, an index of DOTS
    rows, columns : constants, the shape of the block
    a, row_stride : address of the first row, bytes between rows
    flip : bits to flip in each word of A, where a word is 4 bytes: 0x80808080 makes unsigned bytes of signed ones
    b : [word][columns * lanes] words, aligned to their vectors
    start, start_stride : address of int32 rows of columns * lanes that are added to, bytes between them; 0 adds none
    c, c_stride : address of such rows for the result
    """
    signature = types.void(dot, rows, columns, *[types.intp] * 9)
    shape, kind = (rows.literal_value, columns.literal_value), DOTS[dot.literal_value]

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        a_, row_stride_, flip_, b_, words_, start_, *places = arguments[3:]
        accumulate = builder.icmp_signed("!=", start_, _i64(0))
        a_rows = [builder.add(a_, builder.mul(row_stride_, _i64(r))) for r in range(shape[0])]
        operands = (a_rows, _i64(0), _i64(1), b_, words_, start_, *places, accumulate)
        emit_block(builder, *shape, kind, operands, flip_ if kind.elements == 4 else None)
        return target.get_dummy_value()

    return signature, emit


product_block: Any = intrinsic(prefer_literal=True)(_product_block)


def _pointer(context, address):
    """An address as the pointer that `numba.carray` takes."""

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), emit


pointer: Any = intrinsic(_pointer)


def emit_dot(builder: Any, dot: Dot, accumulator: Any, first: Any, second: Any) -> Any:
    """accumulator + first . second, word by word."""
    vector = accumulator.type
    if dot.is_float:
        reals = ir.VectorType(_F32, dot.lanes)
        function = builder.module.declare_intrinsic(dot.llvm, (), ir.FunctionType(reals, (reals,) * 3))
        given = [builder.bitcast(operand, reals) for operand in (first, second, accumulator)]
        return builder.bitcast(builder.call(function, given), vector)
    if dot.fused:
        function = builder.module.declare_intrinsic(dot.llvm, (), ir.FunctionType(vector, (vector,) * 3))
        return builder.call(function, (accumulator, first, second))
    pairs = ir.VectorType(_I16, 2 * dot.lanes)
    function = builder.module.declare_intrinsic(dot.llvm, (), ir.FunctionType(vector, (pairs,) * 2))
    products = builder.call(function, (builder.bitcast(first, pairs), builder.bitcast(second, pairs)))
    return builder.add(accumulator, products)


def _fetch(builder: Any, address: Any, count: int) -> None:
    """Ask for the `count` bytes that are read a little later than those at an address."""
    byte = ir.IntType(8).as_pointer()
    kinds = ir.FunctionType(ir.VoidType(), (byte, _I32, _I32, _I32))
    fetch = builder.module.declare_intrinsic("llvm.prefetch.p0", (), kinds)
    for place in range(_AHEAD, _AHEAD + count, 64):
        builder.call(fetch, (builder.inttoptr(builder.add(address, _i64(place)), byte), _I32(0), _I32(3), _I32(1)))


def emit_block(
    builder: Any, rows: int, columns: int, dot: Dot, arguments: Any, flip: Any = None, words: Any = (None, None)
) -> None:
    """The loop itself.

    flip : bits to flip in each word of A
    words : bytes between words of A and of B; None where there are no gaps, and vectors of B are aligned
    """
    first_rows, segment_stride, segments, b, quads, start, start_stride, c, c_stride, accumulate = arguments
    vector = ir.VectorType(_I32, dot.lanes)
    undefined = ir.Constant(vector, ir.Undefined)
    flips = None
    if flip is not None:
        one = builder.insert_element(undefined, builder.trunc(flip, _I32), ir.Constant(_I32, 0))
        flips = builder.shuffle_vector(one, undefined, ir.Constant(vector, [0] * dot.lanes))
    places = [(r, j) for r in range(rows) for j in range(columns)]
    width = 4 * dot.lanes
    a_step, b_step = words[0] or _i64(4), words[1] or _i64(width * columns)
    b_align = width if words[1] is None else 4

    def vector_at(address: Any, offset: int, align: int) -> Any:
        loaded = builder.load(builder.inttoptr(builder.add(address, _i64(offset)), vector.as_pointer()))
        loaded.align = align
        return loaded

    c_rows = [builder.add(c, builder.mul(c_stride, _i64(r))) for r in range(rows)]
    with builder.if_else(accumulate) as (then, otherwise):
        with then:
            start_rows = [builder.add(start, builder.mul(start_stride, _i64(r))) for r in range(rows)]
            held = [vector_at(start_rows[r], j * width, 4) for r, j in places]
            held_block = builder.block
        with otherwise:
            fresh_block = builder.block
    first_sums = []
    for value in held:
        first = builder.phi(vector)
        first.add_incoming(value, held_block)
        first.add_incoming(ir.Constant(vector, [0] * dot.lanes), fresh_block)
        first_sums.append(first)
    before = builder.block
    outer, inner, next_segment, done = (builder.append_basic_block(n) for n in ("segment", "quad", "next", "done"))
    builder.branch(outer)

    builder.position_at_end(outer)
    segment = builder.phi(_I64)
    segment.add_incoming(_i64(0), before)
    sums_out = [builder.phi(vector) for _ in places]
    for phi, value in zip(sums_out, first_sums, strict=True):
        phi.add_incoming(value, before)
    a_segment = builder.mul(segment, segment_stride)
    a_rows = [builder.add(first, a_segment) for first in first_rows]
    b_segment = builder.add(b, builder.mul(builder.mul(segment, quads), b_step))
    builder.branch(inner)

    builder.position_at_end(inner)
    quad = builder.phi(_I64)
    quad.add_incoming(_i64(0), outer)
    sums = [builder.phi(vector) for _ in places]
    for phi, value in zip(sums, sums_out, strict=True):
        phi.add_incoming(value, outer)
    b_quad = builder.add(b_segment, builder.mul(quad, b_step))
    if rows == 1:
        _fetch(builder, b_quad, columns * width)
    operands = [vector_at(b_quad, j * width, b_align) for j in range(columns)]
    offset = builder.mul(quad, a_step)
    added = []
    for r in range(rows):
        word = builder.load(builder.inttoptr(builder.add(a_rows[r], offset), _I32.as_pointer()))
        word.align = 1
        lane = builder.insert_element(undefined, word, ir.Constant(_I32, 0))
        spread = builder.shuffle_vector(lane, undefined, ir.Constant(vector, [0] * dot.lanes))
        if flips is not None:
            spread = builder.xor(spread, flips)
        for j in range(columns):
            added.append(emit_dot(builder, dot, sums[r * columns + j], spread, operands[j]))
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
        place = builder.inttoptr(builder.add(c_rows[r], _i64(j * width)), vector.as_pointer())
        builder.store(value, place).align = 4
