"""Bi-Real Net, 18 layers (Liu et al. 2018, arXiv:1808.00278), as in larq/zoo: a shortcut around each convolution."""

from models.keras_writer import Network, Symbol


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """A real 7x7 convolution and a pool, sixteen binary convolutions, shortcuts that halve by average and 1x1."""
    net = Network("birealnet18")

    def block(x: Symbol, filters: int) -> Symbol:
        wider = filters != x.shape[2]
        shortcut = x
        if wider:
            shortcut = net.pool(x, "Average", 2, 2, padding="same")
            shortcut = net.batch_norm(net.conv(shortcut, filters, 1, bias=False))
        return net.add(net.batch_norm(net.binary_conv(x, filters, 3, 2 if wider else 1)), shortcut)

    x = net.batch_norm(net.conv(net.input(input_shape), 64, 7, 2, bias=False))
    x = net.pool(x, "Max", 3, 2, padding="same")
    for filters in (64, 128, 256, 512):
        for _ in range(4):
            x = block(x, filters)
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
