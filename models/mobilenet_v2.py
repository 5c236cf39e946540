"""MobileNetV2 (Sandler et al. 2018, table 2): 300,774,272 MACs at width 1, 224x224, 1000 classes."""

from models.keras_writer import Network

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, repeats, stride of the first."""


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000, alpha: float = 1.0) -> Network:
    """Inverted residuals with linear bottlenecks. Padding "same" throughout. `alpha` scales every width, to multiples
    of 8; the last convolution is not narrowed."""
    net = Network("mobilenet_v2")

    def scaled(channels: int) -> int:
        wide = channels * alpha
        rounded = max(8, int(wide + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * wide else rounded

    x = net.relu(net.batch_norm(net.conv(net.input(input_shape), scaled(32), 3, 2, bias=False)), 6.0)
    for expansion, width, repeats, first_stride in _STAGES:
        channels = scaled(width)
        for i in range(repeats):
            stride, y = (first_stride if i == 0 else 1), x
            if expansion != 1:
                y = net.relu(net.batch_norm(net.conv(y, expansion * x.shape[2], 1, bias=False)), 6.0)
            y = net.relu(net.batch_norm(net.depthwise(y, 3, stride)), 6.0)
            y = net.batch_norm(net.conv(y, channels, 1, bias=False))
            x = net.add(x, y) if stride == 1 and x.shape[2] == channels else y
    x = net.relu(net.batch_norm(net.conv(x, max(1280, scaled(1280)), 1, bias=False)), 6.0)
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
