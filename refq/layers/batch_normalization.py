"""BatchNormalization at inference: one affine map a channel."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic, round_real

_FINE = 1 << 12
"""Offsets have this many steps to one step of the scaled input, so that their rounding does not show in the output."""


@layer("BatchNormalization")
class BatchNormalization(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    gamma, beta, mean, variance (C) run along `axis` of x.

    Notes
    -----
    One that cannot be folded computes in integers as a depthwise 1x1 convolution would. With a = gamma /
    sqrt(variance + epsilon): (x_q - z_x) * sign(a) * 2**12, plus an int32 offset at scale s_x * |a| / 2**12,
    requantized by that scale over s_y; beside activations of more than 8 bits the offset has 49 bits. Multipliers and
    offsets are prepared from the four real vectors.
    """

    operands = ("x", "gamma", "beta", "mean", "variance")
    parameters = frozenset({"gamma", "beta", "mean", "variance"})

    axis: int = -1
    epsilon: float = 1e-3

    def infer_shape(self, x: Shape, *vectors: Shape) -> Shape:
        for shape in vectors:
            if shape != (x[self.axis],):
                raise ShapeError(f"input shape {x} needs vectors of shape {(x[self.axis],)}, got {shape}")
        return x

    def _along(self, vector: Array, ndim: int) -> Array:
        shape = [1] * ndim
        shape[self.axis] = -1
        return vector.reshape(shape)

    def forward(self, x: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
        factor = gamma / np.sqrt(variance + x.dtype.type(self.epsilon))
        return x * self._along(factor, x.ndim) + self._along(beta - mean * factor, x.ndim)

    def grad(self, dy: Array, x: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> tuple[Any, ...]:
        others = tuple(axis for axis in range(x.ndim) if axis != self.axis % x.ndim)
        spread = variance + self.epsilon
        factor = gamma / np.sqrt(spread)
        total = dy.sum(axis=others)
        centred = (dy * (x - self._along(mean, x.ndim))).sum(axis=others)
        return (
            dy * self._along(factor, x.ndim),
            centred / np.sqrt(spread),
            total,
            -total * factor,
            centred * gamma * -0.5 * spread**-1.5,
        )

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        x_q, (gamma, beta, mean, variance) = codes[0], (np.asarray(v, np.float64) for v in codes[1:])
        grid = grids[0]
        factor = gamma / np.sqrt(variance + self.epsilon)
        # A vanishing factor still needs a scale for its offset, fine enough that x times a rounded step does not show.
        bits = 16 if grid.bits <= 8 else 24
        limit = 1 << (31 if grid.bits <= 8 else 48)
        scale = np.maximum(float(grid.scale) * np.abs(factor) / _FINE, float(out.scale) * 2.0**-bits)
        steps = np.rint(np.divide(float(grid.scale) * np.abs(factor), scale)).astype(np.int64)
        offset = np.clip(round_real((beta - mean * factor) / scale), -limit, limit - 1).astype(np.int64)
        sign = self._along(np.sign(factor).astype(np.int64) * steps, x_q.ndim)
        acc = (x_q.astype(np.int64) - grid.zero_point) * sign + self._along(offset, x_q.ndim)
        acc = arithmetic.accumulator_for(grid.bits).fit(acc)
        real = self._along(scale / float(out.scale), x_q.ndim)
        return arithmetic.requantizer(self.op, grid.bits)(acc, real) + out.zero_point

    def nest(self, x: Shape, *vectors: Shape) -> LoopNest:
        size = prod(x)
        return LoopNest(
            kind="normalize", inputs=(size,), weights=sum(map(prod, vectors)), outputs=size, operations=2 * size
        )
