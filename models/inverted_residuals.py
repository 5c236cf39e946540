"""Networks of inverted residuals: expansion, depthwise convolution, linear projection (Sandler et al. 2018)."""

from math import ceil
from typing import NamedTuple

from models.keras_writer import Network


class Stage(NamedTuple):
    """Blocks of one shape; the stride is that of the first.

    `fused`: expansion and kernel are one convolution, absent where the expansion is 1.
    """

    repeats: int
    kernel: int
    stride: int
    expansion: float
    channels: int
    fused: bool = False
    residual: bool = True


def scaled(channels: float, width: float) -> int:
    """Channels times width as a multiple of 8, at most a tenth less."""
    wide = channels * width
    rounded = max(8, int(wide + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wide else rounded


def deepened(stages: tuple[Stage, ...], width: float, depth: float) -> tuple[Stage, ...]:
    """Stages with scaled channels and repeats; the repeats of the first and the last stay."""
    inner = range(1, len(stages) - 1)
    return tuple(
        stage._replace(
            channels=scaled(stage.channels, width),
            repeats=ceil(stage.repeats * depth) if place in inner else stage.repeats,
        )
        for place, stage in enumerate(stages)
    )


def build_inverted_residuals(
    name: str,
    stages: tuple[Stage, ...],
    input_shape: tuple[int, ...],
    classes: int,
    stem: int = 32,
    heads: tuple[int, ...] = (1280,),
    limit: float | None = 6.0,
) -> Network:
    """A strided 3x3 convolution of `stem` filters, the stages, 1x1 convolutions, classifier; ReLU up to `limit`.

    The first of `heads` is in front of the global pool, the others behind it.
    """
    net = Network(name)
    x = net.relu(net.batch_norm(net.conv(net.input(input_shape), stem, 3, 2, bias=False)), limit)
    for repeats, kernel, first_stride, expansion, channels, fused, residual in stages:
        for i in range(repeats):
            stride, before, y = (first_stride if i == 0 else 1), x, x
            inner = scaled(expansion * x.shape[2], 1.0) if expansion != 1 else x.shape[2]
            if fused and expansion != 1:
                y = net.relu(net.batch_norm(net.conv(y, inner, kernel, stride, bias=False)), limit)
            elif not fused and expansion != 1:
                y = net.relu(net.batch_norm(net.conv(y, inner, 1, bias=False)), limit)
            if not fused:
                y = net.relu(net.batch_norm(net.depthwise(y, kernel, stride)), limit)
            x = net.batch_norm(net.conv(y, channels, 1, bias=False))
            x = net.add(before, x) if residual and x.shape == before.shape else x
    x = net.relu(net.batch_norm(net.conv(x, heads[0], 1, bias=False)), limit)
    x = net.global_average(x)
    for units in heads[1:]:
        x = net.dense(x, units, activation="relu")
    net.output(net.dense(x, classes, activation="softmax"))
    return net
