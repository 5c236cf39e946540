"""VGG-16, configuration D (Simonyan and Zisserman 2015, table 1)."""

from models.keras_writer import Network


def build(
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    counts: tuple[int, ...] = (2, 2, 3, 3, 3),
    name: str = "vgg16",
) -> Network:
    """Thirteen 3x3 convolutions in five groups of `counts`, three dense layers."""
    net = Network(name)
    x = net.input(input_shape)
    for filters, count in zip((64, 128, 256, 512, 512), counts, strict=True):
        for _ in range(count):
            x = net.conv(x, filters, 3, activation="relu")
        x = net.pool(x, "Max", 2)
    x = net.flatten(x)
    x = net.dense(net.dense(x, 4096, activation="relu"), 4096, activation="relu")
    net.output(net.dense(x, classes, activation="softmax"))
    return net
