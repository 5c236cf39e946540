"""Corners of quantization, requantization, registers and packing."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

import numpy as np

from refq.testing.corners import real_corners
from refq.testing.laws.registers import extremes, model
from refq.testing.laws.rounding import MODES
from refq.testing.oracles import ORACLES
from refq.testing.solve import accumulators_at
from refq.testing.strategies.requantization import MULTIPLIER_CORNERS
from refq.testing.strategies.words import TAILS
from refq.testing.subjects import Register
from refq.testing.vectors.corner import CornerVector

GRIDS = (
    ("int8", -128, 127, (0, -128, 127)),
    ("int8 narrow", -127, 127, (0,)),
    ("uint8", 0, 255, (128, 0, 255)),
    ("int4", -8, 7, (0, -8, 7)),
    ("uint4", 0, 15, (8, 0, 15)),
    ("int2", -2, 1, (0,)),
)
SCALES = (0.5, 2.0**-7)
"""Powers of two: the quotient is exact, and so is every tie."""


def quantize(mode: str) -> Iterator[CornerVector]:
    """Reals around every level and tie of narrow grids, zero points at their limits."""
    for name, low, high, zeros in GRIDS:
        for zero in zeros:
            for scale in SCALES:
                x = real_corners((np.arange(low, high + 1) - zero) * scale)
                codes = [_code(float(v), scale, zero, low, high, mode) for v in x]
                ends = np.array([-np.inf, np.inf], np.float32)
                yield CornerVector(
                    op=f"quantize-{mode}",
                    name=f"{name} zero point {zero} scale {scale}",
                    inputs={"x": np.concatenate([x, ends])},
                    parameters={"scale": scale, "zero_point": zero, "qmin": low, "qmax": high},
                    expected=np.array([*codes, low, high], np.int64),
                )


def _code(x: float, scale: float, zero: int, low: int, high: int, mode: str) -> int:
    return min(max(MODES[mode](Fraction(x) / Fraction(scale)) + zero, low), high)


def requantize(rule: str) -> Iterator[CornerVector]:
    """Accumulators solved for at every shift and corner multiplier; one element an accumulator, labelled."""
    multipliers = (1 << 30,) if rule == "pow2" else MULTIPLIER_CORNERS
    for s in range(-31, 8 if rule == "int64" else 16):
        for m in multipliers:
            for zero in (0, -128, 127):
                low, high = -128, 127
                corners = accumulators_at(rule, m, s, low=low - zero, high=high - zero)
                results = [ORACLES[rule](acc, m, s) for _, acc in corners]
                yield CornerVector(
                    op=f"requantize-{rule}",
                    name=f"multiplier {m} shift {s} zero point {zero}",
                    inputs={"acc": np.array([acc for _, acc in corners], np.int64)},
                    parameters={"multiplier": m, "shift": s, "zero_point": zero, "qmin": low, "qmax": high},
                    expected=np.clip(np.array(results, np.int64) + zero, low, high),
                    labels=tuple(label for label, _ in corners),
                )


def accumulate(overflow: Literal["wrap", "saturate"]) -> Iterator[CornerVector]:
    """A start and terms added one after the other."""
    for bits in (16, 24, 32):
        register = Register(name="", bits=bits, overflow=overflow, add_up=lambda start, terms: 0)
        for i, (start, terms) in enumerate(extremes(register)):
            yield CornerVector(
                op=f"accumulate-{overflow}",
                name=f"{bits} bits, case {i}",
                inputs={"start": np.array(start, np.int64), "terms": np.array(terms, np.int64)},
                parameters={"bits": bits},
                expected=np.array(model(register, start, terms), np.int64),
            )


def pack(bits: int) -> Iterator[CornerVector]:
    """Two's complement codes in bytes, the first code in the lowest bits, zeros behind the last; 1 bit: -1 is 1."""
    codes = np.array([1, -1]) if bits == 1 else np.roll(np.arange(-(1 << (bits - 1)), 1 << (bits - 1)), 1)
    for i, n in enumerate(TAILS):
        row = np.resize(np.roll(codes, i), n)
        fields = [int(c < 0) if bits == 1 else int(c) & ((1 << bits) - 1) for c in row]
        whole = sum(field << (bits * place) for place, field in enumerate(fields))
        yield CornerVector(
            op=f"pack-{bits}",
            name=f"{n} codes",
            inputs={"codes": row.astype(np.int8)},
            parameters={"bits": bits},
            expected=np.frombuffer(whole.to_bytes(-(-n * bits // 8), "little"), np.uint8),
        )
