"""DynamicQuantizeLinear: codes, scale and zero point from the data of the call."""

from math import prod

import numpy as np

from refq.graph import LoopNest
from refq.layers.base import Array, ExplicitLayer, Shape
from refq.layers.registry import layer
from refq.numerics.linear import quantize_linear


@layer("DynamicQuantizeLinear")
class DynamicQuantizeLinear(ExplicitLayer):
    """scale = (max(x, 0) - min(x, 0)) / 255,  zero_point = round_half_even(clip(-min / scale)),  y = uint8 codes

    Outputs y (the shape of x, uint8), scale () float32, zero_point () uint8.

    Notes
    -----
    ONNX DynamicQuantizeLinear 11. A tensor of zeros has no range: its scale is 1, as in ONNX Runtime (the reference
    evaluator gives 1/255); the codes are 0 with either.
    """

    def infer_shape(self, x: Shape) -> tuple[Shape, Shape, Shape]:  # type: ignore[override]
        return x, (), ()

    def forward(self, x: Array) -> tuple[Array, Array, Array]:
        real = x.astype(np.float32)
        low = np.minimum(real.min(initial=0.0), np.float32(0))
        high = np.maximum(real.max(initial=0.0), np.float32(0))
        scale = np.float32((high - low) / np.float32(255)) if high > low else np.float32(1)
        zero = np.rint(np.clip(-low / scale, 0, 255)).astype(np.uint8)
        codes = quantize_linear(real, np.asarray(scale), np.asarray(zero), np.uint8)
        return codes, np.asarray(scale), np.asarray(zero)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="elementwise", inputs=(prod(x),), outputs=prod(x) + 2, operations=3 * prod(x))
