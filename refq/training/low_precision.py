"""Training in few bits: gradients of 8 bits, and half precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.learning import quantize_gradient
from refq.training.network import SlopeRule

Array = NDArray[Any]

_CANDIDATES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.175, 0.125)


def integer_slopes(bits: int = 8) -> SlopeRule:
    """Gradients on a symmetric grid, rounded at random, clipped where their direction suffers least.

        q(g) = scale * stochastic_round(clip(g, -c, c) / scale),   scale = c / (2**(bits - 1) - 1)
        c = argmin over parts of max|g| of 1 - cos(g, round to nearest)

    Parameters
    ----------
    bits : int in 2..16

    Notes
    -----
    Zhu et al. 2020 (unified INT8 training), section 4.1: direction sensitive gradient clipping, which they do every few
    steps and by gradient descent; here the best of seven parts at every step. Stochastic rounding: Gupta et al. 2015.
    """
    if not 2 <= bits <= 16:
        raise RangeError(f"bits={bits} is outside 2..16")
    top = (1 << (bits - 1)) - 1

    def rule(dy: Array, rng: np.random.Generator) -> Array:
        largest = float(np.abs(dy).max(initial=0.0))
        if not 0 < largest < np.inf:
            return dy
        clip = direction_clip(dy, top)
        scale = dy.dtype.type(clip / top)
        steps = np.clip(dy / scale, -top, top)
        low = np.floor(steps)
        return ((low + (rng.random(dy.shape) < steps - low)) * scale).astype(dy.dtype)

    return rule


def direction_clip(dy: Array, top: int) -> float:
    """The part of max|dy| at which rounding to `top` steps turns the direction of dy least."""
    largest = float(np.abs(dy).max())
    best, found = -1.0, largest
    for part in _CANDIDATES:
        scale = part * largest / top
        rounded = np.clip(np.rint(dy / scale), -top, top)
        size = float(np.linalg.norm(rounded)) * float(np.linalg.norm(dy))
        cosine = float((dy * rounded).sum()) / size if size else -1.0
        if cosine > best:
            best, found = cosine, part * largest
    return found


def noisy_slopes(bits: int) -> SlopeRule:
    """DoReFa's gradients of k bits, with uniform noise of one step (Zhou et al. 2016, eq. 12)."""
    return lambda dy, rng: quantize_gradient(dy, bits, rng)


def half(x: Array) -> Array:
    """The values float16 can hold, in the type of x."""
    with np.errstate(over="ignore"):
        return x.astype(np.float16).astype(x.dtype)


def half_slopes(scale: float = 1024.0) -> SlopeRule:
    """Gradients in float16, multiplied by `scale` before and divided by it behind, so that small ones survive.

    Notes
    -----
    Micikevicius et al. 2018, section 3.2 (loss scaling).
    """
    return lambda dy, rng: half(dy * dy.dtype.type(scale)) / dy.dtype.type(scale)
