"""Random one-operator models of what LiteRT delegates to XNNPACK, beyond the multiply-accumulate layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.peers.litert import Tensor, single
from tests.peers.mac_models import ACTIVATIONS, Draw, Model


def _image(draw: Draw, most: int = 6) -> tuple[int, ...]:
    return 1, draw.size(1, most), draw.size(1, most), draw.size(1, 20)


def unary(code: str) -> Callable[[int], Model]:
    """A function of one element, between unrelated grids."""

    def model(seed: int) -> Model:
        draw = Draw(seed, "int8")
        shape = _image(draw)
        options = {"alpha": float(draw.rng.uniform(0.01, 0.9))} if code == "LEAKY_RELU" else {}
        made = single(code, [draw.activation("x", shape)], [draw.activation("y", shape)], options)
        return made, [draw.codes(shape)]

    return model


def binary(code: str) -> Callable[[int], Model]:
    """Two operands, the second one whole, a channel vector or one number."""

    def model(seed: int) -> Model:
        draw = Draw(seed, "int8")
        shape = _image(draw)
        other = draw.pick(shape, shape, (1, 1, 1, shape[3]), (1, 1, 1, 1))
        a, b = draw.activation("a", shape), draw.activation("b", other)
        product = float(a.scale) * float(b.scale) * 60
        y = draw.activation("y", shape, draw.scale(product * 0.3, product * 2) if code == "MUL" else None)
        options = {"fused_activation_function": draw.pick(*ACTIVATIONS)}
        return single(code, [a, b], [y], options, version=2), [draw.codes(shape), draw.codes(other)]

    return model


def mean(seed: int) -> Model:
    """MEAN over one to three axes."""
    draw = Draw(seed, "int8")
    shape, keep = _image(draw, 12), bool(draw.pick(True, False))
    axes = draw.pick((1, 2), (1,), (2,), (3,), (1, 2, 3), (2, 3))
    sizes = [1 if axis in axes else size for axis, size in enumerate(shape)]
    kept = sizes if keep else [size for axis, size in enumerate(shape) if axis not in axes]
    y = draw.activation("y", tuple(kept), draw.scale(0.01, 0.1))
    operands = [draw.activation("x", shape), Tensor("axes", (len(axes),), "int32", data=axes)]
    return single("MEAN", operands, [y], {"keep_dims": keep}, version=2), [draw.codes(shape)]


def resize_bilinear(seed: int) -> Model:
    """RESIZE_BILINEAR in its three conventions."""
    draw = Draw(seed, "int8")
    shape, size = _image(draw), (draw.size(1, 13), draw.size(1, 13))
    align, half = draw.pick((False, False), (True, False), (False, True))
    x = draw.activation("x", shape)
    y = Tensor("y", (1, *size, shape[3]), "int8", scale=x.scale, zero_point=x.zero_point)
    options = {"align_corners": align, "half_pixel_centers": half}
    operands = [x, Tensor("size", (2,), "int32", data=size)]
    return single("RESIZE_BILINEAR", operands, [y], options, version=2), [draw.codes(shape)]


def batch_matmul(seed: int) -> Model:
    """BATCH_MATMUL as far as it is delegated: the right operand's zero point is 0."""
    draw = Draw(seed, "int8")
    m, k, n = draw.size(1, 6), draw.size(1, 20), draw.size(1, 6)
    lead, is_turned = draw.pick((1,), (2,), (2, 3)), bool(draw.pick(True, False))
    a = draw.activation("a", (*lead, m, k))
    b = Tensor("b", (*lead, *((n, k) if is_turned else (k, n))), "int8", scale=draw.scale(0.01, 0.2))
    y = draw.output((*lead, m, n), a, b.scale, k)
    return single("BATCH_MATMUL", [a, b], [y], {"adj_y": is_turned}), [draw.codes(tuple(t.shape)) for t in (a, b)]


def max_pool(seed: int) -> Model:
    """MAX_POOL_2D."""
    draw = Draw(seed, "int8")
    shape = (1, draw.size(3, 8), draw.size(3, 8), draw.size(1, 20))
    x = draw.activation("x", shape)
    size = tuple(-(-n // 2) for n in shape[1:3])
    y = Tensor("y", (1, *size, shape[3]), "int8", scale=x.scale, zero_point=x.zero_point)
    options = {"padding": "SAME", "stride_w": 2, "stride_h": 2, "filter_width": 3, "filter_height": 2}
    activation = draw.pick("NONE", "RELU")
    return single("MAX_POOL_2D", [x], [y], {**options, "fused_activation_function": activation}, version=2), [
        np.asarray(draw.codes(shape))
    ]
