"""AlexNet (Krizhevsky et al. 2012): two groups in the second, fourth and fifth convolution, as measured on Eyeriss."""

from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (227, 227, 3), classes: int = 1000) -> Network:
    """Five convolutions (666 MMAC), three dense layers."""
    net = Network("alexnet")
    x = net.pool(net.conv(net.input(input_shape), 96, 11, 4, "valid", activation="relu"), "Max", 3, 2)
    x = net.pool(net.conv(x, 256, 5, activation="relu", groups=2), "Max", 3, 2)
    x = net.conv(x, 384, 3, activation="relu")
    x = net.conv(x, 384, 3, activation="relu", groups=2)
    x = net.pool(net.conv(x, 256, 3, activation="relu", groups=2), "Max", 3, 2)
    x = net.dense(net.dense(net.flatten(x), 4096, activation="relu"), 4096, activation="relu")
    net.output(net.dense(x, classes, activation="softmax"))
    return net
