"""The register block of sums whose every addition is held to a narrow register, as LLVM instructions.

    acc[r][lane] = clip(acc[r][lane] + a[r][k] * w[k][lane], low, high)          k in order, tap by tap

A step is a broadcast, a product, a sum and two comparisons for 16 lanes of int32 (8 of int64), where VPDPBUSD adds four
products to each of 16 lanes in one; what saturates in stated order cannot be had for less. The sum waits for the one
before it, about 5 cycles, so that a block of 8 rows keeps two vector units busy.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _i64(value: int) -> Any:
    return ir.Constant(_I64, value)


@cache
def register_block(rows: int, bits: int, is_held: bool = True) -> Any:
    """The block as a Numba intrinsic, of `rows` rows of 16 lanes of `bits` (32 or 64) bits.

        block(a, row_stride, offsets, taps, run, w, start, c, low, high)

    a, row_stride : address of centred inputs, in words of `bits`, and bytes between rows
    offsets, taps : address of `taps` int64: where each run of inputs starts, in bytes from its row
    run : inputs of a tap, side by side; at least 1
    w : [tap][run][16] words
    start : 16 words that every row starts from
    c : [row][16] words, overwritten
    low, high : ends of the register; a sum of one and a product fits the word
    is_held : whether sums are held to the ends; if not, low and high are not read
    """

    @intrinsic
    def block(context, a, row_stride, offsets, taps, run, w, start, c, low, high):
        signature = types.void(*[types.intp] * 10)

        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            _emit(builder, rows, _I32 if bits == 32 else _I64, is_held, arguments)
            return target.get_dummy_value()

        return signature, emit

    return block


def _emit(builder: Any, rows: int, word: Any, is_held: bool, arguments: Any) -> None:
    a, row_stride, offsets, taps, run, w, start, c, low, high = arguments
    vector, size = ir.VectorType(word, LANES), word.width // 8
    undefined = ir.Constant(vector, ir.Undefined)

    def spread(value: Any) -> Any:
        lane = builder.insert_element(undefined, value, ir.Constant(_I32, 0))
        return builder.shuffle_vector(lane, undefined, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))

    def load(address: Any, kind: Any) -> Any:
        loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
        loaded.align = size
        return loaded

    lowest, highest = (spread(builder.trunc(end, word) if word is _I32 else end) for end in (low, high))
    first = load(start, vector)
    before = builder.block
    tap_block, step_block, next_block, done = (builder.append_basic_block(n) for n in ("tap", "step", "next", "done"))
    builder.branch(tap_block)

    builder.position_at_end(tap_block)
    tap = builder.phi(_I64)
    tap.add_incoming(_i64(0), before)
    sums_out = [builder.phi(vector) for _ in range(rows)]
    for phi in sums_out:
        phi.add_incoming(first, before)
    place = builder.add(offsets, builder.mul(tap, _i64(8)))
    origin = builder.add(a, builder.load(builder.inttoptr(place, _I64.as_pointer())))
    a_rows = [builder.add(origin, builder.mul(row_stride, _i64(r))) for r in range(rows)]
    w_tap = builder.add(w, builder.mul(builder.mul(tap, run), _i64(size * LANES)))
    builder.branch(step_block)

    builder.position_at_end(step_block)
    step = builder.phi(_I64)
    step.add_incoming(_i64(0), tap_block)
    sums = [builder.phi(vector) for _ in range(rows)]
    for phi, value in zip(sums, sums_out, strict=True):
        phi.add_incoming(value, tap_block)
    weights = load(builder.add(w_tap, builder.mul(step, _i64(size * LANES))), vector)
    offset = builder.mul(step, _i64(size))
    held = []
    for r in range(rows):
        product = builder.mul(spread(load(builder.add(a_rows[r], offset), word)), weights)
        total = builder.add(sums[r], product)
        if is_held:
            total = builder.select(builder.icmp_signed("<", total, lowest), lowest, total)
            total = builder.select(builder.icmp_signed(">", total, highest), highest, total)
        held.append(total)
    step_after = builder.add(step, _i64(1))
    step.add_incoming(step_after, step_block)
    for phi, value in zip(sums, held, strict=True):
        phi.add_incoming(value, step_block)
    builder.cbranch(builder.icmp_signed("<", step_after, run), step_block, next_block)

    builder.position_at_end(next_block)
    tap_after = builder.add(tap, _i64(1))
    tap.add_incoming(tap_after, next_block)
    for phi, value in zip(sums_out, held, strict=True):
        phi.add_incoming(value, next_block)
    builder.cbranch(builder.icmp_signed("<", tap_after, taps), tap_block, done)

    builder.position_at_end(done)
    for r, value in enumerate(held):
        pointer = builder.inttoptr(builder.add(c, _i64(r * size * LANES)), vector.as_pointer())
        builder.store(value, pointer).align = size
