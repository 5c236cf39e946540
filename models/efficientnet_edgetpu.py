"""EfficientNet-EdgeTPU (Gupta and Akin 2020): fused and depthwise inverted bottlenecks; S is 2.35 GMAC at 224x224."""

from math import ceil

from models.inverted_residuals import scaled
from models.keras_writer import Network

_STAGES = (
    (1, 3, 1, 4, 24, True),
    (2, 3, 2, 8, 32, True),
    (4, 3, 2, 8, 48, True),
    (5, 5, 2, 8, 96, False),
    (4, 5, 1, 8, 144, False),
    (2, 5, 2, 8, 192, False),
)
"""Repeats, kernel, stride of the first, expansion, channels, whether expansion and kernel are one convolution."""


def build(
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1001,
    width: float = 1.0,
    depth: float = 1.0,
    name: str = "efficientnet_edgetpu",
) -> Network:
    """`width` scales channels (to multiples of 8), `depth` repeats. No squeeze-and-excitation; ReLU. Fused blocks
    stride in their last, 1x1 convolution."""
    net = Network(name)

    def channels(count: int) -> int:
        return scaled(count, width)

    x = net.relu(net.batch_norm(net.conv(net.input(input_shape), channels(32), 3, 2, bias=False)))
    for place, (repeats, kernel, first_stride, expansion, filters, fused) in enumerate(_STAGES):
        for i in range(ceil(repeats * depth)):
            stride, before = (first_stride if i == 0 else 1), x
            inner = expansion * (x.shape[2] if not (fused and place == 0 and i == 0) else channels(24))
            y = net.conv(x, inner, kernel if fused else 1, bias=False)
            y = net.relu(net.batch_norm(y))
            if not fused:
                y = net.relu(net.batch_norm(net.depthwise(y, kernel, stride)))
            x = net.batch_norm(net.conv(y, channels(filters), 1, stride if fused else 1, bias=False))
            if stride == 1 and x.shape == before.shape:
                x = net.add(before, x)
    x = net.relu(net.batch_norm(net.conv(x, channels(1280), 1, bias=False)))
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
