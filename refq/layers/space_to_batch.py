"""SpaceToBatch: blocks of pixels become images of the batch, as a dilated convolution wants them."""

from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer

Pairs = tuple[tuple[int, int], ...]


def into_batch(x: Array, block: tuple[int, ...]) -> Array:
    """(N, S1, ..., rest) to (prod(block) * N, S1 / block1, ..., rest): the place in the block leads the batch."""
    spatial = len(block)
    inner = [n for size, b in zip(x.shape[1 : spatial + 1], block, strict=True) for n in (size // b, b)]
    cut = x.reshape(x.shape[0], *inner, *x.shape[spatial + 1 :])
    blocks, places = range(2, 2 * spatial + 1, 2), range(1, 2 * spatial, 2)
    cut = cut.transpose(*blocks, 0, *places, *range(2 * spatial + 1, cut.ndim))
    return np.ascontiguousarray(cut).reshape(prod(block) * x.shape[0], *inner[::2], *x.shape[spatial + 1 :])


def out_of_batch(x: Array, block: tuple[int, ...]) -> Array:
    """The inverse of `into_batch`."""
    spatial, n = len(block), x.shape[0] // prod(block)
    cut = x.reshape(*block, n, *x.shape[1:])
    order = [axis for i in range(spatial) for axis in (spatial + 1 + i, i)]
    cut = cut.transpose(spatial, *order, *range(2 * spatial + 1, cut.ndim))
    sizes = [size * b for size, b in zip(x.shape[1 : spatial + 1], block, strict=True)]
    return np.ascontiguousarray(cut).reshape(n, *sizes, *x.shape[spatial + 1 :])


def margins(x: Shape, pairs: Pairs) -> Pairs:
    """(before, after) for every axis of x, where `pairs` speaks of those after the batch."""
    return ((0, 0), *pairs, *((0, 0),) * (len(x) - 1 - len(pairs)))


def inside(x: Shape, pairs: Pairs) -> tuple[slice, ...]:
    """What is left of x without its margins."""
    return tuple(slice(low, size - high) for size, (low, high) in zip(x, margins(x, pairs), strict=True))


@layer("SpaceToBatch")
class SpaceToBatch(MoveLayer):
    """y[(p*B2 + q)*N + n, i, j, c] = padded x[n, i*B1 + p, j*B2 + q, c], (B1, B2) = `block`; N images become B1*B2*N

    paddings : (before, after) for each axis of `block`; new places hold 0, on codes the zero point.
    """

    block: tuple[int, ...]
    paddings: Pairs

    def infer_shape(self, x: Shape) -> Shape:
        spatial = len(self.block)
        if len(x) <= spatial or len(self.paddings) != spatial or min(self.block, default=0) < 1:
            raise ShapeError(f"input shape {x} does not fit block={self.block} and paddings={self.paddings}")
        padded = [size + sum(pair) for size, pair in zip(x[1:], self.paddings, strict=False)]
        if min(map(min, self.paddings)) < 0 or any(size % b for size, b in zip(padded, self.block, strict=True)):
            raise ShapeError(f"input shape {x}, padded by {self.paddings}, is no multiple of block={self.block}")
        sizes = (size // b for size, b in zip(padded, self.block, strict=True))
        return (x[0] * prod(self.block), *sizes, *x[spatial + 1 :])

    def move(self, x: Array, fill: Any) -> Array:
        self.infer_shape(x.shape)
        return into_batch(np.pad(x, margins(x.shape, self.paddings), constant_values=fill), self.block)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        padded = out_of_batch(dy, self.block)
        return (padded[inside(padded.shape, self.paddings)],)
