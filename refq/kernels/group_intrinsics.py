"""The register block of 4-bit weights with a scale a group of rows, as LLVM instructions.

    y[r][n] += scale[g][n] * float32(start[r][g] + sum over the group of a[r][k] * nibble[k][n])

Two words of B share one: the low nibbles are the first, the high nibbles the second, each a byte 0..15 = code + 8, the
unsigned operand of VPDPBUSD; start = -8 * sum of a over the group takes the 8 off again. A block of 6 rows and 2
vectors holds 12 integer and 12 real sums, 4 operands, a broadcast and the mask: 30 of 32 registers. The product with
the scale is rounded before it is added, as in NumPy.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refq.kernels.intrinsics import DOTS, emit_dot

_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()


def _i64(value: int) -> Any:
    return ir.Constant(_I64, value)


def _group_block(
    context, dot, rows, columns, a, row_stride, b, groups, pairs, scales, starts, starts_stride, c, c_stride
):
    """The block as a Numba intrinsic; at least one group of at least one pair.

    dot, rows, columns : constants: an index of DOTS, the shape of the block
    a, row_stride : address of int8 rows of groups * pairs * 8 codes, bytes between rows
    b : [group][pair][columns * lanes] words, aligned to their vectors
    scales : float32 [group][columns * lanes], aligned
    starts, starts_stride : address of int32 [row][group], bytes between rows
    c, c_stride : address of float32 rows of columns * lanes, overwritten
    """
    signature = types.void(dot, rows, columns, *[types.intp] * 10)
    shape = DOTS[dot.literal_value], rows.literal_value, columns.literal_value

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        _emit(builder, *shape, arguments[3:])
        return target.get_dummy_value()

    return signature, emit


group_block: Any = intrinsic(prefer_literal=True)(_group_block)


def _emit(builder: Any, dot: Any, rows: int, columns: int, arguments: Any) -> None:
    a, row_stride, b, groups, pairs, scales, starts, starts_stride, c, c_stride = arguments
    integers, reals = ir.VectorType(_I32, dot.lanes), ir.VectorType(_F32, dot.lanes)
    undefined, width = ir.Constant(integers, ir.Undefined), 4 * dot.lanes
    nibbles, four = (ir.Constant(integers, [value] * dot.lanes) for value in (0x0F0F0F0F, 4))
    places = [(r, j) for r in range(rows) for j in range(columns)]

    def at(address: Any, offset: Any, kind: Any) -> Any:
        return builder.inttoptr(builder.add(address, offset), kind.as_pointer())

    def spread(address: Any, offset: Any) -> Any:
        word = builder.load(at(address, offset, _I32))
        word.align = 1
        lane = builder.insert_element(undefined, word, ir.Constant(_I32, 0))
        return builder.shuffle_vector(lane, undefined, ir.Constant(integers, [0] * dot.lanes))

    def vector(address: Any, offset: Any, kind: Any) -> Any:
        loaded = builder.load(at(address, offset, kind))
        loaded.align = width
        return loaded

    a_rows = [builder.add(a, builder.mul(row_stride, _i64(r))) for r in range(rows)]
    start_rows = [builder.add(starts, builder.mul(starts_stride, _i64(r))) for r in range(rows)]
    before = builder.block
    outer, inner, scaling, done = (builder.append_basic_block(n) for n in ("group", "pair", "scale", "done"))
    builder.branch(outer)

    builder.position_at_end(outer)
    group = builder.phi(_I64)
    group.add_incoming(_i64(0), before)
    totals = [builder.phi(reals) for _ in places]
    for total in totals:
        total.add_incoming(ir.Constant(reals, [0.0] * dot.lanes), before)
    first_pair = builder.mul(group, pairs)
    firsts = [spread(start_rows[r], builder.mul(group, _i64(4))) for r in range(rows)]
    builder.branch(inner)

    builder.position_at_end(inner)
    pair = builder.phi(_I64)
    pair.add_incoming(_i64(0), outer)
    sums = [builder.phi(integers) for _ in places]
    for (r, _), value in zip(places, sums, strict=True):
        value.add_incoming(firsts[r], outer)
    number = builder.add(first_pair, pair)
    b_pair = builder.mul(number, _i64(width * columns))
    packed = [vector(b, builder.add(b_pair, _i64(j * width)), integers) for j in range(columns)]
    halves = (
        [builder.and_(word, nibbles) for word in packed],
        [builder.and_(builder.lshr(word, four), nibbles) for word in packed],
    )
    added = list(sums)
    for half, operands in enumerate(halves):
        offset = builder.add(builder.mul(number, _i64(8)), _i64(4 * half))
        for r in range(rows):
            signed = spread(a_rows[r], offset)
            for j in range(columns):
                place = r * columns + j
                added[place] = emit_dot(builder, dot, added[place], operands[j], signed)
    pair_after = builder.add(pair, _i64(1))
    pair.add_incoming(pair_after, inner)
    for value, after in zip(sums, added, strict=True):
        value.add_incoming(after, inner)
    builder.cbranch(builder.icmp_signed("<", pair_after, pairs), inner, scaling)

    builder.position_at_end(scaling)
    scale_row = builder.mul(group, _i64(width * columns))
    scale = [vector(scales, builder.add(scale_row, _i64(j * width)), reals) for j in range(columns)]
    scaled = [
        builder.fadd(total, builder.fmul(scale[j], builder.sitofp(value, reals)))
        for (_, j), total, value in zip(places, totals, added, strict=True)
    ]
    group_after = builder.add(group, _i64(1))
    group.add_incoming(group_after, scaling)
    for total, after in zip(totals, scaled, strict=True):
        total.add_incoming(after, scaling)
    builder.cbranch(builder.icmp_signed("<", group_after, groups), outer, done)

    builder.position_at_end(done)
    for (r, j), value in zip(places, scaled, strict=True):
        row = builder.add(c, builder.mul(c_stride, _i64(r)))
        builder.store(value, at(row, _i64(j * width), reals)).align = 4
