"""Vector code that brings 16 int32 accumulators at a time to int8 codes: rounding, zero point, limits.

Emitted as LLVM vectors because loops over int64 products of int32 stay scalar otherwise. Plain LLVM operations, so that
any processor runs them, and saturating packs where there is AVX-512: about 16 instructions for 16 codes.

The even and the odd lanes of a product of 32 by 32 bits are two vectors of 64-bit lanes:

    lanes       a0   a1   a2   a3 ...
    even        a0 * m0   a2 * m2 ...          one VPMULDQ, which reads the lower half of every 64-bit lane
    odd         a1 * m1   a3 * m3 ...          the same on the lanes moved down by 32 bits

and are merged again as soon as the result fits 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from refq.kernels.cpu import available

LANES = 16
I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
BYTES, WORDS, LONGS = ir.VectorType(I8, LANES), ir.VectorType(I32, LANES), ir.VectorType(I64, LANES // 2)
HALVES, LINE = ir.VectorType(I16, 2 * LANES), ir.VectorType(I8, 4 * LANES)


def in_all(kind: Any, value: int) -> Any:
    """A constant in every lane."""
    return ir.Constant(kind, [value] * kind.count)


def spread(builder: Any, value: Any, kind: Any = WORDS) -> Any:
    """An integer, cut to the size of the lanes, in every lane."""
    empty = ir.Constant(kind, ir.Undefined)
    lane = builder.insert_element(empty, builder.trunc(value, kind.element), ir.Constant(I32, 0))
    return builder.shuffle_vector(lane, empty, in_all(ir.VectorType(I32, kind.count), 0))


def load(builder: Any, address: Any, kind: Any, align: int = 4) -> Any:
    """What stands at an address."""
    loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
    loaded.align = align
    return loaded


def _split(builder: Any, words: Any) -> tuple[Any, Any]:
    """Even and odd lanes as int64."""
    longs, places = builder.bitcast(words, LONGS), in_all(LONGS, 32)
    return builder.ashr(builder.shl(longs, places), places), builder.ashr(longs, places)


def _merged(builder: Any, even: Any, odd: Any, upper: bool) -> Any:
    """The lower or upper halves of even and odd lanes, in order."""
    order = [2 * (i // 2) + upper + LANES * (i % 2) for i in range(LANES)]
    halves = (builder.bitcast(longs, WORDS) for longs in (even, odd))
    return builder.shuffle_vector(*halves, ir.Constant(WORDS, order))


def _products(builder: Any, acc: Any, m: tuple[Any, Any]) -> list[Any]:
    return [builder.mul(lanes, factor) for lanes, factor in zip(_split(builder, acc), m, strict=True)]


@dataclass(frozen=True, slots=True)
class Double:
    """RDbP(SRDHM(acc, m), s): half up by 31 places, then half away from zero by s.

    The second step is (h + 2**(s - 1) - [h < 0]) >> s for s > 0, and h for s = 0, where |acc| + 2**(s - 1) < 2**31.
    """

    m: tuple[Any, Any]
    s: Any
    half: Any
    half_below: Any

    @classmethod
    def prepare(cls, builder: Any, m: Any, s: Any) -> Double:
        """From 16 multipliers and right shifts."""
        one = in_all(WORDS, 1)
        half = builder.lshr(builder.shl(one, s), one)
        shifts = builder.zext(builder.icmp_signed(">", s, in_all(WORDS, 0)), WORDS)
        return cls(_split(builder, m), s, half, builder.sub(half, shifts))

    def apply(self, builder: Any, acc: Any) -> Any:
        """16 accumulators rescaled."""
        half, one = in_all(LONGS, 1 << 30), in_all(LONGS, 1)
        doubled = [builder.shl(builder.add(p, half), one) for p in _products(builder, acc, self.m)]
        return self.divided(builder, _merged(builder, *doubled, upper=True))

    def divided(self, builder: Any, high: Any) -> Any:
        """The second step alone."""
        is_negative = builder.icmp_signed("<", high, in_all(WORDS, 0))
        return builder.ashr(builder.add(high, builder.select(is_negative, self.half_below, self.half)), self.s)


@dataclass(frozen=True, slots=True)
class Single:
    """(acc * m + 2**(30 + s)) >> (31 + s): half up."""

    m: tuple[Any, Any]
    places: tuple[Any, ...]
    halves: tuple[Any, ...]

    @classmethod
    def prepare(cls, builder: Any, m: Any, s: Any) -> Single:
        """From 16 multipliers and right shifts."""
        one = in_all(LONGS, 1)
        places = tuple(builder.add(lanes, in_all(LONGS, 31)) for lanes in _split(builder, s))
        halves = tuple(builder.lshr(builder.shl(one, count), one) for count in places)
        return cls(_split(builder, m), places, halves)

    def apply(self, builder: Any, acc: Any) -> Any:
        """16 accumulators rescaled."""
        products = _products(builder, acc, self.m)
        rounded = [
            builder.ashr(builder.add(product, half), places)
            for product, half, places in zip(products, self.halves, self.places, strict=True)
        ]
        return _merged(builder, *rounded, upper=False)


@dataclass(frozen=True, slots=True)
class SingleAway(Single):
    """sign(acc) * single(|acc|): half away from zero."""

    def apply(self, builder: Any, acc: Any) -> Any:
        """16 accumulators rescaled."""
        zero = in_all(WORDS, 0)
        is_negative = builder.icmp_signed("<", acc, zero)
        rounded = Single.apply(self, builder, builder.select(is_negative, builder.sub(zero, acc), acc))
        return builder.select(is_negative, builder.sub(zero, rounded), rounded)


@dataclass(frozen=True, slots=True)
class Upper:
    """(acc * m + c) >> (31 + s) for s > 0: the upper halves of the products alone, moved down by s - 1.

    `single` has c = 2**(30 + s). `double` adds the 2**30 of its first rounding where acc >= 0; where acc < 0 neither
    form is above 0, so that they give the same code if none below the zero point may be written.
    """

    m: tuple[Any, Any]
    c: tuple[Any, Any]
    places: Any

    @classmethod
    def prepare(cls, builder: Any, m: Any, s: Any, first: int = 0) -> Upper:
        """From 16 multipliers and right shifts, and what c holds beside 2**(30 + s)."""
        one, halves = in_all(WORDS, 1), in_all(LONGS, 1 << 30)
        c = [builder.add(builder.shl(halves, lanes), in_all(LONGS, first)) for lanes in _split(builder, s)]
        is_moved = builder.icmp_signed(">", s, in_all(WORDS, 0))  # lanes behind the last channel have s = 0
        return cls(_split(builder, m), (c[0], c[1]), builder.select(is_moved, builder.sub(s, one), s))

    def apply(self, builder: Any, acc: Any) -> Any:
        """16 accumulators rescaled."""
        sums = [builder.add(product, c) for product, c in zip(_products(builder, acc, self.m), self.c, strict=True)]
        return builder.ashr(_merged(builder, *sums, upper=True), self.places)


class DoubleAboveZero(Upper):
    """`Double` for s > 0, where no code below the zero point is written."""

    @classmethod
    def prepare(cls, builder: Any, m: Any, s: Any, first: int = 1 << 30) -> Upper:
        """From 16 multipliers and right shifts."""
        return Upper.prepare(builder, m, s, first)


RULES: tuple[Any, ...] = (Double, Single, SingleAway, DoubleAboveZero, Upper)
"""By the number that kernels know them under."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Zero point, lowest and highest code: each an i64."""

    zero: Any
    low: Any
    high: Any

    def codes(self, builder: Any, steps: list[Any]) -> Any:
        """Four vectors of rescaled sums as 64 int8 codes, in order."""
        if "avx512bw" in available():
            return self._packed(builder, steps)
        zero, low, high = (spread(builder, value) for value in (self.zero, self.low, self.high))
        parts = []
        for words in steps:
            code = builder.add(words, zero)
            code = builder.select(builder.icmp_signed("<", code, low), low, code)
            code = builder.select(builder.icmp_signed(">", code, high), high, code)
            parts.append(builder.trunc(code, BYTES))
        return joined(builder, parts)

    def _packed(self, builder: Any, steps: list[Any]) -> Any:
        """With instructions that saturate to 16 and to 8 bits and keep to lanes of 128 bits.

        What saturates on the way lies outside of the limits on the same side, by the zero point's size at least.
        """
        zero = spread(builder, self.zero, HALVES)
        halves = []
        for pair in (steps[:2], steps[2:]):
            packed = _call(builder, "llvm.x86.avx512.packssdw.512", HALVES, pair)
            halves.append(_call(builder, "llvm.sadd.sat.v32i16", HALVES, [packed, zero]))
        code = _call(builder, "llvm.x86.avx512.packsswb.512", LINE, halves)
        low, high = spread(builder, self.low, LINE), spread(builder, self.high, LINE)
        code = builder.select(builder.icmp_signed("<", code, low), low, code)
        code = builder.select(builder.icmp_signed(">", code, high), high, code)
        # Word 4 * lane + row holds row `row`, channels 4 * lane .. 4 * lane + 3.
        words = builder.bitcast(code, WORDS)
        order = ir.Constant(WORDS, [4 * (i % 4) + i // 4 for i in range(LANES)])
        return builder.bitcast(builder.shuffle_vector(words, words, order), LINE)


def _call(builder: Any, name: str, kind: Any, operands: list[Any]) -> Any:
    function = builder.module.declare_intrinsic(name, (), ir.FunctionType(kind, [value.type for value in operands]))
    return builder.call(function, operands)


def joined(builder: Any, parts: list[Any]) -> Any:
    """Four vectors of 16 bytes as one of 64."""
    order = ir.Constant(ir.VectorType(I32, 2 * LANES), list(range(2 * LANES)))
    first, second = (builder.shuffle_vector(*pair, order) for pair in (parts[:2], parts[2:]))
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(I32, 4 * LANES), list(range(4 * LANES))))


def part(builder: Any, line: Any, number: int) -> Any:
    """16 of 64 bytes."""
    return builder.shuffle_vector(line, line, ir.Constant(WORDS, [LANES * number + i for i in range(LANES)]))
