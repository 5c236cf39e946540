"""ReduceProd: the product over axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, Shape
from refq.layers.reduction import Reduction
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.fixed_point import wrap_int32


@layer("ReduceProd")
class ReduceProd(Reduction):
    """y = product of x over `axes`

    Notes
    -----
    Integer path (LiteRT REDUCE_PROD): p = x_q[0] - z_x; for every further element p = R(p * (x_q - z_x)), once more
    R(p) at the end. R requantizes by s_x / s_y**(1/n), n elements, so that the n rescalings together make
    s_x**n / s_y and no product grows beyond the accumulator. The order is that of memory.
    """

    axes: tuple[int, ...]
    keepdims: bool = False

    def _rows(self, x: Array) -> Array:
        """The elements that fall into one, in the order of memory, along a last axis."""
        axes = sorted(self.reduced(x.shape))
        last = np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim))
        return last.reshape(*last.shape[: x.ndim - len(axes)], -1)

    def _shaped(self, y: Array, x: Shape) -> Array:
        return y.reshape(self.infer_shape(x))

    def forward(self, x: Array) -> Array:
        return x.prod(axis=self.reduced(x.shape), keepdims=self.keepdims, dtype=x.dtype)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        rows = self._rows(x)
        ones = np.ones_like(rows[..., :1])
        before = np.cumprod(np.concatenate([ones, rows[..., :-1]], axis=-1), axis=-1)
        after = np.cumprod(np.concatenate([ones, rows[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
        others = before * after  # of every element, without dividing by it: it may be 0
        axes = sorted(self.reduced(x.shape))
        kept = [size for axis, size in enumerate(x.shape) if axis not in axes]
        others = others.reshape(*kept, *(x.shape[axis] for axis in axes))
        return (np.moveaxis(others, range(len(kept), x.ndim), axes) * self.expand(dy, x.shape),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        steps = self._rows(codes[0].astype(np.int64) - grid.zero_point)
        real = float(grid.scale) / float(out.scale) ** (1 / steps.shape[-1])
        requantize = arithmetic.requantizer(self.op, grid.bits)
        total = steps[..., 0]
        for i in range(1, steps.shape[-1]):
            total = wrap_int32(requantize(total * steps[..., i], real))
        return self._shaped(wrap_int32(requantize(total, real)), codes[0].shape) + out.zero_point
