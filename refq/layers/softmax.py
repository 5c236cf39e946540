"""Softmax: exponentials that sum to one."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import RangeError, ShapeError, UnsupportedError
from refq.graph import LoopNest
from refq.layers.base import Array, FixedGrid, Layer, Shape, is_symmetric_int16
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.softmax8 import integer_softmax, softmax_parameters
from refq.numerics.softmax16 import softmax16

_TOLERANCE = 1e-3
"""LiteRT takes an output scale for 1/256 (1/32768) within this part of it."""


@layer("Softmax")
class Softmax(Layer):
    """y = exp(beta * (x - max x)) / sum exp(beta * (x - max x)) along `axis`

    Integer path, LiteRT SOFTMAX: see `refq.numerics.softmax8` for 8-bit codes (output of 8 bits, or int16 of scale
    1/65536 whose lowest code stands for 0), `refq.numerics.softmax16` for int16 codes (output of scale 1/32768).
    """

    output_grid = FixedGrid(0.0, 1.0)

    axis: int = -1
    beta: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.beta < float("inf"):
            raise RangeError(f"beta={self.beta} must be positive and finite")

    def infer_shape(self, x: Shape) -> Shape:
        if not -len(x) <= self.axis < len(x):
            raise ShapeError(f"axis={self.axis} does not exist in input shape {x}")
        return x

    def forward(self, x: Array) -> Array:
        e = np.exp((x - x.max(axis=self.axis, keepdims=True)) * x.dtype.type(self.beta))
        return e / e.sum(axis=self.axis, keepdims=True)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        y = self.forward(x)
        return (self.beta * y * (dy - (dy * y).sum(axis=self.axis, keepdims=True)),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid, last = grids[0], np.moveaxis(codes[0], self.axis, -1)
        steps_per_unit = 1 / float(out.scale)
        zero_is_lowest = int(out.zero_point) == out.qmin and abs(steps_per_unit * 2.0**-out.bits - 1) <= _TOLERANCE
        if is_symmetric_int16(grid) and is_symmetric_int16(out) and abs(steps_per_unit / 32768 - 1) <= _TOLERANCE:
            y = softmax16(last, float(grid.scale * np.float32(self.beta)) / (10.0 / 65535.0))
        elif grid.bits == 8 and zero_is_lowest and out.bits in (8, 16):
            y = integer_softmax(
                last, *softmax_parameters(float(grid.scale), float(np.float32(self.beta))), bits=out.bits
            )
            y = y + (1 << (out.bits - 1)) + out.qmin
        else:
            raise UnsupportedError(
                f"integer softmax of {grid.bits}-bit codes to {out.bits}-bit codes of scale {out.scale}, zero point "
                f"{out.zero_point}: the output is 8 bits of scale 1/256 or int16 of scale 1/65536, the lowest code "
                "standing for 0, for 8-bit codes; int16 of scale 1/32768, zero point 0, for int16 codes"
            )
        return np.moveaxis(y, -1, self.axis)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="softmax", inputs=(prod(x),), outputs=prod(x), operations=3 * prod(x))
