"""LiteRT's hard-swish of 8-bit codes: x * relu6(x + 3) / 6 with 16-bit words and two multipliers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.fixed_point import rounding_divide_by_power_of_two
from refq.numerics.fixed_point import saturating_rounding_doubling_high_multiply as srdhm
from refq.numerics.requantize import int64

_GATE_STEP = np.float32(3 / 32768)
_HIGH_RESOLUTION = 7  # left shift of codes to 16 bits


def hard_swish_parameters(scale: Any, out_scale: Any) -> tuple[int, int, int, int]:
    """(m_y, e_y, m_g, e_g): 16-bit multipliers and exponents to the output's and to the gate's steps.

        s_x / 128 / s_y = m_y * 2**(e_y - 15);    s_x / 128 / (3 / 32768) = m_g * 2**(e_g - 15), quotients in float32

    Raises
    ------
    RangeError    the output's steps are finer than 1/128 of the input's: LiteRT has no rule for e_y > 0
    """
    fine = np.float32(1 / 128) * np.float32(scale)
    (m_y, e_y), (m_g, e_g) = (map(int, int64.prepare(fine / over)) for over in (np.float32(out_scale), _GATE_STEP))
    if e_y > 0:
        raise RangeError(f"hard-swish: output scale={out_scale} is below 1/128 of the input scale={scale}")
    return m_y, e_y, m_g, e_g


def hard_swish(d: Any, m_y: int, e_y: int, m_g: int, e_g: int) -> NDArray[np.int64]:
    """Steps of the output for steps of the input.

        v = d << 7;  g = gate(v) in Q0.15, -1 at x <= -3, 1 at x >= 3;  g = (g + 2**15) >> 1
        y = RDbP(trunc(g * SRDHM16(v, m_y) / 2**15), -e_y)

    Parameters
    ----------
    d : integers in -255..255, code minus zero point
    m_y, e_y, m_g, e_g : see `hard_swish_parameters`

    Notes
    -----
    LiteRT `reference_ops::HardSwish`. The gate saturates in its last shift to the left; shifting by one place less
    before the multiplication keeps earlier saturation out of the result. The product is cut towards zero, to cancel the
    bias of the two roundings before it. Where s_y is beyond some 500 s_x, e_y < -15 and LiteRT's 16-bit mask runs over;
    here the division goes on, and the result is 0.
    """
    v = np.asarray(d, np.int64) << _HIGH_RESOLUTION
    y = srdhm(v, m_y, 16)
    gate = srdhm(_saturate(v << max(e_g - 1, 0)), m_g, 16)
    gate = _saturate(gate << 1) if e_g > 0 else rounding_divide_by_power_of_two(gate, -e_g)
    gate = (gate + (1 << 15)) >> 1
    product = gate * y
    cut = np.sign(product) * (np.abs(product) >> 15)
    return rounding_divide_by_power_of_two(cut, -e_y)


def _saturate(x: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.clip(x, -32768, 32767)
