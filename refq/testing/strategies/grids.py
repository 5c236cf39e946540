"""Bit widths, scales, zero points and whole grids."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from refq.graph import QParams

_MANTISSAS = (
    1.0,
    1.5,
    float(np.nextafter(np.float32(1), np.float32(2))),
    float(np.nextafter(np.float32(2), np.float32(1))),
)


def bit_widths(lowest: int = 1, highest: int = 16) -> SearchStrategy[int]:
    """Widths of a code, the usual ones first and often."""
    usual = [b for b in (8, 4, 2, 1, 16) if lowest <= b <= highest]
    every = st.integers(lowest, highest)
    return st.one_of(st.sampled_from(usual), every) if usual else every


def scales(lowest: int = -24, highest: int = 8) -> SearchStrategy[float]:
    """Positive float32 scales: powers of two (whose ties are exact), their neighbours, and any others.

    Parameters
    ----------
    lowest, highest : exponents of two
    """
    corner = st.builds(
        lambda m, e: float(np.float32(np.ldexp(m, e))), st.sampled_from(_MANTISSAS), st.integers(lowest, highest)
    )
    return st.one_of(corner, st.floats(2.0**lowest, 2.0**highest, width=32))


def zero_points(qmin: int, qmax: int) -> SearchStrategy[int]:
    """Zero points: 0 where legal, both limits, their neighbours, and any other."""
    corner = [z for z in (0, qmin, qmax, qmin + 1, qmax - 1) if qmin <= z <= qmax]
    return st.one_of(st.sampled_from(corner), st.integers(qmin, qmax))


@st.composite
def grids(
    draw: Any,
    bits: SearchStrategy[int] | None = None,
    symmetric: bool | None = None,
    channels: int | None = None,
    axis: int = 0,
) -> QParams:
    """QParams of any kind: signed, unsigned, narrow, with zero points at the limits.

    Parameters
    ----------
    bits : strategy of widths; default `bit_widths()`
    symmetric : True for zero point 0, False for any, None for both
    channels : None for one scale, else so many along `axis`
    """
    width = draw(bit_widths() if bits is None else bits)
    signed = draw(st.booleans())
    narrow = draw(st.booleans()) if width > 1 else False
    binary = signed and width == 1
    count = 1 if channels is None else channels
    example = QParams(scale=1.0, zero_point=0 if signed else 1, bits=width, signed=signed, narrow=narrow)
    sizes = [draw(scales()) for _ in range(count)]
    fixed = binary or symmetric or (symmetric is None and draw(st.booleans()))
    lowest = max(0, example.qmin) if fixed else example.qmin
    zeros = [lowest if fixed else draw(zero_points(example.qmin, example.qmax)) for _ in range(count)]
    if channels is None:
        return QParams(scale=sizes[0], zero_point=zeros[0], bits=width, signed=signed, narrow=narrow)
    return QParams(scale=sizes, zero_point=zeros, axis=axis, bits=width, signed=signed, narrow=narrow)
