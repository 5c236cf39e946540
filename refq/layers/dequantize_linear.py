"""DequantizeLinear: codes of a stated element type to reals."""

from math import prod

from refq.graph import LoopNest
from refq.layers.base import Array, ExplicitLayer, Shape, elements
from refq.layers.registry import layer
from refq.numerics.element_types import element_type
from refq.numerics.linear import check_zero_point, dequantize_linear, spread


@layer("DequantizeLinear")
class DequantizeLinear(ExplicitLayer):
    """y = (x - zero_point) * scale, in element type `to`, or that of the scale; see `refq.numerics.linear`.

    scale and zero_point one a tensor, one an index of `axis`, or one a block of `block_size` along it.
    ONNX DequantizeLinear.
    """

    operands = ("x", "scale", "zero_point?")

    to: str = ""
    axis: int = 1
    block_size: int = 0

    def infer_shape(self, x: Shape, *parameters: Shape | None) -> Shape:
        return x

    def forward(self, x: Array, scale: Array, zero_point: Array | None = None) -> Array:
        check_zero_point(zero_point, x.dtype, "a quantized tensor")
        shape = (x.shape, self.axis, self.block_size)
        zero = None if zero_point is None else spread(zero_point, *shape)
        return dequantize_linear(x, spread(scale, *shape), zero, element_type(self.to) if self.to else scale.dtype)

    def nest(self, x: Shape, *parameters: Shape | None) -> LoopNest:
        inputs = (prod(x), *(elements(shape) for shape in parameters))
        return LoopNest(kind="elementwise", inputs=inputs, outputs=prod(x), operations=prod(x))
