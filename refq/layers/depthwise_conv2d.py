"""DepthwiseConv2D: every channel has its own small filters."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError
from refq.graph import Codebook, LoopNest
from refq.layers.base import Array, MacLayer, Shape, elements
from refq.layers.registry import layer
from refq.layers.windows import Padding, Pair, Window, crop_image, pad_image, patches, resolve, tap
from refq.numerics import Accumulator
from refq.numerics.coded_products import CodedRows, coded_matmul
from refq.numerics.register_sums import sum_channels


@layer("DepthwiseConv2D")
class DepthwiseConv2D(MacLayer):
    """y[n,oy,ox,o] = sum_{fy,fx} x[n, oy*sy + fy*dy - top, ox*sx + fx*dx - left, o // m] * w[0,fy,fx,o] + b[o]

    x (N, H, W, C), w (1, FY, FX, C*m), b (C*m), y (N, OY, OX, C*m); m is the depth multiplier.
    """

    weight_axis = 3

    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation: Pair = (1, 1)

    def window(self, x: Shape, w: Shape) -> Window:
        """The resolved window for an input and a weight shape."""
        if len(x) != 4 or len(w) != 4 or w[0] != 1 or w[3] % x[3]:
            raise ShapeError(f"weight shape {w} must be (1, FY, FX, C*m) for input shape {x}, its channels C={x[-1]}")
        return resolve(f"input shape {x}", x[1:3], w[1:3], self.strides, self.dilation, self.padding)

    def infer_shape(self, x: Shape, w: Shape, b: Shape | None = None) -> Shape:
        return (x[0], *self.window(x, w).out, w[3])

    def _spread(self, x: Array, w: Array) -> Array:
        multiplier = w.shape[3] // x.shape[3]
        return x if multiplier == 1 else np.repeat(x, multiplier, axis=3)

    def coded_product(self, x: Array, w: Codebook) -> NDArray[np.int64] | None:
        """Notes: codes of several weights are decoded; outputs have no inputs in common to share products of."""
        if w.width > 1 or w.tail is not None:
            return None
        window, held = self.window(x.shape, w.shape), CodedRows.of(w, self.weight_axis)
        y = np.empty((len(x), *window.out, w.shape[3]), np.int64)
        for i, image in enumerate(x):
            spread = np.repeat(image[None], w.shape[3] // x.shape[3], axis=3)
            rows = patches(pad_image(spread, window), window).reshape(prod(window.out), -1, w.shape[3])
            y[i] = coded_matmul(rows, held).reshape(y.shape[1:])
        return y

    def terms(self, x: Array, w: Array) -> Iterator[Array]:
        window = self.window(x.shape, w.shape)
        padded = pad_image(self._spread(x, w), window)
        for fy, fx in np.ndindex(*window.kernel):
            yield tap(padded, window, fy, fx) * w[0, fy, fx]

    def registers(self, x: Array, w: Array, start: Array, accumulator: Accumulator) -> NDArray[np.int64] | None:
        window = self.window(x.shape, w.shape)
        padded = pad_image(self._spread(x, w), window)
        return sum_channels(
            padded, w[0], start, accumulator, strides=window.strides, dilation=window.dilation, out=window.out
        )

    def product(self, x: Array, w: Array) -> Array:
        y = np.zeros(self.infer_shape(x.shape, w.shape), np.result_type(x, w))
        for term in self.terms(x, w):
            y += term
        return y

    def weight_grad(self, dy: Array, x: Array, w: Array) -> Array:
        window, dw = self.window(x.shape, w.shape), np.zeros_like(w)
        padded = pad_image(self._spread(x, w), window)
        for fy, fx in np.ndindex(*window.kernel):
            dw[0, fy, fx] = (dy * tap(padded, window, fy, fx)).sum(axis=(0, 1, 2))
        return dw

    def input_grad(self, dy: Array, x: Array, w: Array) -> Array:
        window = self.window(x.shape, w.shape)
        padded = np.zeros_like(pad_image(self._spread(x, w), window))
        for fy, fx in np.ndindex(*window.kernel):
            tap(padded, window, fy, fx)[...] += dy * w[0, fy, fx]
        return crop_image(padded, window).reshape(*x.shape, -1).sum(axis=-1)

    def nest(self, x: Shape, w: Shape, b: Shape | None = None) -> LoopNest:
        window = self.window(x, w)
        return LoopNest(
            kind="depthwise",
            N=x[0],
            G=x[3],
            K=w[3] // x[3],
            OY=window.out[0],
            OX=window.out[1],
            FY=w[1],
            FX=w[2],
            stride=self.strides,
            dilation=self.dilation,
            inputs=(prod(x),),
            weights=prod(w),
            biases=elements(b),
            outputs=x[0] * prod(window.out) * w[3],
        )
