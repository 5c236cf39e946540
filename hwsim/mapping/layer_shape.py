"""Shapes of layers as a micro-block array runs them: one group of one image, all images at once where dense."""

from __future__ import annotations

from math import ceil, isqrt
from typing import TYPE_CHECKING

from hwsim.mapping.block_shape import Shape

if TYPE_CHECKING:
    from hwsim.engines.base import Layers

ON_ARRAY = ("mac", "depthwise", "pool", "matmul")


def shape_of(layers: Layers, i: int) -> Shape:
    """The shape of layer i; depthwise work on a single channel is a convolution."""
    kind, outputs = str(layers.kind[i]), int(layers.outputs[i])
    images, groups = max(1, int(layers.images[i])), max(1, int(layers.groups[i]))
    filters = max(1, int(layers.N[i]))
    if kind not in ON_ARRAY:
        return flat_shape(outputs // images, int(layers.channels[i]))
    if kind == "matmul":
        return Shape("matmul", 1, int(layers.M[i]), filters, 1, int(layers.M[i]), max(1, int(layers.K[i])))
    if kind == "mac" and layers.op[i] == "Dense":
        rows = max(1, int(layers.M[i]))
        return Shape("dense", 1, rows, filters, 1, rows, max(1, int(layers.K[i])))
    if kind == "pool" and layers.window[i] <= 1 and layers.inputs[i] > outputs:
        return _reduction(int(layers.inputs[i]) // max(1, outputs), outputs // images, int(layers.channels[i]))
    window = max(1, int(layers.FY[i])), max(1, int(layers.FX[i]))
    stride, dilation = (int(layers.SY[i]), int(layers.SX[i])), (int(layers.DY[i]), int(layers.DX[i]))
    height, width = max(1, int(layers.OY[i])), max(1, int(layers.OX[i]))
    alone = kind == "pool" or (kind == "depthwise" and (groups > 1 or filters == 1))
    depth = filters * groups if alone else filters
    channels = groups if alone else int(layers.K[i]) // (window[0] * window[1])
    channels = depth if kind == "pool" else max(1, channels)
    spread = channels if alone else channels * groups
    rows, columns = image_of(int(layers.inputs[i]) // (images * spread), (height, width), window, stride, dilation)
    stride = (1 if height == 1 else stride[0], 1 if width == 1 else stride[1])
    kind = "mac" if kind == "depthwise" and not alone else kind
    return Shape(kind, height, width, depth, rows, columns, channels, window, stride, dilation)


def _reduction(area: int, outputs: int, channels: int) -> Shape:
    """Averages over an image of so many pixels are a depthwise window of its size."""
    depth = channels if channels and outputs % channels == 0 else outputs
    rows = next(side for side in range(isqrt(max(1, area)), 0, -1) if area % side == 0)
    columns, count = area // rows, max(1, outputs // max(1, depth))
    return Shape("depthwise", count, 1, max(1, depth), rows * count, columns, max(1, depth), (rows, columns), (rows, 1))


def flat_shape(outputs: int, channels: int) -> Shape:
    """Elementwise work: an image as square as its elements allow."""
    depth = channels if channels and outputs % channels == 0 else min(outputs, 16)
    rest = ceil(max(1, outputs) / max(1, depth))
    width = max(1, isqrt(rest - 1) + 1)
    height = ceil(rest / width)
    return Shape("elementwise", height, width, max(1, depth), height, width, max(1, depth))


def image_of(
    area: int,
    outputs: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """Rows and columns of an input of so many pixels: the pair that outputs, window and stride can come from.

    Examples
    --------
    >>> image_of(33 * 37, (31, 35), (3, 3), (1, 1), (1, 1))
    (33, 37)
    """
    spans = [(side - 1) * wide + 1 for side, wide in zip(window, dilation, strict=True)]
    least = [(size - 1) * step + 1 for size, step in zip(outputs, stride, strict=True)]
    most = [a + b + c - 2 for a, b, c in zip(least, spans, stride, strict=True)]
    for rows in range(least[0], most[0] + 1):
        if area % rows == 0 and least[1] <= area // rows <= most[1]:
            return rows, area // rows
    rows = max(1, isqrt(max(1, area) * outputs[0] // outputs[1]))
    return rows, max(1, area // rows)
