"""A small network for handwritten digits of 8 by 8 pixels (scikit-learn's load_digits)."""

from models.keras_writer import Network


def build(
    input_shape: tuple[int, ...] = (8, 8, 1),
    classes: int = 10,
    width: int = 16,
    shortcut: bool = False,
    function: str = "relu",
) -> Network:
    """Three convolutions with batch normalization and an activation, the second of stride 2; mean; dense layer.

    With `shortcut`, what the third normalization gives is added to what the second gave, as in Bi-Real networks.
    `function` is Keras' name of the activation, such as "swish".
    """
    net = Network("digits")
    x = net.input(input_shape)
    for filters, stride in ((width, 1), (2 * width, 2)):
        before = net.batch_norm(net.conv(x, filters, 3, stride, bias=False))
        x = net.activation(before, function)
    y = net.batch_norm(net.conv(x, 2 * width, 3, bias=False))
    x = net.activation(net.add(before, y) if shortcut else y, function)
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
