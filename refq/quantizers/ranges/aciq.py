"""Aciq: clipping that is optimal for a Laplace or Gauss density of the data's own width."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import erfc, exp, log, log2, pi, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.ranges.distribution import Distribution, merge, observe
from refq.quantizers.ranges.protocol import Limits
from refq.quantizers.uniform import Uniform

Density = Literal["laplace", "gauss", "best"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aciq:
    """Analytical clipping.

        low, high = mean -+ alpha,   within the data
        alpha = best_clipping(density, bits) * width;   width: Laplace b = mean |x - mean|, Gauss sigma

    Parameters
    ----------
    density : "laplace", "gauss", or "best": the one under which the data is likelier

    Notes
    -----
    Banner et al. 2019 (ACIQ), sections 3-4. One-sided data (after ReLU, on an asymmetric grid) is half a density with
    mean 0: high = alpha with one bit more, since the same levels cover half the interval; zeros are left out of its
    width, as they are what ReLU cut off.
    """

    density: Density = "best"

    def __post_init__(self) -> None:
        if self.density not in ("laplace", "gauss", "best"):
            raise RangeError(f"density={self.density!r} is not one of laplace, gauss, best")

    def observe(self, state: Distribution | None, x: NDArray[Any]) -> Distribution:
        """The data so far."""
        return observe(state, x)

    def merge(self, a: Distribution, b: Distribution) -> Distribution:
        """The data of both."""
        return merge(a, b)

    def limits(self, state: Distribution, grid: Uniform) -> Limits:
        """The clipped interval of every row."""
        low, high = state.low.copy(), state.high.copy()
        for row in range(len(low)):
            values, weights = state.points(row)
            if low[row] == high[row]:
                continue
            is_half = low[row] >= 0 and not grid.symmetric
            alpha, mean = self._clipping(values, weights, grid.bits + int(is_half), is_half)
            low[row], high[row] = max(low[row], mean - alpha), min(high[row], mean + alpha)
            if is_half:
                low[row] = 0.0
        return low, high

    def _clipping(
        self, values: NDArray[np.float64], weights: NDArray[np.float64], bits: int, is_half: bool
    ) -> tuple[float, float]:
        if is_half:
            values, weights = values[values > 0], weights[values > 0]
        mean = 0.0 if is_half else float(np.average(values, weights=weights))
        b = float(np.average(np.abs(values - mean), weights=weights))
        sigma = sqrt(float(np.average((values - mean) ** 2, weights=weights)))
        if b == 0 or sigma == 0:
            return float(np.abs(values).max()), mean
        # log likelihood a value, at its greatest: -log(2 b) - 1 and -log(sigma sqrt(2 pi)) - 1/2
        is_laplace = log(2 * b) + 1 < log(sigma * sqrt(2 * pi)) + 0.5 if self.density == "best" else None
        if is_laplace or self.density == "laplace":
            return best_clipping("laplace", bits) * b, mean
        return best_clipping("gauss", bits) * sigma, mean


@lru_cache(maxsize=64)
def best_clipping(density: Literal["laplace", "gauss"], bits: int) -> float:
    """Where to clip a density of width 1, in widths.

        Laplace:  2 exp(-a) + a**2 / (3 * 4**bits)                                         is least
        Gauss:    (a**2 + 1) erfc(a / sqrt 2) - a sqrt(2 / pi) exp(-a**2 / 2) + a**2 / (3 * 4**bits)   is least

    Notes
    -----
    Banner et al. 2019, eq. (4)-(6): clipping noise plus rounding noise of 2**bits levels over [-a, a]. The root of the
    derivative, which falls to its only change of sign, by bisection.

    >>> [round(best_clipping("laplace", bits), 2) for bits in (2, 3, 4)]
    [2.83, 3.89, 5.03]
    """
    if not 1 <= bits <= 33:
        raise RangeError(f"bits={bits} of a clipped density is outside 1..33")
    rounding = 1 / (3 * 4.0**bits)

    def slope(a: float) -> float:
        if density == "laplace":
            return a * rounding - exp(-a)
        return a * (erfc(a / sqrt(2)) + rounding) - sqrt(2 / pi) * exp(-a * a / 2)

    low, high = 0.0, 64.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


def allocate_bits(
    widths: Any, mean_bits: float, least: int = 1, most: int = 16, *, fixed_mean: bool = False
) -> NDArray[np.int64]:
    """Bits of every channel for the least total error at a mean number of levels.

        bits[i] = round(log2(levels * widths[i]**(2/3) / sum(widths**(2/3)))),   levels = channels * 2**mean_bits

    Parameters
    ----------
    widths : >= 0, shape (channels,)     intervals of the channels (high - low), or their standard deviations
    mean_bits : float > 0
    least, most : where the result is cut off
    fixed_mean : bool     False: the budget is of levels, as in the paper, and rounding leaves the mean of the bits
        where it falls. True: the largest budget at which that mean is not above mean_bits

    Raises
    ------
    RangeError    widths that are no vector of finite numbers, bits outside the limits

    Notes
    -----
    Banner et al. 2019, section 5, eq. (10)-(11): Lagrange multipliers on sum of widths**2 / 4**bits at a given sum of
    levels. The authors' program meets a target of bits in the same manner, by moving the budget.
    """
    size = np.asarray(widths, np.float64)
    if size.ndim != 1 or not size.size or not np.all(np.isfinite(size) & (size >= 0)):
        raise RangeError(f"widths of shape {size.shape} must be a vector of finite numbers, none below 0")
    if not 0 < mean_bits <= 32 or not 1 <= least <= most:
        raise RangeError(f"mean_bits={mean_bits} with limits {least}..{most} is outside (0, 32]")
    if not size.any():
        return np.full(size.shape, least, np.int64)
    share = (size / size.max()) ** (2 / 3)
    exact = np.log2(np.maximum(share / share.sum(), 1e-300)) + log2(len(size))

    def bits(target: float) -> NDArray[np.int64]:
        return np.clip(np.rint(exact + target), least, most).astype(np.int64)

    if not fixed_mean:
        return bits(mean_bits)
    if mean_bits < least:
        raise RangeError(f"mean_bits={mean_bits} is below least={least}")
    low, high = -1100.0, 1100.0  # no channel above `least`, every one at `most`
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if bits(middle).mean() <= mean_bits else (low, middle)
    return bits(low)
