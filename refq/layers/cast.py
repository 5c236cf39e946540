"""Cast: the same values in another element type."""

from math import prod
from typing import Any

from refq.graph import LoopNest
from refq.layers.base import Array, ExplicitLayer, Shape
from refq.layers.registry import layer
from refq.numerics.element_types import cast, element_type, is_real


@layer("Cast")
class Cast(ExplicitLayer):
    """y = x in element type `to`; see `refq.numerics.element_types.cast` for rounding, saturation and overflow.

    Element types are named "int8", "uint4", "float16", "float8_e4m3fn", "bool" ... ONNX Cast, CastLike; LiteRT CAST.
    """

    to: str
    saturate: bool = True
    round_mode: str = "up"

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return cast(x, element_type(self.to), saturate=self.saturate, round_mode=self.round_mode)

    def grad(self, dy: Array, x: Array) -> tuple[Any, ...]:
        return (dy.astype(x.dtype) if is_real(x.dtype) and is_real(element_type(self.to)) else None,)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="elementwise", inputs=(prod(x),), outputs=prod(x), operations=prod(x))
