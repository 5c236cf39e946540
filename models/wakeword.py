"""1D DS-CNN of MLPerf Tiny streaming wake word: 826,368 MACs, 30 frames of 40 features."""

from models.keras_writer import Network

_BLOCKS = ((128, 3), (128, 5), (128, 10), (32, 15))
"""Filters of the pointwise convolution, window of the depthwise convolution along time."""


def build(input_shape: tuple[int, ...] = (30, 1, 40), classes: int = 3) -> Network:
    """Four depthwise-separable blocks without padding, which leave one frame; a classifier."""
    net = Network("wakeword")
    x = net.input(input_shape)
    for filters, window in _BLOCKS:
        x = net.conv(net.depthwise(x, (window, 1), 1, "valid"), filters, 1, padding="valid", bias=False)
        x = net.dropout(net.activation(net.batch_norm(x), "relu"), 0.2)
    net.output(net.dense(net.flatten(x), classes))
    return net
