"""Sums whose operands are rescaled to the output grid one by one, then added: the rule of HAWQ-V3's residual blocks.

    y = R(a - z_a, s_a / s_y) + R(b - z_b, s_b / s_y) + z_y          R the profile's requantizer, two roundings

LiteRT brings both operands to a common fine scale instead and rounds the sum once more, see `refq.layers.add`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import QParams
from refq.numerics.arithmetic import Arithmetic


def add_branches(
    layer: Any, codes: Sequence[Any], grids: Sequence[QParams], out: QParams, arithmetic: Arithmetic
) -> NDArray[np.int64]:
    """a + b, each rescaled on its own.

    Notes
    -----
    HAWQ-V3 (Yao et al. 2021), section 3.2; `fixedpoint_fn`, case 1.
    """
    a, b = _branches(layer, codes, grids, out, arithmetic)
    return a + b + out.zero_point


def subtract_branches(
    layer: Any, codes: Sequence[Any], grids: Sequence[QParams], out: QParams, arithmetic: Arithmetic
) -> NDArray[np.int64]:
    """a - b, each rescaled on its own."""
    a, b = _branches(layer, codes, grids, out, arithmetic)
    return a - b + out.zero_point


def _branches(
    layer: Any, codes: Sequence[Any], grids: Sequence[QParams], out: QParams, arithmetic: Arithmetic
) -> list[NDArray[np.int64]]:
    requantizer = arithmetic.requantizer(layer.op, grids[0].bits)
    return [
        requantizer.rescale(q.astype(np.int64) - grid.zero_point, grid.scale, over=out.scale)
        for q, grid in zip(codes, grids, strict=True)
    ]
