"""Vector code for 16 channels at a time: requantizing accumulators, and the taps of a depthwise convolution.

Emitted as LLVM vectors because loops over int64 products of int32 stay scalar otherwise. Plain LLVM operations only, so
that any processor runs them; with AVX-512 sixteen channels take about 25 instructions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_BYTES, _WORDS, _LONGS = ir.VectorType(_I8, LANES), ir.VectorType(_I32, LANES), ir.VectorType(_I64, LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_LOAD, _STORE = "llvm.masked.load.v16i8.p0", "llvm.masked.store.v16i8.p0"


def _all(kind: Any, value: int) -> Any:
    return ir.Constant(kind, [value] * LANES)


def _load(builder: Any, address: Any, kind: Any, align: int = 4) -> Any:
    loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
    loaded.align = align
    return loaded


def _spread(builder: Any, value: Any) -> Any:
    """One int32 in every lane."""
    empty = ir.Constant(_WORDS, ir.Undefined)
    lane = builder.insert_element(empty, builder.trunc(value, _I32), ir.Constant(_I32, 0))
    return builder.shuffle_vector(lane, empty, _all(_WORDS, 0))


def _double(builder: Any, acc: Any, m: Any, s: Any) -> Any:
    """RDbP(SRDHM(acc, m), s): half up by 31 places, then half away from zero by s."""
    product = builder.mul(builder.sext(acc, _LONGS), builder.sext(m, _LONGS))
    high = builder.trunc(builder.ashr(builder.add(product, _all(_LONGS, 1 << 30)), _all(_LONGS, 31)), _WORDS)
    mask = builder.sub(builder.shl(_all(_WORDS, 1), s), _all(_WORDS, 1))
    is_negative = builder.zext(builder.icmp_signed("<", high, _all(_WORDS, 0)), _WORDS)
    threshold = builder.add(builder.lshr(mask, _all(_WORDS, 1)), is_negative)
    rises = builder.icmp_signed(">", builder.and_(high, mask), threshold)
    return builder.add(builder.ashr(high, s), builder.zext(rises, _WORDS))


def _single(builder: Any, acc: Any, m: Any, s: Any) -> Any:
    """(acc * m + 2**(30 + s)) >> (31 + s): half up."""
    places = builder.add(builder.zext(s, _LONGS), _all(_LONGS, 31))
    half = builder.shl(_all(_LONGS, 1), builder.sub(places, _all(_LONGS, 1)))
    product = builder.mul(builder.sext(acc, _LONGS), builder.sext(m, _LONGS))
    return builder.trunc(builder.ashr(builder.add(product, half), places), _WORDS)


def _single_away(builder: Any, acc: Any, m: Any, s: Any) -> Any:
    """sign(acc) * single(|acc|): half away from zero."""
    is_negative = builder.icmp_signed("<", acc, _all(_WORDS, 0))
    magnitude = builder.select(is_negative, builder.sub(_all(_WORDS, 0), acc), acc)
    rounded = _single(builder, magnitude, m, s)
    return builder.select(is_negative, builder.sub(_all(_WORDS, 0), rounded), rounded)


_RULES = (_double, _single, _single_away)


def _first(builder: Any, count: Any) -> Any:
    """Which of the 16 lanes are among the first `count`."""
    return builder.icmp_signed("<", ir.Constant(_WORDS, list(range(LANES))), _spread(builder, count))


def _settle(builder: Any, steps: Any, zero: Any, low: Any, high: Any, y: Any, count: Any) -> None:
    """Add the zero point, clamp, and store the first `count` codes."""
    code = builder.add(steps, _spread(builder, zero))
    lowest, highest = _spread(builder, low), _spread(builder, high)
    code = builder.select(builder.icmp_signed("<", code, lowest), lowest, code)
    code = builder.select(builder.icmp_signed(">", code, highest), highest, code)
    kinds = (_BYTES, _BYTES.as_pointer(), _I32, _MASK)
    store = builder.module.declare_intrinsic(_STORE, (), ir.FunctionType(ir.VoidType(), kinds))
    pointer = builder.inttoptr(y, _BYTES.as_pointer())
    builder.call(store, (builder.trunc(code, _BYTES), pointer, ir.Constant(_I32, 1), _first(builder, count)))


def _codes(builder: Any, address: Any, count: Any) -> Any:
    """The first `count` int8 codes at an address as int32; nothing behind them is read."""
    kinds = (_BYTES.as_pointer(), _I32, _MASK, _BYTES)
    load = builder.module.declare_intrinsic(_LOAD, (), ir.FunctionType(_BYTES, kinds))
    pointer = builder.inttoptr(address, _BYTES.as_pointer())
    arguments = (pointer, ir.Constant(_I32, 1), _first(builder, count), _all(_BYTES, 0))
    return builder.sext(builder.call(load, arguments), _WORDS)


@cache
def requantize_lanes(rule: int) -> Any:
    """Up to 16 accumulators to int8 codes, as a Numba intrinsic.

        lanes(acc, bias, multiplier, shift, zero, low, high, y, count)

    acc, bias, multiplier, shift : addresses of 16 int32; shift counts places to the right, 0..31
    zero, low, high : added, then clamped to, before the code is stored
    y : address of the codes, of which `count` (1..16) are written
    rule : 0 double, 1 single, 2 single_away, see `refq.numerics.requantize`
    """

    @intrinsic
    def lanes(context, acc, bias, multiplier, shift, zero, low, high, y, count):
        signature = types.void(*[types.intp] * 9)

        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            acc, bias, multiplier, shift, zero, low, high, y, count = arguments
            total = builder.add(_load(builder, acc, _WORDS), _load(builder, bias, _WORDS))
            m, s = _load(builder, multiplier, _WORDS), _load(builder, shift, _WORDS)
            _settle(builder, _RULES[rule](builder, total, m, s), zero, low, high, y, count)
            return target.get_dummy_value()

        return signature, emit

    return lanes


@cache
def sum_lanes(rule: int) -> Any:
    """Up to 16 sums or differences of int8 codes on grids of their own, as a Numba intrinsic.

        lanes(a, b, settings, left, zero, low, high, y, count)
        y = R(R_a((a - z_a) << left) + sign * R_b((b - z_b) << left)) + zero, clamped

    a, b, y : addresses of codes, of which `count` (1..16) are read and written
    settings : address of 9 int32: z_a, multiplier and right shift of R_a; the same of b; those of R; sign
    """

    @intrinsic
    def lanes(context, a, b, settings, left, zero, low, high, y, count):
        signature = types.void(*[types.intp] * 9)

        def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
            a, b, settings, left, zero, low, high, y, count = arguments

            def setting(place: int) -> Any:
                address = builder.add(settings, ir.Constant(_I64, 4 * place))
                return _spread(builder, builder.sext(_load(builder, address, _I32), _I64))

            def aligned(address: Any, first: int) -> Any:
                steps = builder.sub(_codes(builder, address, count), setting(first))
                shifted = builder.shl(steps, _spread(builder, left))
                return _RULES[rule](builder, shifted, setting(first + 1), setting(first + 2))

            total = builder.add(aligned(a, 0), builder.mul(aligned(b, 3), setting(8)))
            _settle(builder, _RULES[rule](builder, total, setting(6), setting(7)), zero, low, high, y, count)
            return target.get_dummy_value()

        return signature, emit

    return lanes


def _depthwise_lanes(context, x, offsets, taps, w, stride, acc):
    """acc[c] = sum over taps of x[offsets[t] + c] * w[t * stride + c] for 16 channels, as a Numba intrinsic.

    x : address of int8 inputs; offsets : address of `taps` int64, in bytes
    w : address of int8 weights, `stride` apart from tap to tap; acc : address of 16 int32
    """
    signature = types.void(*[types.intp] * 6)

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        x, offsets, taps, w, stride, acc = arguments
        before = builder.block
        loop, done = builder.append_basic_block("tap"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        tap, total = builder.phi(_I64), builder.phi(_WORDS)
        tap.add_incoming(ir.Constant(_I64, 0), before)
        total.add_incoming(_all(_WORDS, 0), before)
        place = builder.add(offsets, builder.mul(tap, ir.Constant(_I64, 8)))
        offset = builder.load(builder.inttoptr(place, _I64.as_pointer()))
        seen = builder.sext(_load(builder, builder.add(x, offset), _BYTES, 1), _WORDS)
        weight = builder.sext(_load(builder, builder.add(w, builder.mul(tap, stride)), _BYTES, 1), _WORDS)
        added = builder.add(total, builder.mul(seen, weight))
        after = builder.add(tap, ir.Constant(_I64, 1))
        tap.add_incoming(after, loop)
        total.add_incoming(added, loop)
        builder.cbranch(builder.icmp_signed("<", after, taps), loop, done)
        builder.position_at_end(done)
        builder.store(added, builder.inttoptr(acc, _WORDS.as_pointer())).align = 4
        return target.get_dummy_value()

    return signature, emit


depthwise_lanes: Any = intrinsic(_depthwise_lanes)


_LINE = 64
_LINE_BYTES, _LINE_MASK = ir.VectorType(_I8, _LINE), ir.VectorType(ir.IntType(1), _LINE)


def _copy_flipped(context, source, target, count, flip):
    """target[i] = source[i] ^ flip for `count` bytes at two addresses; flip = 128 turns int8 into uint8 plus 128."""
    signature = types.void(*[types.intp] * 4)

    def emit(target_context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        source, target, count, flip = arguments

        def in_all(value: Any) -> Any:
            empty = ir.Constant(_LINE_BYTES, ir.Undefined)
            lane = builder.insert_element(empty, builder.trunc(value, _I8), ir.Constant(_I32, 0))
            return builder.shuffle_vector(lane, empty, ir.Constant(ir.VectorType(_I32, _LINE), [0] * _LINE))

        pointer, align = _LINE_BYTES.as_pointer(), ir.Constant(_I32, 1)
        load = builder.module.declare_intrinsic(
            "llvm.masked.load.v64i8.p0", (), ir.FunctionType(_LINE_BYTES, (pointer, _I32, _LINE_MASK, _LINE_BYTES))
        )
        store = builder.module.declare_intrinsic(
            "llvm.masked.store.v64i8.p0", (), ir.FunctionType(ir.VoidType(), (_LINE_BYTES, pointer, _I32, _LINE_MASK))
        )
        flips, places = in_all(flip), ir.Constant(_LINE_BYTES, list(range(_LINE)))
        before = builder.block
        loop, done = builder.append_basic_block("line"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed(">", count, ir.Constant(_I64, 0)), loop, done)
        builder.position_at_end(loop)
        place = builder.phi(_I64)
        place.add_incoming(ir.Constant(_I64, 0), before)
        left = builder.sub(count, place)
        is_whole = builder.icmp_signed(">", left, ir.Constant(_I64, _LINE))
        mask = builder.icmp_unsigned("<", places, in_all(builder.select(is_whole, ir.Constant(_I64, _LINE), left)))
        start = builder.inttoptr(builder.add(source, place), pointer)
        line = builder.call(load, (start, align, mask, ir.Constant(_LINE_BYTES, [0] * _LINE)))
        builder.call(
            store, (builder.xor(line, flips), builder.inttoptr(builder.add(target, place), pointer), align, mask)
        )
        after = builder.add(place, ir.Constant(_I64, _LINE))
        place.add_incoming(after, loop)
        builder.cbranch(builder.icmp_signed("<", after, count), loop, done)
        builder.position_at_end(done)
        return target_context.get_dummy_value()

    return signature, emit


copy_flipped: Any = intrinsic(_copy_flipped)
