"""Inception-ResNet v2 (Szegedy et al. 2017, figures 3 and 10 to 18): 13.2 GMAC at 299x299, 55.8 million parameters."""

from models.keras_writer import Network, Symbol


def build(input_shape: tuple[int, ...] = (299, 299, 3), classes: int = 1001) -> Network:
    """The stem of Inception v3 and one of its blocks, then 10, 20 and 10 residual blocks with reductions between them.

    The scale of a residual is part of its last convolution.
    """
    net = Network("inception_resnet_v2")

    def unit(x: Symbol, filters: int, kernel: int | tuple[int, int], stride: int = 1, padding: str = "same") -> Symbol:
        return net.relu(net.batch_norm(net.conv(x, filters, kernel, stride, padding, bias=False)))

    def narrow(x: Symbol, filters: int) -> Symbol:
        return unit(x, filters, 3, 2, "valid")

    def residual(x: Symbol, *branches: Symbol, active: bool = True) -> Symbol:
        x = net.add(x, net.conv(net.concatenate(*branches), x.shape[2], 1))
        return net.relu(x) if active else x

    x = unit(unit(narrow(net.input(input_shape), 32), 32, 3, 1, "valid"), 64, 3)
    x = unit(unit(net.pool(x, "Max", 3, 2), 80, 1, 1, "valid"), 192, 3, 1, "valid")
    x = net.pool(x, "Max", 3, 2)
    double = unit(unit(unit(x, 64, 1), 96, 3), 96, 3)
    pooled = unit(net.pool(x, "Average", 3, 1, "same"), 64, 1)
    x = net.concatenate(unit(x, 96, 1), unit(unit(x, 48, 1), 64, 5), double, pooled)
    for _ in range(10):
        double = unit(unit(unit(x, 32, 1), 48, 3), 64, 3)
        x = residual(x, unit(x, 32, 1), unit(unit(x, 32, 1), 32, 3), double)
    double = narrow(unit(unit(x, 256, 1), 256, 3), 384)
    x = net.concatenate(narrow(x, 384), double, net.pool(x, "Max", 3, 2))
    for _ in range(20):
        seven = unit(unit(unit(x, 128, 1), 160, (1, 7)), 192, (7, 1))
        x = residual(x, unit(x, 192, 1), seven)
    branches = narrow(unit(x, 256, 1), 384), narrow(unit(x, 256, 1), 288)
    double = narrow(unit(unit(x, 256, 1), 288, 3), 320)
    x = net.concatenate(*branches, double, net.pool(x, "Max", 3, 2))
    for place in range(10):
        three = unit(unit(unit(x, 192, 1), 224, (1, 3)), 256, (3, 1))
        x = residual(x, unit(x, 192, 1), three, active=place < 9)
    net.output(net.dense(net.global_average(unit(x, 1536, 1)), classes, activation="softmax"))
    return net
