"""Rounding modes: how a real, or an integer about to lose bits, falls on the integers.

Two families with the same names: `round_real` for floating-point input, and `shift_right` for integers divided by a
power of two, where every mode is exact at any width an int64 holds.

Mode "stochastic" goes up with the probability of the fraction, so that the mean over many roundings is the value
itself. Its draws come from a generator the caller passes, one 64-bit draw an element in C order, whatever the values:
chunks of the leading axis that share one generator round exactly as the whole array does.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError

RoundingMode = Literal["half_even", "half_away", "half_up", "floor", "ceil", "toward_zero", "stochastic"]

ROUNDING_MODES: tuple[RoundingMode, ...] = ("half_even", "half_away", "half_up", "floor", "ceil", "toward_zero")
"""The modes that are functions of the value alone; "stochastic" besides takes a generator."""

_DRAW_BITS = 62


def round_real(x: Any, mode: RoundingMode = "half_even", rng: np.random.Generator | None = None) -> NDArray[Any]:
    """Round reals to integers; the result keeps the floating type of `x`.

    half_even: to nearest, ties to even. half_away: ties away from zero. half_up: ties towards +inf.

    Parameters
    ----------
    x : float array
    mode : one of ROUNDING_MODES, or "stochastic"
    rng : generator of mode "stochastic"; the others take none

    Raises
    ------
    RangeError    if the mode is unknown, or "stochastic" has no generator

    Notes
    -----
    Stochastic: floor(x) + (u < x - floor(x)), u uniform in [0, 1) with 53 bits (Gupta et al. 2015, section 3).
    half_away and half_up compare the exact fraction x - floor(x) with 1/2. Adding 0.5 first would be wrong for
    0.49999999999999994, whose sum with 0.5 rounds to 1.

    >>> round_real(np.array([-1.5, -0.5, 0.5, 1.5]), "half_away").tolist()
    [-2.0, -1.0, 1.0, 2.0]
    """
    x = np.asarray(x)
    if mode == "stochastic":
        with np.errstate(invalid="ignore"):
            return _round_stochastic(x, _generator(rng))
    with np.errstate(invalid="ignore"):  # the fraction of an infinity is NaN, and compares as no tie
        return _round(x, mode)


def _round_stochastic(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    low: NDArray[Any] = np.floor(x)
    up: NDArray[np.bool_] = rng.random(x.shape) < x - low
    return np.asarray(low + up, x.dtype)


def _round(x: NDArray[Any], mode: RoundingMode) -> NDArray[Any]:
    if mode == "half_even":
        return np.rint(x)
    if mode == "floor":
        return np.floor(x)
    if mode == "ceil":
        return np.ceil(x)
    if mode == "toward_zero":
        return np.trunc(x)
    if mode == "half_up":
        low = np.floor(x)
        return low + ((x - low) >= 0.5)
    if mode == "half_away":
        magnitude = np.abs(x)
        low = np.floor(magnitude)
        return np.copysign(low + ((magnitude - low) >= 0.5), x)
    raise RangeError(f"rounding mode {mode!r} is not one of {', '.join(ROUNDING_MODES)}")


def _generator(rng: np.random.Generator | None) -> np.random.Generator:
    if rng is None:
        raise RangeError("rounding mode 'stochastic' needs a generator; pass rng=np.random.default_rng(seed)")
    return rng


def counter_generator(seed: int, start: int = 0) -> np.random.Generator:
    """A generator whose n-th draw of `random` is a function of the seed and of start + n.

    Parameters
    ----------
    seed : int >= 0
    start : index of the first element it draws for

    Raises
    ------
    RangeError    a negative seed or start

    Notes
    -----
    Philox-4x64-10 (Salmon et al. 2011) makes four draws of every value of its counter, so that any place of the
    sequence is reached at once.

    >>> bool(counter_generator(7).random(6)[5] == counter_generator(7, start=5).random())
    True
    """
    if seed < 0 or start < 0:
        raise RangeError(f"seed={seed} and start={start} of stochastic rounding must not be negative")
    bits = np.random.Philox(seed)
    bits.advance(start // 4)
    rng = np.random.Generator(bits)
    rng.random(start % 4)
    return rng


def shift_right(x: Any, shift: Any, mode: RoundingMode, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
    """Divide integers by 2**shift, rounding by `mode`; exact, no overflow inside.

    Parameters
    ----------
    x : integer array, |x| < 2**63
    shift : int or integer array in 0..62, broadcast against x
    mode : one of ROUNDING_MODES, or "stochastic"
    rng : generator of mode "stochastic"; the others take none

    Raises
    ------
    RangeError    if the mode is unknown, "stochastic" has no generator, or a shift is outside 0..62

    Notes
    -----
    Stochastic: (x + u) >> shift with u uniform in 0..2**shift - 1, the adder of random bits in front of a truncating
    shifter; the probability is exact.

    >>> shift_right(np.array([-3, -1, 1, 3]), 1, "half_even").tolist()
    [-2, 0, 0, 2]
    """
    x = np.asarray(x, np.int64)
    shift = np.asarray(shift, np.int64)
    if np.any((shift < 0) | (shift > 62)):
        raise RangeError(f"shift={shift} is outside 0..62")
    low = x >> shift
    rest = x - (low << shift)  # 0 <= rest < 2**shift
    if mode == "stochastic":
        draws = np.asarray(_generator(rng).integers(0, 1 << _DRAW_BITS, low.shape), np.int64)
        return low + (rest > (np.int64(1) << shift) - 1 - (draws >> (_DRAW_BITS - shift)))
    half = (np.int64(1) << shift) >> 1  # 0 where shift == 0, and there rest == 0
    is_tie = (rest == half) & (shift > 0)
    above = rest > half
    if mode == "half_even":
        return low + (above | (is_tie & (low & 1 == 1)))
    if mode == "half_away":
        return low + (above | (is_tie & (x >= 0)))
    if mode == "half_up":
        return low + (above | is_tie)
    if mode == "floor":
        return low
    if mode == "ceil":
        return low + (rest > 0)
    if mode == "toward_zero":
        return low + ((rest > 0) & (x < 0))
    raise RangeError(f"rounding mode {mode!r} is not one of {', '.join(ROUNDING_MODES)}")
