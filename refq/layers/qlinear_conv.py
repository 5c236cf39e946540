"""QLinearConv: a convolution of 8-bit codes whose quantization parameters are operands."""

from typing import Any

from refq.graph import LoopNest
from refq.layers.base import Array, Shape, elements
from refq.layers.conv_integer import ExplicitConvolution
from refq.layers.qlinear_mat_mul import requantize_linear
from refq.layers.registry import layer
from refq.layers.windows import Padding, Pair


@layer("QLinearConv")
class QLinearConv(ExplicitConvolution):
    """y = clip(round_half_even(acc * (x_scale * w_scale / y_scale)) + y_zero), acc as ConvInteger plus b

    x, w int8 or uint8; w_scale and w_zero () or one an output channel; b int32 or absent; y in the type of y_zero.
    ONNX QLinearConv 10; the factor is formed in float32. A file whose parameters are constants loads as Conv2D with
    grids instead; this layer is for parameters known only at run time.
    """

    operands = ("x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero", "b?")

    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation: Pair = (1, 1)
    groups: int = 1

    def infer_shape(self, *shapes: Any) -> Shape:
        return self.convolution().infer_shape(shapes[0], shapes[3])

    def forward(self, *arrays: Any) -> Array:
        x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = arrays[:8]
        acc = self.accumulate(x, w, arrays[8] if len(arrays) > 8 else None, x_zero, w_zero)
        return requantize_linear(acc, x_scale.reshape(()) * w_scale, y_scale.reshape(()), y_zero)

    def nest(self, *shapes: Any) -> LoopNest:
        x, w, b = shapes[0], shapes[3], (*shapes, None)[8]
        return self.nest_of(x, w, b, sum(map(elements, (*shapes[1:3], *shapes[4:8]))))
