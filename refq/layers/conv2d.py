"""Conv2D: two-dimensional convolution, grouped and dilated."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError
from refq.graph import Codebook, LoopNest
from refq.layers import convolution
from refq.layers.base import Array, MacLayer, Shape, elements
from refq.layers.registry import layer
from refq.layers.windows import Padding, Pair, Window, pad_image, patches, resolve, tap
from refq.numerics import Accumulator
from refq.numerics.bit_convolution import bit_convolution
from refq.numerics.bit_planes import pack_bits
from refq.numerics.coded_products import CodedRows, coded_matmul
from refq.numerics.register_sums import sum_images


def _joined(parts: list[Array], axis: int) -> Array:
    """What the groups gave, side by side."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)


@layer("Conv2D")
class Conv2D(MacLayer):
    """y[n,oy,ox,o] = sum_{fy,fx,c} x[n, oy*sy + fy*dy - top, ox*sx + fx*dx - left, g*C + c] * w[o,fy,fx,c] + b[o]

    x (N, H, W, G*C), w (O, FY, FX, C), b (O), y (N, OY, OX, O); g = o // (O / G).
    """

    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation: Pair = (1, 1)
    groups: int = 1

    def window(self, x: Shape, w: Shape) -> Window:
        """The resolved window for an input and a weight shape."""
        if len(x) != 4 or len(w) != 4:
            raise ShapeError(f"input shape {x} and weight shape {w} must be (N, H, W, C) and (O, FY, FX, C)")
        if x[3] != w[3] * self.groups or w[0] % self.groups:
            raise ShapeError(
                f"weight shape {w} in {self.groups} groups needs {w[3] * self.groups} input channels "
                f"and output channels divisible by {self.groups}, got input shape {x}"
            )
        return resolve(f"input shape {x}", x[1:3], w[1:3], self.strides, self.dilation, self.padding)

    def infer_shape(self, x: Shape, w: Shape, b: Shape | None = None) -> Shape:
        return (x[0], *self.window(x, w).out, w[0])

    def _parts(self, w: Array) -> list[tuple[slice, slice]]:
        """Input and output channels of each group."""
        c, o = w.shape[3], len(w) // self.groups
        return [(slice(g * c, (g + 1) * c), slice(g * o, (g + 1) * o)) for g in range(self.groups)]

    def product(self, x: Array, w: Array) -> Array:
        window = self.window(x.shape, w.shape)
        return _joined([convolution.product(x[..., c], w[o], window) for c, o in self._parts(w)], -1)

    def weight_grad(self, dy: Array, x: Array, w: Array) -> Array:
        window = self.window(x.shape, w.shape)
        parts = [convolution.weight_grad(dy[..., o], x[..., c], w[o], window) for c, o in self._parts(w)]
        return _joined(parts, 0)

    def input_grad(self, dy: Array, x: Array, w: Array) -> Array:
        window = self.window(x.shape, w.shape)
        parts = [convolution.input_grad(dy[..., o], x[..., c], w[o], window) for c, o in self._parts(w)]
        return _joined(parts, -1)

    def binary_product(self, x: Array, w: Array) -> NDArray[np.int32] | None:
        if self.groups > 1:
            return None
        window = self.window(x.shape, w.shape)
        return bit_convolution(
            x,
            pack_bits(w.reshape(len(w), -1)),
            kernel=window.kernel,
            out=window.out,
            strides=window.strides,
            dilation=window.dilation,
            before=(window.pads[0][0], window.pads[1][0]),
        )

    def coded_product(self, x: Array, w: Codebook) -> NDArray[np.int64] | None:
        window, held, channels = self.window(x.shape, w.shape), CodedRows.of(w), w.shape[3]
        y = np.empty((len(x), *window.out, w.shape[0]), np.int64)
        outputs = w.shape[0] // self.groups
        for i, image in enumerate(x):
            seen = patches(pad_image(image[None], window), window)
            for g in range(self.groups):
                rows = seen[..., g * channels : (g + 1) * channels].reshape(prod(window.out), -1)
                first = g * outputs
                part = y[i, ..., first : first + outputs]
                part[...] = coded_matmul(rows, held.outputs(first, first + outputs)).reshape(part.shape)
        return y

    def terms(self, x: Array, w: Array) -> Iterator[Array]:
        window = self.window(x.shape, w.shape)
        padded = pad_image(x, window)
        channels = w.shape[3]
        group = np.arange(len(w)) // (len(w) // self.groups) * channels
        for fy, fx, c in np.ndindex(*window.kernel, channels):
            yield tap(padded, window, fy, fx)[..., group + c] * w[:, fy, fx, c]

    def registers(self, x: Array, w: Array, start: Array, accumulator: Accumulator) -> NDArray[np.int64] | None:
        window = self.window(x.shape, w.shape)
        return sum_images(
            pad_image(x, window),
            w,
            start,
            accumulator,
            taps=window.places(),
            strides=window.strides,
            out=window.out,
            groups=self.groups,
        )

    def nest(self, x: Shape, w: Shape, b: Shape | None = None) -> LoopNest:
        window = self.window(x, w)
        return LoopNest(
            kind="depthwise" if self.groups > 1 and w[3] == 1 else "mac",
            N=x[0],
            G=self.groups,
            K=w[0] // self.groups,
            C=w[3],
            OY=window.out[0],
            OX=window.out[1],
            FY=w[1],
            FX=w[2],
            stride=self.strides,
            dilation=self.dilation,
            inputs=(prod(x),),
            weights=prod(w),
            biases=elements(b),
            outputs=x[0] * prod(window.out) * w[0],
        )
