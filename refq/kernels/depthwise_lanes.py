"""Vector intrinsics of depthwise convolutions, whose sums run over places and never over channels.

    a column of the image    x[0][c]  x[1][c]  x[2][c]  x[3][c]      four rows, 16 channels each
    the same as words        [c][0..3]                               one VPDPBUSD adds four products to 16 channels

A column of words serves every output that the kernel's columns carry over it: FX of them at a stride of one.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refq.kernels.cpu import available, features
from refq.kernels.intrinsics import DOTS, emit_dot
from refq.kernels.rounding_lanes import BYTES, I32, I64, LANES, LINE, WORDS, in_all, joined, load

_ROWS = 4
"""Outputs that are computed at once."""

COLUMN_ORDER = tuple(LANES * (i % 4) + i // 4 for i in range(4 * LANES))
"""From [row][channel] to [channel][row]."""


def _i64(value: int) -> Any:
    return ir.Constant(I64, value)


def _tap_lanes(context, x, row_bytes, rows, order, out):
    """Four bytes of a column side by side for 16 channels: out[c][r] = x[min(r, rows - 1)][c], a Numba intrinsic.

    x, row_bytes : address of 16 bytes, and bytes to the next of `rows` (at least 1) rows; out : address of 64 bytes
    """
    signature = types.void(*[types.intp] * 5)

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        x, row_bytes, rows, order, out = arguments
        last = builder.sub(rows, _i64(1))
        seen = []
        for i in range(4):
            at = builder.select(builder.icmp_signed("<", _i64(i), last), _i64(i), last)
            seen.append(load(builder, builder.add(x, builder.mul(at, row_bytes)), BYTES, 1))
        line = joined(builder, seen)
        if "avx512vbmi" in features():
            kinds = ir.FunctionType(LINE, (LINE, LINE))
            permute = builder.module.declare_intrinsic("llvm.x86.avx512.permvar.qi.512", (), kinds)
            line = builder.call(permute, (line, load(builder, order, LINE, 1)))
        else:
            places = ir.Constant(ir.VectorType(I32, 4 * LANES), COLUMN_ORDER)
            line = builder.shuffle_vector(line, line, places)
        builder.store(line, builder.inttoptr(out, LINE.as_pointer())).align = 1
        return target.get_dummy_value()

    return signature, emit


tap_lanes: Any = intrinsic(_tap_lanes)


def _dot4(builder: Any, total: Any, seen: Any, weights: Any) -> Any:
    """total + the four products of unsigned by signed bytes in each word."""
    if "avx512vnni" in available():
        return emit_dot(builder, DOTS[0], total, seen, weights)
    byte, top = in_all(WORDS, 255), in_all(WORDS, 24)
    for i in range(4):
        code = builder.and_(builder.lshr(seen, in_all(WORDS, 8 * i)), byte)
        weight = builder.ashr(builder.shl(weights, in_all(WORDS, 24 - 8 * i)), top)
        total = builder.add(total, builder.mul(code, weight))
    return total


def _depthwise_lanes(context, x, step, rows, offsets, taps, w, acc):
    """acc[r][c] = sum over taps of x[r * step + offsets[t]][c] . w[t][c] for 16 channels, as a Numba intrinsic.

    x : address of uint8 words [16][4]; step : bytes from row to row; rows : at least 1
    acc : address of int32 [rows][16]
    offsets : address of `taps` int64, in bytes; w : address of int8 [taps][16][4]

    Notes
    -----
    Four rows at a time share what is read of w; where fewer are left, the last is computed again, so that acc has room
    for a multiple of four.
    """
    signature = types.void(*[types.intp] * 7)

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        x, step, rows, offsets, taps, w, acc = arguments
        last, before = builder.sub(rows, _i64(1)), builder.block
        outer, inner, after_taps, done = (builder.append_basic_block(n) for n in ("rows", "tap", "next", "done"))
        builder.branch(outer)
        builder.position_at_end(outer)
        row = builder.phi(I64)
        row.add_incoming(_i64(0), before)
        sources = []
        for i in range(_ROWS):
            at = builder.add(row, _i64(i))
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            sources.append(builder.add(x, builder.mul(at, step)))
        builder.branch(inner)
        builder.position_at_end(inner)
        tap, sums = builder.phi(I64), [builder.phi(WORDS) for _ in range(_ROWS)]
        tap.add_incoming(_i64(0), outer)
        place = builder.add(offsets, builder.mul(tap, _i64(8)))
        offset = builder.load(builder.inttoptr(place, I64.as_pointer()))
        weights = load(builder, builder.add(w, builder.mul(tap, _i64(64))), WORDS)
        tap_after = builder.add(tap, _i64(1))
        tap.add_incoming(tap_after, inner)
        added = []
        for total, source in zip(sums, sources, strict=True):
            added.append(_dot4(builder, total, load(builder, builder.add(source, offset), WORDS), weights))
            total.add_incoming(in_all(WORDS, 0), outer)
            total.add_incoming(added[-1], inner)
        builder.cbranch(builder.icmp_signed("<", tap_after, taps), inner, after_taps)
        builder.position_at_end(after_taps)
        for i, total in enumerate(added):
            address = builder.add(acc, builder.mul(builder.add(row, _i64(i)), _i64(64)))
            builder.store(total, builder.inttoptr(address, WORDS.as_pointer())).align = 4
        row_after = builder.add(row, _i64(_ROWS))
        row.add_incoming(row_after, after_taps)
        builder.cbranch(builder.icmp_signed("<", row_after, rows), outer, done)
        builder.position_at_end(done)
        return target.get_dummy_value()

    return signature, emit


depthwise_lanes: Any = intrinsic(_depthwise_lanes)
