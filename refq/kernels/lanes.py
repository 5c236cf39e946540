"""Vector intrinsics around the register blocks: requantized tiles, sums of codes, and copies.

The rounding itself, and how four vectors of sums become 64 codes, stand in `refq.kernels.rounding_lanes`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refq.kernels.rounding_lanes import BYTES, I32, I64, LANES, LINE, RULES, WORDS, Limits, in_all, load, part, spread

_MASK = ir.VectorType(ir.IntType(1), LANES)
_ROWS = 4
"""Rows of 16 sums that become 64 codes at once."""


def _i64(value: int) -> Any:
    return ir.Constant(I64, value)


def _first(builder: Any, count: Any) -> Any:
    """Which of the 16 lanes are among the first `count`."""
    return builder.icmp_signed("<", ir.Constant(WORDS, list(range(LANES))), spread(builder, count))


def _store(builder: Any, codes: Any, address: Any, count: Any) -> None:
    """Write the first `count` of 16 codes."""
    kinds = (BYTES, BYTES.as_pointer(), I32, _MASK)
    store = builder.module.declare_intrinsic("llvm.masked.store.v16i8.p0", (), ir.FunctionType(ir.VoidType(), kinds))
    pointer = builder.inttoptr(address, BYTES.as_pointer())
    builder.call(store, (codes, pointer, ir.Constant(I32, 1), _first(builder, count)))


def _codes(builder: Any, address: Any, count: Any) -> Any:
    """The first `count` int8 codes at an address; nothing behind them is read."""
    kinds = (BYTES.as_pointer(), I32, _MASK, BYTES)
    read = builder.module.declare_intrinsic("llvm.masked.load.v16i8.p0", (), ir.FunctionType(BYTES, kinds))
    pointer = builder.inttoptr(address, BYTES.as_pointer())
    return builder.call(read, (pointer, ir.Constant(I32, 1), _first(builder, count), in_all(BYTES, 0)))


@cache
def requantize_lanes(rule: int) -> Any:
    """Rows of up to 16 accumulators to int8 codes, as a Numba intrinsic.

        lanes(acc, acc_stride, rows, bias, multiplier, shift, zero, low, high, y, y_stride, count)

    acc, acc_stride : address of `rows` (at least 1) rows of 16 int32, and bytes between them
    bias, multiplier, shift : addresses of 16 int32; shift counts places to the right, 0..31
    zero, low, high : added, then clamped to, before the code is stored
    y, y_stride : address of the codes, of which `count` (1..16) are written in each row, and bytes between rows
    rule : 0 double, 1 single, 2 single_away, see `refq.numerics.requantize`; 3 and 4, see `rounding_lanes.Upper`

    Notes
    -----
    Four rows become 64 codes at once. Where fewer are left, the last is computed and written again.
    """

    @intrinsic
    def lanes(context, acc, acc_stride, rows, bias, multiplier, shift, zero, low, high, y, y_stride, count):
        signature = types.void(*[types.intp] * 12)

        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            acc, acc_stride, rows, bias, multiplier, shift, zero, low, high, y, y_stride, count = arguments
            added = load(builder, bias, WORDS)
            rounding = RULES[rule].prepare(builder, load(builder, multiplier, WORDS), load(builder, shift, WORDS))
            limits, last = Limits(zero, low, high), builder.sub(rows, _i64(1))
            is_whole = builder.icmp_signed("==", count, _i64(LANES))
            before = builder.block
            loop, done = builder.append_basic_block("rows"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            row = builder.phi(I64)
            row.add_incoming(_i64(0), before)
            places, steps = [], []
            for i in range(_ROWS):
                at = builder.add(row, _i64(i))
                at = builder.select(builder.icmp_signed("<", at, last), at, last)
                places.append(builder.add(y, builder.mul(at, y_stride)))
                sums = load(builder, builder.add(acc, builder.mul(at, acc_stride)), WORDS)
                steps.append(rounding.apply(builder, builder.add(sums, added)))
            line = limits.codes(builder, steps)
            codes = [part(builder, line, i) for i in range(_ROWS)]
            with builder.if_else(is_whole) as (whole, ragged):
                with whole:
                    for code, place in zip(codes, places, strict=True):
                        builder.store(code, builder.inttoptr(place, BYTES.as_pointer())).align = 1
                with ragged:
                    for code, place in zip(codes, places, strict=True):
                        _store(builder, code, place, count)
            after = builder.add(row, _i64(_ROWS))
            row.add_incoming(after, builder.block)
            builder.cbranch(builder.icmp_signed("<", after, rows), loop, done)
            builder.position_at_end(done)
            return target.get_dummy_value()

        return signature, emit

    return lanes


@cache
def sum_lanes(rule: int, last: int, whole: bool) -> Any:
    """Sums or differences of int8 codes on grids of their own, as a Numba intrinsic.

        lanes(a, b, settings, left, zero, low, high, y, count)
        y = R(factor * (a - z_a) + sign * R_b((b - z_b) << left)) + zero, clamped

    a, b, y : addresses of `count` codes: at least 64 if `whole`, else at most 16; y apart from a and b
    settings : address of 8 int32: z_a, factor, z_b, multiplier and right shift of R_b, those of R, sign
    left : 9 to 21
    rule, last : those of R_b and of R

    Notes
    -----
    a is the operand of the larger scale s, whose factor to the common scale is s / (2 s). Every rule halves an even
    number exactly, ((d << left) * 2**30 + 2**30) >> 31 = d << (left - 1), which `factor` holds with the operand's sign.

    The first step of `double` has d = b - z_b of 9 bits, and no need of 64. With k = 31 - left and m = m1 * 2**k + m0

        ((d << left) * m + 2**30) >> 31 = (d * m + 2**(k - 1)) >> k = d * m1 + ((d * m0 + 2**(k - 1)) >> k)
    """

    @intrinsic
    def lanes(context, a, b, settings, left, zero, low, high, y, count):
        signature = types.void(*[types.intp] * 9)

        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            a, b, settings, left, zero, low, high, y, count = arguments
            limits, places = Limits(zero, low, high), spread(builder, left)

            def setting(place: int) -> Any:
                address = builder.add(settings, _i64(4 * place))
                return spread(builder, builder.sext(load(builder, address, I32), I64))

            def rounding(number: int, first: int) -> Any:
                return RULES[number].prepare(builder, setting(first), setting(first + 1))

            a_zero, factor, b_zero, sign = (setting(number) for number in (0, 1, 2, 7))
            align, leave = rounding(rule, 3), rounding(last, 5)
            below, one = builder.sub(in_all(WORDS, 31), places), in_all(WORDS, 1)
            upper = builder.ashr(setting(3), below)
            lower = builder.sub(setting(3), builder.shl(upper, below))
            half = builder.lshr(builder.shl(one, below), one)

            def aligned(codes: Any) -> Any:
                if rule:
                    return align.apply(builder, builder.shl(codes, places))
                low = builder.ashr(builder.add(builder.mul(codes, lower), half), below)
                return align.divided(builder, builder.add(builder.mul(codes, upper), low))

            def total(offset: Any) -> Any:
                def centred(source: Any, zero: Any) -> Any:
                    address = builder.add(source, offset)
                    codes = load(builder, address, BYTES, 1) if whole else _codes(builder, address, count)
                    return builder.sub(builder.sext(codes, WORDS), zero)

                halved = builder.mul(centred(a, a_zero), factor)
                other = aligned(centred(b, b_zero))
                return leave.apply(builder, builder.add(halved, builder.mul(other, sign)))

            if not whole:
                line = limits.codes(builder, [total(_i64(0))] * _ROWS)
                _store(builder, part(builder, line, 0), y, count)
                return target.get_dummy_value()
            end, before = builder.sub(count, _i64(_ROWS * LANES)), builder.block
            loop, done = builder.append_basic_block("line"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            place = builder.phi(I64)
            place.add_incoming(_i64(0), before)
            at = builder.select(builder.icmp_signed("<", place, end), place, end)  # the last 64 overlap those before
            line = limits.codes(builder, [total(builder.add(at, _i64(LANES * i))) for i in range(_ROWS)])
            builder.store(line, builder.inttoptr(builder.add(y, at), LINE.as_pointer())).align = 1
            after = builder.add(place, _i64(_ROWS * LANES))
            place.add_incoming(after, loop)
            builder.cbranch(builder.icmp_signed("<", after, count), loop, done)
            builder.position_at_end(done)
            return target.get_dummy_value()

        return signature, emit

    return lanes


_LINE = 64
_LINE_MASK = ir.VectorType(ir.IntType(1), _LINE)


def _copy_flipped(context, source, target, count, flip):
    """target[i] = source[i] ^ flip for `count` bytes at two addresses; flip = 128 turns int8 into uint8 plus 128."""
    signature = types.void(*[types.intp] * 4)

    def emit(target_context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        source, target, count, flip = arguments

        pointer, align = LINE.as_pointer(), ir.Constant(I32, 1)
        load = builder.module.declare_intrinsic(
            "llvm.masked.load.v64i8.p0", (), ir.FunctionType(LINE, (pointer, I32, _LINE_MASK, LINE))
        )
        store = builder.module.declare_intrinsic(
            "llvm.masked.store.v64i8.p0", (), ir.FunctionType(ir.VoidType(), (LINE, pointer, I32, _LINE_MASK))
        )
        flips, places = spread(builder, flip, LINE), ir.Constant(LINE, list(range(_LINE)))
        before = builder.block
        loop, done = builder.append_basic_block("line"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed(">", count, ir.Constant(I64, 0)), loop, done)
        builder.position_at_end(loop)
        place = builder.phi(I64)
        place.add_incoming(ir.Constant(I64, 0), before)
        left = builder.sub(count, place)
        is_whole = builder.icmp_signed(">", left, ir.Constant(I64, _LINE))
        mask = builder.icmp_unsigned(
            "<", places, spread(builder, builder.select(is_whole, ir.Constant(I64, _LINE), left), LINE)
        )
        start = builder.inttoptr(builder.add(source, place), pointer)
        line = builder.call(load, (start, align, mask, ir.Constant(LINE, [0] * _LINE)))
        builder.call(
            store, (builder.xor(line, flips), builder.inttoptr(builder.add(target, place), pointer), align, mask)
        )
        after = builder.add(place, ir.Constant(I64, _LINE))
        place.add_incoming(after, loop)
        builder.cbranch(builder.icmp_signed("<", after, count), loop, done)
        builder.position_at_end(done)
        return target_context.get_dummy_value()

    return signature, emit


copy_flipped: Any = intrinsic(_copy_flipped)
