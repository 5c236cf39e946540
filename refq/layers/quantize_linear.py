"""QuantizeLinear: reals to a stated element type."""

from math import prod

from refq.graph import LoopNest
from refq.layers.base import Array, ExplicitLayer, Shape, elements
from refq.layers.registry import layer
from refq.numerics.element_types import cast, element_type
from refq.numerics.linear import check_zero_point, quantize_linear, spread


@layer("QuantizeLinear")
class QuantizeLinear(ExplicitLayer):
    """y = clip(round_half_even(x / scale) + zero_point), in element type `to`; see `refq.numerics.linear`.

    x any shape; scale and zero_point one a tensor, one an index of `axis`, or one a block of `block_size` along it.
    `precision` names the type of the division where it is not that of the scale. ONNX QuantizeLinear.
    """

    operands = ("x", "scale", "zero_point?")

    to: str = "uint8"
    axis: int = 1
    block_size: int = 0
    saturate: bool = True
    precision: str = ""

    def infer_shape(self, x: Shape, *parameters: Shape | None) -> Shape:
        return x

    def forward(self, x: Array, scale: Array, zero_point: Array | None = None) -> Array:
        to = element_type(self.to)
        check_zero_point(zero_point, to, "a quantized tensor")
        if self.precision:
            scale = cast(scale, element_type(self.precision))
        shape = (x.shape, self.axis, self.block_size)
        zero = None if zero_point is None else spread(zero_point, *shape)
        return quantize_linear(x, spread(scale, *shape), zero, to, saturate=self.saturate)

    def nest(self, x: Shape, *parameters: Shape | None) -> LoopNest:
        inputs = (prod(x), *(elements(shape) for shape in parameters))
        return LoopNest(kind="elementwise", inputs=inputs, outputs=prod(x), operations=prod(x))
