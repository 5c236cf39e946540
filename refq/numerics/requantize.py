"""Requantizers: from an accumulator to the output grid.

Each is two functions of the same name: how the real factor M becomes integers, and how they are applied. With M held
as m * 2**(s - 31):

    double(acc)       = RDbP(SRDHM(acc << max(s, 0), m), max(-s, 0))           half up, then half away: two roundings
    single(acc)       = (acc * m + 2**(30 - s)) >> (31 - s)                    half up, one rounding
    single_away(acc)  = sign(acc) * single(|acc|)                              half away from zero, one rounding
    int64(acc)        = (acc * m16 + 2**(14 - s)) >> (15 - s)                  16-bit multiplier m16 of m, half up
    dyadic(acc)       = rint(acc * m / 2**(31 - s))                            ties to even; m as frexp gives it
    pow2(acc)         = (acc + 2**(n - 1)) >> n,  n = -log2(M)                 shift only
    float32_half_even(acc) = rint(float32(acc) * float32(M))

All but the last are exact integers, whatever the width of the product. None adds the zero point or clamps; the caller
does, once, for every layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.fixed_point import (
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_multiply,
    wrap_int32,
)
from refq.numerics.multiply_shift import is_tie, multiply_shift
from refq.numerics.rounding import round_real, shift_right

Factors = tuple[NDArray[Any], ...]
FactorRule = Callable[[tuple[Any, ...], Any], NDArray[np.float64]]


def float64_factor(scales: tuple[Any, ...], over: Any) -> NDArray[np.float64]:
    """M = f64(s1) * f64(s2) * ... / f64(over): LiteRT convolutions and dense."""
    return _product(scales, np.float64) / np.asarray(over, np.float64)


def float32_factor(scales: tuple[Any, ...], over: Any) -> NDArray[np.float64]:
    """M = f32(f32(s1 * s2 * ...) / over): LiteRT MUL, RELU, PRELU; XNNPACK; ONNX Runtime."""
    return np.asarray(_product(scales, np.float32) / np.asarray(over, np.float32), np.float64)


def float32_product(scales: tuple[Any, ...], over: Any) -> NDArray[np.float64]:
    """M = f64(f32(s1 * s2 * ...)) / f64(over): LiteRT BATCH_MATMUL, HAWQ-V3."""
    return np.asarray(_product(scales, np.float32), np.float64) / np.asarray(over, np.float64)


def _product(scales: tuple[Any, ...], dtype: Any) -> NDArray[Any]:
    total = np.asarray(scales[0], dtype)
    for scale in scales[1:]:
        total = total * np.asarray(scale, dtype)
    return total


@dataclass(frozen=True, slots=True)
class Requantizer:
    """A named rule that multiplies integers by a real factor and rounds to integers.

    Parameters
    ----------
    name : str
    prepare : float64 array of factors -> tuple of arrays     done once, when scales are known
    apply : (int64 accumulators, *prepared) -> int64          integers in, integers out
    factor : (input scales, output scale) -> float64          in which precision M is formed from the file's float32
                                                              scales; it decides the last bits of the multiplier
    observe : (int64 accumulators, *prepared) -> name -> mask   what happens at each accumulator: ties of every rounding
                                                              step, left shifts that wrap; see `refq.numerics.events`

    >>> from dataclasses import replace
    >>> int(replace(double, factor=float32_factor).rescale(np.array(10), np.float32(0.5), over=np.float32(0.25)))
    20
    """

    name: str
    prepare: Callable[[Any], Factors]
    apply: Callable[..., NDArray[np.int64]]
    factor: FactorRule = float64_factor
    observe: Callable[..., Mapping[str, NDArray[np.bool_]]] | None = None

    def rescale(self, acc: Any, *scales: Any, over: Any) -> NDArray[np.int64]:
        """Bring accumulators whose scale is the product of `scales` to steps of scale `over`."""
        return self(acc, self.factor(scales, over))

    def __call__(self, acc: Any, real: Any) -> NDArray[np.int64]:
        """Prepare and apply in one step; `real` broadcasts against `acc`."""
        return self.apply(np.asarray(acc, np.int64), *self.prepare(real))


Masks = dict[str, NDArray[np.bool_]]


def _wide(s: NDArray[Any]) -> NDArray[np.int64]:
    return np.asarray(s, np.int64)


def _double(acc: NDArray[np.int64], m: NDArray[Any], s: NDArray[Any]) -> NDArray[np.int64]:
    shifted = wrap_int32(acc << np.maximum(_wide(s), 0))
    high = saturating_rounding_doubling_high_multiply(shifted, m)
    return rounding_divide_by_power_of_two(high, np.maximum(-_wide(s), 0))


def _double_observe(acc: NDArray[np.int64], m: NDArray[Any], s: NDArray[Any]) -> Masks:
    left, right = np.maximum(_wide(s), 0), np.maximum(-_wide(s), 0)
    shifted = wrap_int32(acc << left)
    high = saturating_rounding_doubling_high_multiply(shifted, m)
    return {
        "left_shift_wrapped": (shifted >> left) != acc,
        "tie": is_tie(shifted, np.abs(_wide(m)), 31),
        "second_tie": is_tie(high, 1, right),
    }


def _single(acc: NDArray[np.int64], m: NDArray[Any], s: NDArray[Any]) -> NDArray[np.int64]:
    return multiply_shift(acc, m, 31 - _wide(s))


def _single_away(acc: NDArray[np.int64], m: NDArray[Any], s: NDArray[Any]) -> NDArray[np.int64]:
    return np.sign(acc) * _single(np.abs(acc), m, s)


def _single_observe(acc: NDArray[np.int64], m: NDArray[Any], s: NDArray[Any]) -> Masks:
    return {"tie": is_tie(acc, m, 31 - _wide(s))}


def _int64_prepare(real: Any) -> Factors:
    m, s = quantize_multiplier(real)
    m16 = np.where(m < 0x7FFF0000, (m.astype(np.int64) + (1 << 15)) >> 16, 0x7FFF)
    return m16, s


def _int64(acc: NDArray[np.int64], m16: NDArray[Any], s: NDArray[Any]) -> NDArray[np.int64]:
    return multiply_shift(acc, m16, 15 - _wide(s))


def _int64_observe(acc: NDArray[np.int64], m16: NDArray[Any], s: NDArray[Any]) -> Masks:
    return {"tie": is_tie(acc, m16, 15 - _wide(s))}


def _dyadic_prepare(real: Any) -> Factors:
    real = np.asarray(real, np.float64)
    if not np.all(np.isfinite(real) & (real >= 0)):
        raise RangeError(f"multiplier={real} must be finite and not negative; check the scales it was made from")
    mantissa, exponent = np.frexp(real)
    return round_real(mantissa * 2.0**31, "half_up").astype(np.int64), exponent.astype(np.int64)


def _dyadic(acc: NDArray[np.int64], m: NDArray[Any], s: NDArray[Any]) -> NDArray[np.int64]:
    return multiply_shift(acc, m, 31 - _wide(s), "half_even")


def _pow2_prepare(real: Any) -> Factors:
    mantissa, exponent = np.frexp(np.asarray(real, np.float64))
    if np.any(mantissa != 0.5):
        raise RangeError(f"multiplier={np.asarray(real)} is not a power of two; quantize with power-of-two scales")
    return (1 - exponent,)


def _pow2(acc: NDArray[np.int64], places: NDArray[Any]) -> NDArray[np.int64]:
    places = _wide(places)
    return shift_right(acc << np.maximum(-places, 0), np.clip(places, 0, 62), "half_up")


def _pow2_observe(acc: NDArray[np.int64], places: NDArray[Any]) -> Masks:
    return {"tie": is_tie(acc, 1, np.maximum(_wide(places), 0))}


def _float32_prepare(real: Any) -> Factors:
    return (np.asarray(real, np.float32),)


def _float32_half_even(acc: NDArray[np.int64], scale: NDArray[Any]) -> NDArray[np.int64]:
    return round_real(acc.astype(np.float32) * scale, "half_even").astype(np.int64)


def _float32_observe(acc: NDArray[np.int64], scale: NDArray[Any]) -> Masks:
    y = acc.astype(np.float32) * scale
    return {"tie": y - np.floor(y) == 0.5}


double = Requantizer("double", quantize_multiplier, _double, observe=_double_observe)
single = Requantizer("single", quantize_multiplier, _single, observe=_single_observe)
single_away = Requantizer("single_away", quantize_multiplier, _single_away, observe=_single_observe)
int64 = Requantizer("int64", _int64_prepare, _int64, observe=_int64_observe)
dyadic = Requantizer("dyadic", _dyadic_prepare, _dyadic, factor=float32_product, observe=_single_observe)
pow2 = Requantizer("pow2", _pow2_prepare, _pow2, observe=_pow2_observe)
float32_half_even = Requantizer("float32_half_even", _float32_prepare, _float32_half_even, observe=_float32_observe)
