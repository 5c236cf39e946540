"""DoReFa: weights through tanh, activations in [0, 1], gradients with noise; and WRPN's clipped weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import dequantize_array, fake_quantize
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable, levels_above


@dataclass(frozen=True, slots=True, kw_only=True)
class DoReFaWeights(Trainable):
    """Weights of k bits in [-1, 1].

        w_q = 2 * q(tanh(w) / (2 max|tanh(w)|) + 1/2) - 1,   q(r) = round((2**k - 1) r) / (2**k - 1)
        k = 1:  w_q = sign(w) * mean|w|;   gradients pass q and sign unchanged, and tanh / max by its derivative

    Parameters
    ----------
    bits : int in 1..8

    Notes
    -----
    Zhou et al. 2016, eq. (8)-(9); max|tanh(w)| counts as a constant. Levels are odd multiples of 1 / (2**k - 1) and
    have no zero: codes need k + 1 bits on a grid.
    """

    bits: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise RangeError(f"bits={self.bits} is outside 1..8")

    def _codes(self, x: Array) -> tuple[Array, QParams]:
        if self.bits == 1:
            return x, QParams(scale=max(float(np.abs(x).mean()), 1e-30), bits=1)
        bounded, top = np.tanh(x), (1 << self.bits) - 1
        largest = max(float(np.abs(bounded).max()), 1e-30)
        levels = np.rint(top * (bounded.astype(np.float64) / (2 * largest) + 0.5))
        grid = QParams(scale=1 / top, bits=self.bits + 1, narrow=True)
        return (2 * levels - top).astype(grid.dtype), grid

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        codes, grid = self._codes(x)
        if self.bits == 1:
            return fake_quantize(x, grid), lambda dy: (dy, {}), grid
        bounded = np.tanh(x)
        slope = (1 - bounded**2) / np.abs(bounded).max().clip(1e-30)
        return dequantize_array(codes, grid, x.dtype), lambda dy: (dy * slope, {}), grid

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        return self._codes(x)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitActivations(Trainable):
    """Activations in [0, 1]: y = round((2**bits - 1) clip(x, 0, 1)) / (2**bits - 1),  dx = dy where 0 <= x <= 1.

    Notes
    -----
    Zhou et al. 2016, eq. (10)-(11); the same in WRPN (Mishra et al. 2018, section 3).
    """

    bits: int = 4

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        base = levels_above(self.bits)
        grid = QParams(scale=1 / ((1 << self.bits) - 1), zero_point=base.zero_point, bits=self.bits, signed=base.signed)
        return fake_quantize(x, grid), lambda dy: (dy * ((x >= 0) & (x <= 1)), {}), grid


@dataclass(frozen=True, slots=True, kw_only=True)
class WrpnWeights(Trainable):
    """Weights in [-1, 1]: y = round((2**(bits - 1) - 1) clip(w, -1, 1)) / (2**(bits - 1) - 1),  dw = dy where |w| <= 1.

    Notes
    -----
    Mishra et al. 2018, section 3; its networks are wider to make up for the bits.
    """

    bits: int = 4

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 16:
            raise RangeError(f"bits={self.bits} is outside 2..16")

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        grid = QParams(scale=1 / ((1 << (self.bits - 1)) - 1), bits=self.bits, narrow=True)
        return fake_quantize(x, grid), lambda dy: (dy * (np.abs(x) <= 1), {}), grid


def quantize_gradient(dy: Array, bits: int, rng: np.random.Generator) -> Array:
    """Gradients of k bits.

        f(dr) = 2 m * (q(dr / (2 m) + 1/2 + noise) - 1/2),   m = max|dr| a sample,  noise uniform in +-1/2 / (2**k - 1)

    Notes
    -----
    Zhou et al. 2016, eq. (12).
    """
    top = (1 << bits) - 1
    largest = np.abs(dy).max(axis=tuple(range(1, dy.ndim)), keepdims=True).clip(1e-30)
    noise = (rng.random(dy.shape) - 0.5) / top
    levels = np.clip(np.rint(top * (dy / (2 * largest) + 0.5 + noise)), 0, top)
    return (2 * largest * (levels / top - 0.5)).astype(dy.dtype)
