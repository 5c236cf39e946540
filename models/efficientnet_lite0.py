"""EfficientNet-Lite0 (Google 2020): 407 MMAC at 224x224, 4.7 million parameters."""

from models.keras_writer import Network

_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Repeats, kernel, stride of the first, expansion, channels."""


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """EfficientNet-B0 without squeeze-and-excitation, with ReLU6."""
    net = Network("efficientnet_lite0")
    x = net.relu(net.batch_norm(net.conv(net.input(input_shape), 32, 3, 2, bias=False)), 6.0)
    for repeats, kernel, first_stride, expansion, filters in _STAGES:
        for i in range(repeats):
            stride, before, y = (first_stride if i == 0 else 1), x, x
            if expansion != 1:
                y = net.relu(net.batch_norm(net.conv(y, expansion * x.shape[2], 1, bias=False)), 6.0)
            y = net.relu(net.batch_norm(net.depthwise(y, kernel, stride)), 6.0)
            x = net.batch_norm(net.conv(y, filters, 1, bias=False))
            x = net.add(before, x) if x.shape == before.shape else x
    x = net.relu(net.batch_norm(net.conv(x, 1280, 1, bias=False)), 6.0)
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
