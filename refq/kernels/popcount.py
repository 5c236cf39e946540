"""Products of bit planes: 512 multiply-accumulates an instruction, by logic and counting ones.

    binary   c[m, n] (+)= base + weight * sum_k ones(a[m, k] ^ b[n, k])
    planes   c[m, n] (+)= base + weight * sum_k ones(a[m, k] & b[n, k])
    ternary  c[m, n] (+)= base + weight * sum_k (ones(d & ~e) - ones(d & e)),
                          d = nonzero_a & nonzero_b,  e = negative_a ^ negative_b

with 64 codes a word. One block keeps 4 rows x 4 vectors of 8 sums in registers and broadcasts a word of a row against
32 columns. It is written as generic vectors of LLVM, so that it becomes VPOPCNTQ where the processor has it and table
lookups where not; sums wrap modulo 2**32, as int32 registers do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refq.kernels.compiled import compiled

LANES = 8
"""Columns of a vector: 64-bit words in 512 bits."""

WIDE, NARROW = 4, 1
"""Vectors of a panel: 32 columns, or 8 for layers with few outputs."""

BINARY, PLANES, TERNARY = 0, 1, 2

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_WORDS, _SUMS = ir.VectorType(_I64, LANES), ir.VectorType(_I32, LANES)


def _i64(value: int) -> Any:
    return ir.Constant(_I64, value)


def _spread(builder: Any, scalar: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


def _at(builder: Any, address: Any, kind: Any, align: int) -> Any:
    loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
    loaded.align = align
    return loaded


def _panel(columns: int, rows: int, operation: int) -> Any:
    """panel(a, a_row, a_plane, b, b_plane, words, c, c_row, count, base, weight, accumulate), all strides in bytes.

    a : `count` rows of `words` words, `a_row` apart; b : [words][columns * 8] words, aligned to 64;
    c : int32 rows of columns * 8, `c_row` apart; the second plane of a ternary operand lies `*_plane` behind the first
    """

    @intrinsic
    def panel(context, a, a_row, a_plane, b, b_plane, words, c, c_row, count, base, weight, accumulate):
        signature = types.void(*[types.intp] * 9, types.int32, types.int32, types.boolean)

        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            a, a_row, a_plane, b, b_plane, words, c, c_row, count, *rest = arguments

            def block(first: Any, size: int) -> None:
                x, y = builder.add(a, builder.mul(first, a_row)), builder.add(c, builder.mul(first, c_row))
                _emit(builder, size, columns, operation, [x, a_row, a_plane, b, b_plane, words, y, c_row, *rest])

            blocks = builder.sdiv(count, _i64(rows))
            done = builder.mul(blocks, _i64(rows))
            with cgutils.for_range(builder, blocks) as loop:
                block(builder.mul(loop.index, _i64(rows)), rows)
            with cgutils.for_range(builder, builder.sub(count, done)) as loop:
                block(builder.add(done, loop.index), 1)
            return target.get_dummy_value()

        return signature, emit

    return panel


def _emit(builder: Any, rows: int, columns: int, operation: int, arguments: Any) -> None:
    a, a_row, a_plane, b, b_plane, words, c, c_row, base, weight, accumulate = arguments
    places = [(r, j) for r in range(rows) for j in range(columns)]
    planes = (0, 1) if operation == TERNARY else (0,)
    width = 8 * LANES
    before, loop, done = builder.block, builder.append_basic_block("word"), builder.append_basic_block("done")
    a_rows = [[builder.add(a, builder.mul(a_row, _i64(r))) for r in range(rows)]]
    a_rows += [[builder.add(start, a_plane) for start in a_rows[0]]]
    b_planes = [b, builder.add(b, b_plane)]
    builder.branch(loop)

    builder.position_at_end(loop)
    k, sums = builder.phi(_I64), [builder.phi(_WORDS) for _ in places]
    k.add_incoming(_i64(0), before)
    for phi in sums:
        phi.add_incoming(ir.Constant(_WORDS, [0] * LANES), before)
    b_offset, a_offset = builder.mul(k, _i64(width * columns)), builder.mul(k, _i64(8))
    b_words = [
        [_at(builder, builder.add(builder.add(b_planes[p], b_offset), _i64(j * width)), _WORDS, 64) for p in planes]
        for j in range(columns)
    ]
    added = []
    for r in range(rows):
        a_words = [_spread(builder, _at(builder, builder.add(a_rows[p][r], a_offset), _I64, 8), _WORDS) for p in planes]
        for j in range(columns):
            added.append(_count(builder, operation, sums[r * columns + j], a_words, b_words[j]))
    k_after = builder.add(k, _i64(1))
    k.add_incoming(k_after, loop)
    for phi, value in zip(sums, added, strict=True):
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", k_after, words), loop, done)

    builder.position_at_end(done)
    addresses = [builder.add(builder.add(c, builder.mul(c_row, _i64(r))), _i64(4 * LANES * j)) for r, j in places]
    with builder.if_else(accumulate) as (then, otherwise):
        with then:
            held = [_at(builder, address, _SUMS, 4) for address in addresses]
            held_block = builder.block
        with otherwise:
            fresh = _spread(builder, base, _SUMS)
            fresh_block = builder.block
    starts = [builder.phi(_SUMS) for _ in places]
    for phi, value in zip(starts, held, strict=True):
        phi.add_incoming(value, held_block)
        phi.add_incoming(fresh, fresh_block)
    factor = _spread(builder, weight, _SUMS)
    for start, value, address in zip(starts, added, addresses, strict=True):
        total = builder.add(start, builder.mul(factor, builder.trunc(value, _SUMS)))
        builder.store(total, builder.inttoptr(address, _SUMS.as_pointer())).align = 4


def _count(builder: Any, operation: int, total: Any, a: list[Any], b: list[Any]) -> Any:
    count = builder.module.declare_intrinsic("llvm.ctpop.v8i64", (), ir.FunctionType(_WORDS, (_WORDS,)))
    if operation == BINARY:
        return builder.add(total, builder.call(count, (builder.xor(a[0], b[0]),)))
    both = builder.and_(a[0], b[0])
    if operation == PLANES:
        return builder.add(total, builder.call(count, (both,)))
    opposite = builder.and_(both, builder.xor(a[1], b[1]))
    equal = builder.xor(both, opposite)
    return builder.sub(builder.add(total, builder.call(count, (equal,))), builder.call(count, (opposite,)))


_binary_wide, _binary_narrow = _panel(WIDE, 4, BINARY), _panel(NARROW, 8, BINARY)
_planes_wide, _planes_narrow = _panel(WIDE, 4, PLANES), _panel(NARROW, 8, PLANES)
_ternary_wide, _ternary_narrow = _panel(WIDE, 4, TERNARY), _panel(NARROW, 8, TERNARY)


# By address: a (planes, rows, words) and b (planes, panels, words, width) uint64, c (rows, panels * width) int32.
@compiled
def block_products(operation, wide, a, a_row, a_plane, b, b_plane, panels, words, c, c_row, rows, base, weight, add):
    width = 32 if wide else 8
    for k in range(0, words, 64):  # 64 words of a panel of 32 columns fill half of a 32 KiB cache
        chunk, more = min(64, words - k), add or k > 0
        for first in range(0, rows, 256):  # 256 rows of 64 words stay in the second-level cache
            count = min(256, rows - first)
            x = a + first * a_row + k * 8
            for p in range(panels):
                w, y = b + (p * words + k) * width * 8, c + first * c_row + p * width * 4
                if operation == BINARY:
                    if wide:
                        _binary_wide(x, a_row, a_plane, w, b_plane, chunk, y, c_row, count, base, weight, more)
                    else:
                        _binary_narrow(x, a_row, a_plane, w, b_plane, chunk, y, c_row, count, base, weight, more)
                elif operation == PLANES:
                    if wide:
                        _planes_wide(x, a_row, a_plane, w, b_plane, chunk, y, c_row, count, base, weight, more)
                    else:
                        _planes_narrow(x, a_row, a_plane, w, b_plane, chunk, y, c_row, count, base, weight, more)
                elif wide:
                    _ternary_wide(x, a_row, a_plane, w, b_plane, chunk, y, c_row, count, base, weight, more)
                else:
                    _ternary_narrow(x, a_row, a_plane, w, b_plane, chunk, y, c_row, count, base, weight, more)


_ONE, _TWO, _FOUR, _EIGHT = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(8)
_SIXTEEN, _THIRTY_TWO = np.uint64(16), np.uint64(32)
_PAIRS, _NIBBLES = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_BYTES, _COUNT = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x7F)


# word uint64
@compiled
def ones(word):
    word = word - ((word >> _ONE) & _PAIRS)
    word = (word & _NIBBLES) + ((word >> _TWO) & _NIBBLES)
    word = (word + (word >> _FOUR)) & _BYTES
    word = word + (word >> _EIGHT)
    word = word + (word >> _SIXTEEN)
    return np.int64((word + (word >> _THIRTY_TWO)) & _COUNT)


# a (planes, rows, words) uint64, b (planes, columns, words) uint64, c (rows, columns) int32; for any processor.
@compiled
def plain_products(operation, a, b, c, base, weight, add):
    for m in range(a.shape[1]):
        for n in range(b.shape[1]):
            total = 0
            for k in range(a.shape[2]):
                if operation == BINARY:
                    total += ones(a[0, m, k] ^ b[0, n, k])
                elif operation == PLANES:
                    total += ones(a[0, m, k] & b[0, n, k])
                else:
                    both = a[0, m, k] & b[0, n, k]
                    opposite = both & (a[1, m, k] ^ b[1, n, k])
                    total += ones(both ^ opposite) - ones(opposite)
            c[m, n] = (c[m, n] if add else base) + weight * total
