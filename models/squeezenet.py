"""SqueezeNet 1.0 (Iandola et al. 2016, table 1): 1.25 million parameters."""

from models.keras_writer import Network, Symbol

_FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Squeeze filters, expand filters of each kind."""


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """A 7x7 convolution, eight fire modules with pools after the third and the seventh, a 1x1 classifier."""
    net = Network("squeezenet")

    def fire(x: Symbol, squeeze: int, expand: int) -> Symbol:
        x = net.conv(x, squeeze, 1, activation="relu")
        return net.concatenate(net.conv(x, expand, 1, activation="relu"), net.conv(x, expand, 3, activation="relu"))

    x = net.pool(net.conv(net.input(input_shape), 96, 7, 2, "valid", activation="relu"), "Max", 3, 2)
    for place, (squeeze, expand) in enumerate(_FIRES):
        x = fire(x, squeeze, expand)
        if place in (2, 6):
            x = net.pool(x, "Max", 3, 2)
    x = net.conv(net.dropout(x, 0.5), classes, 1, activation="relu")
    net.output(net.activation(net.global_average(x), "softmax"))
    return net
