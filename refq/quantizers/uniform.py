"""Uniform: equally spaced levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.means import within_float32

_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
_LARGEST_SCALE = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """The uniform grid of a bit width.

        asymmetric:  scale = (high - low) / (qmax - qmin),  zero_point = round(qmin - low / scale)
        symmetric:   scale = max(|low|, |high|) / qmax,     zero_point = 0
        full range:  scale = 2 * max(|low|, |high|) / (2**bits - 1),  zero_point = 0

    Parameters
    ----------
    bits : int in 1..32     above 16 for sums on their way into a normalization
    symmetric : bool     zero point fixed at 0
    narrow : bool        drop the lowest code (restricted range; with `symmetric` the grid mirrors at 0)
    full_range : bool     symmetric: the steps of all 2**bits codes share the interval, so that the largest value may be
        clipped by half a step
    signed : bool
    power_of_two_scale : bool      scale rounded up to 2**k, so that rescaling is a shift; the range only grows

    Notes
    -----
    Gholami et al. 2021, section III-B (eq. 2), III-C (symmetric and asymmetric). The range always takes in 0, so
    that 0 has a code of its own: padding and ReLU need it exact.
    """

    bits: int = 8
    symmetric: bool = False
    narrow: bool = False
    full_range: bool = False
    signed: bool = True
    power_of_two_scale: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 32:
            raise RangeError(f"bits={self.bits} is outside 1..32")
        if self.symmetric and not self.signed:
            raise RangeError("a symmetric grid needs signed codes; use symmetric=False for unsigned ones")
        if self.full_range and (self.narrow or not self.symmetric):
            raise RangeError("full_range is of symmetric grids that are not narrow")
        if self.signed and self.bits == 1:
            raise RangeError("one signed bit has no zero: use Binary, or signed=False for the codes 0 and 1")
        if self.narrow and self.bits == 1:
            raise RangeError("narrow=True leaves one unsigned bit with one code; use narrow=False")

    def qparams(self, low: Any, high: Any, axis: int | None = None, block: tuple[int, ...] | None = None) -> QParams:
        """Grid over [low, high] (widened to take in 0).

        Parameters
        ----------
        low, high : float, shape () or (channels,), or counts of blocks
        axis : the axis channels lie along, None for scalars
        block : the shape of blocks, see `QParams`

        Notes
        -----
        An empty range (low = high = 0) has no scale of its own: it takes the largest one of the tensor, or 1.
        """
        low = np.minimum(np.asarray(low, np.float64), 0.0)
        high = np.maximum(np.asarray(high, np.float64), 0.0)
        if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high))):
            raise RangeError(f"low={low} and high={high} must be finite")
        qmax = (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1
        qmin = (-(1 << (self.bits - 1)) if self.signed else 0) + int(self.narrow)
        positive = qmax + 0.5 if self.full_range else qmax
        span = np.maximum(-low, high) / positive if self.symmetric else (high - low) / (qmax - qmin)
        largest = float(span.max()) if span.size and span.max() > 0 else 1.0
        scale = self.admissible_scale(np.where(span > 0, span, largest))
        zero = np.zeros_like(scale) if self.symmetric else np.clip(np.rint(qmin - low / scale), qmin, qmax)
        reach = within_float32(scale, np.maximum(zero - qmin, qmax - zero))  # every code stands for a finite real
        return QParams(
            scale=np.exp2(np.floor(np.log2(reach))) if self.power_of_two_scale else reach,
            zero_point=zero.astype(np.int32),
            axis=axis,
            block=block,
            bits=self.bits,
            signed=self.signed,
            narrow=self.narrow,
        )

    def admissible_scale(self, scale: Any) -> NDArray[np.float32]:
        """The smallest float32 scale this grid may have that is not below `scale`, up to float32's rounding and limit.

        >>> float(Uniform(power_of_two_scale=True).admissible_scale(0.3))
        0.5
        """
        rounded = np.clip(scale, _SMALLEST_SCALE, _LARGEST_SCALE).astype(np.float32)
        if not self.power_of_two_scale:
            return rounded
        mantissa, exponent = np.frexp(rounded)
        powers = np.asarray(exponent, np.int64) - (mantissa == 0.5)
        return np.asarray(2.0 ** np.minimum(powers, 127), np.float32)
