"""The convolutions of ResNet-8 in a chain, for CIFAR-10: nothing but what every method quantizes."""

from models.keras_writer import Network


def build(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: int = 16,
    shortcut: bool = False,
    function: str = "relu",
) -> Network:
    """Three stages of two convolutions with batch normalization and an activation; mean; dense layer.

    The stages have `width`, 2 * `width` and 4 * `width` filters; later ones start with stride 2. With `shortcut`, what
    a normalization gives is added to what the one before gave, where shapes allow, as in Bi-Real networks.
    """
    net = Network("cifar_chain")
    x, before = net.input(input_shape), None
    for filters, stride in ((width, 1), (width, 1), (2 * width, 2), (2 * width, 1), (4 * width, 2), (4 * width, 1)):
        y = net.batch_norm(net.conv(x, filters, 3, stride, bias=False))
        if shortcut and before is not None and before.shape == y.shape:
            y = net.add(before, y)
        before, x = y, net.activation(y, function)
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
