"""Conv2DTranspose: the gradient of a convolution with respect to its input, used forward."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, MacLayer, Shape, elements
from refq.layers.registry import layer
from refq.layers.windows import Padding, Pair, Window, tap
from refq.numerics import Accumulator
from refq.numerics.register_sums import sum_images


@layer("Conv2DTranspose")
class Conv2DTranspose(MacLayer):
    """y[n, iy*sy + fy*dy - top, ix*sx + fx*dx - left, o] += x[n,iy,ix,i] * w[o,fy,fx,i], then + b[o]

    x (N, H, W, I), w (O, FY, FX, I), b (O), y (N, OY, OX, O).

    Notes
    -----
    Sizes as in Keras, with reach = (F - 1) * d + 1 and full = (H - 1) * s + reach: "same" gives H * s and cuts
    max(full - H * s, 0) // 2 at the front; "valid" gives H * s + max(reach - s, 0). An `output_padding` p gives
    full - 2 * (reach // 2) + p for "same" and full + p for "valid". Explicit ((top, bottom), (left, right)) cut full.
    """

    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation: Pair = (1, 1)
    output_padding: Pair | None = None

    def geometry(self, x: Shape, w: Shape) -> tuple[Window, Pair, Pair]:
        """The window that scatters, the first kept place of the full result, and the output size."""
        if len(x) != 4 or len(w) != 4 or x[3] != w[3]:
            raise ShapeError(f"weight shape {w} must be (O, FY, FX, I) with I = {x[-1]} for input shape {x}")
        self._check_ranges()
        first, out = [0, 0], [0, 0]
        for a in (0, 1):
            size, stride = x[1 + a], self.strides[a]
            reach = (w[1 + a] - 1) * self.dilation[a] + 1
            full = (size - 1) * stride + reach
            extra = 0 if self.output_padding is None else self.output_padding[a]
            if self.padding == "same":
                out[a] = size * stride if self.output_padding is None else full - 2 * (reach // 2) + extra
                first[a] = max(full - out[a], 0) // 2
            elif self.padding == "valid":
                out[a] = full + extra if self.output_padding is not None else size * stride + max(reach - stride, 0)
            else:
                before, after = self.padding[a]
                first[a], out[a] = before, full - before - after + extra
            if out[a] < 1:
                raise ShapeError(f"input shape {x} with weight shape {w} leaves an output of {out[a]} on axis {a + 1}")
        window = Window((w[1], w[2]), self.strides, self.dilation, ((0, 0), (0, 0)), (x[1], x[2]))
        return window, (first[0], first[1]), (out[0], out[1])

    def _check_ranges(self) -> None:
        if min(*self.strides, *self.dilation) < 1:
            raise RangeError(f"strides={self.strides} and dilation={self.dilation} must all be at least 1")
        if min(self.output_padding or (0, 0)) < 0:
            raise RangeError(f"output_padding={self.output_padding} must not be negative")
        if isinstance(self.padding, str):
            if self.padding not in ("valid", "same"):
                raise RangeError(f"padding={self.padding!r} is not 'valid', 'same' or ((top, bottom), (left, right))")
        elif min(map(min, self.padding)) < 0:
            raise RangeError(f"padding={self.padding} must not be negative; use output_padding to enlarge the output")

    def infer_shape(self, x: Shape, w: Shape, b: Shape | None = None) -> Shape:
        return (x[0], *self.geometry(x, w)[2], w[0])

    def _full(self, x: Shape, w: Shape) -> tuple[Window, Pair, Pair, Pair]:
        window, first, out = self.geometry(x, w)
        sizes = [
            max((x[1 + a] - 1) * self.strides[a] + (w[1 + a] - 1) * self.dilation[a] + 1, first[a] + out[a])
            for a in (0, 1)
        ]
        return window, first, out, (sizes[0], sizes[1])

    def product(self, x: Array, w: Array) -> Array:
        window, (top, left), (height, width), size = self._full(x.shape, w.shape)
        full = np.zeros((len(x), *size, len(w)), np.result_type(x, w))
        for fy, fx in np.ndindex(*window.kernel):
            tap(full, window, fy, fx)[...] += x @ w[:, fy, fx].T
        return full[:, top : top + height, left : left + width]

    def terms(self, x: Array, w: Array) -> Iterator[Array]:
        window, (top, left), (height, width), size = self._full(x.shape, w.shape)
        for fy, fx, i in np.ndindex(*window.kernel, w.shape[3]):
            full = np.zeros((len(x), *size, len(w)), np.result_type(x, w))
            tap(full, window, fy, fx)[...] = x[..., i, None] * w[:, fy, fx, i]
            yield full[:, top : top + height, left : left + width]

    def registers(self, x: Array, w: Array, start: Array, accumulator: Accumulator) -> NDArray[np.int64] | None:
        shape, taps, size, (top, left) = self.as_convolution(x.shape, w.shape)
        spread = np.zeros((len(x), *size, x.shape[3]), x.dtype)
        steps_y, steps_x = self.strides
        spread[:, top::steps_y, left::steps_x][:, : x.shape[1], : x.shape[2]] = x
        return sum_images(spread, w, start, accumulator, taps=taps, out=shape.out)

    def as_convolution(self, x: Shape, w: Shape) -> tuple[Window, list[Pair], Pair, Pair]:
        """The convolution that gives the same sums, term by term in the same order.

        Returns
        -------
        window : of a convolution without strides; its pads are 0
        taps : row and column that each kernel place meets, fy by fy, counted from the first input of a window
        size : of an image that holds the inputs `strides` apart and zero points elsewhere
        first : row and column of the first input there
        """
        window, (top, left), out, (rows, columns) = self._full(x, w)
        reach = [(window.kernel[a] - 1) * window.dilation[a] for a in (0, 1)]
        taps = [(reach[0] - fy, reach[1] - fx) for fy, fx in window.places()]
        found = Window(window.kernel, (1, 1), window.dilation, ((0, 0), (0, 0)), out)
        return (
            found,
            [(top + y, left + x) for y, x in taps],
            (reach[0] + rows, reach[1] + columns),
            (reach[0], reach[1]),
        )

    def _full_grad(self, dy: Array, x: Array, w: Array) -> tuple[Window, Array]:
        """dy where the sums were formed, before the crop."""
        window, (top, left), (height, width), size = self._full(x.shape, w.shape)
        full = np.zeros((len(x), *size, len(w)), dy.dtype)
        full[:, top : top + height, left : left + width] = dy
        return window, full

    def weight_grad(self, dy: Array, x: Array, w: Array) -> Array:
        (window, full), dw = self._full_grad(dy, x, w), np.zeros_like(w)
        for fy, fx in np.ndindex(*window.kernel):
            dw[:, fy, fx] = np.tensordot(tap(full, window, fy, fx), x, ((0, 1, 2), (0, 1, 2)))
        return dw

    def input_grad(self, dy: Array, x: Array, w: Array) -> Array:
        (window, full), dx = self._full_grad(dy, x, w), np.zeros_like(x)
        for fy, fx in np.ndindex(*window.kernel):
            dx += tap(full, window, fy, fx) @ w[:, fy, fx]
        return dx

    def nest(self, x: Shape, w: Shape, b: Shape | None = None) -> LoopNest:
        return LoopNest(
            kind="mac",
            N=x[0],
            K=w[0],
            C=w[3],
            OY=x[1],
            OX=x[2],
            FY=w[1],
            FX=w[2],
            dilation=self.dilation,
            inputs=(prod(x),),
            weights=prod(w),
            biases=elements(b),
            outputs=prod(self.infer_shape(x, w)),
        )
