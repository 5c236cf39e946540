"""ConvInteger: a convolution of 8-bit codes as int32."""

from typing import Any

import numpy as np

from refq.graph import LoopNest
from refq.layers.base import Array, ExplicitLayer, Shape, elements
from refq.layers.conv2d import Conv2D
from refq.layers.registry import layer
from refq.layers.windows import Padding, Pair
from refq.numerics import Accumulator
from refq.numerics.linear import check_zero_point


class ExplicitConvolution(ExplicitLayer):
    """Fields and geometry of convolutions whose quantization parameters are operands; x NHWC, w OHWI."""

    strides: Pair
    padding: Padding
    dilation: Pair
    groups: int

    def convolution(self) -> Conv2D:
        """The convolution of reals with the same geometry."""
        return Conv2D(strides=self.strides, padding=self.padding, dilation=self.dilation, groups=self.groups)  # type: ignore[call-arg]

    def accumulate(self, x: Array, w: Array, b: Array | None, x_zero: Array | None, w_zero: Array | None) -> Array:
        """Sums of (x - x_zero) * (w - w_zero) + b, wrapped to 32 bits; w_zero () or one an output channel."""
        for codes, zero in ((x, x_zero), (w, w_zero)):
            check_zero_point(zero, codes.dtype, "an operand")
        x_offset = 0 if x_zero is None else int(x_zero.reshape(()))
        w_offset: Any = 0 if w_zero is None else w_zero.astype(np.int64).reshape(() if w_zero.size == 1 else -1)
        exact = self.convolution().accumulate(x, w, b, x_offset, w_offset)
        return Accumulator(bits=32, overflow="wrap").fit(exact)

    def nest_of(self, x: Shape, w: Shape, b: Shape | None, others: int) -> LoopNest:
        """The convolution's nest; quantization parameters that arrive as operands are read as activations."""
        nest = self.convolution().nest(x, w, b)
        bounds = {**nest.bounds, "stride": nest.stride, "dilation": nest.dilation}
        read = (nest.inputs[0], nest.weights, nest.biases + others)
        return LoopNest(kind=nest.kind, inputs=read, outputs=nest.outputs, **bounds)  # type: ignore[arg-type]


@layer("ConvInteger")
class ConvInteger(ExplicitConvolution):
    """y = sum (x - x_zero) * (w - w_zero) over the window of Conv2D, int32

    x, w int8 or uint8; x_zero (), w_zero () or one an output channel; padding holds x_zero. ONNX ConvInteger 10; sums
    wrap at 32 bits.
    """

    operands = ("x", "w", "x_zero?", "w_zero?")

    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation: Pair = (1, 1)
    groups: int = 1

    def infer_shape(self, x: Shape, w: Shape, *zeros: Shape | None) -> Shape:
        return self.convolution().infer_shape(x, w)

    def forward(self, x: Array, w: Array, x_zero: Array | None = None, w_zero: Array | None = None) -> Array:
        return self.accumulate(x, w, None, x_zero, w_zero).astype(np.int32)

    def nest(self, x: Shape, w: Shape, *zeros: Shape | None) -> LoopNest:
        return self.nest_of(x, w, None, sum(map(elements, zeros)))
