"""Inception v4 (Szegedy et al. 2017, figures 3 to 9): 12.3 GMAC at 299x299, 42.7 million parameters."""

from models.keras_writer import Network, Symbol


def build(input_shape: tuple[int, ...] = (299, 299, 3), classes: int = 1001) -> Network:
    """Stem, four 35x35 blocks, seven 17x17 blocks, three 8x8 blocks, the reductions between them."""
    net = Network("inception_v4")

    def unit(x: Symbol, filters: int, kernel: int | tuple[int, int], stride: int = 1, padding: str = "same") -> Symbol:
        return net.relu(net.batch_norm(net.conv(x, filters, kernel, stride, padding, bias=False)))

    def narrow(x: Symbol, filters: int) -> Symbol:
        return unit(x, filters, 3, 2, "valid")

    def pooled(x: Symbol, filters: int) -> Symbol:
        return unit(net.pool(x, "Average", 3, 1, "same"), filters, 1)

    x = unit(unit(narrow(net.input(input_shape), 32), 32, 3, 1, "valid"), 64, 3)
    x = net.concatenate(net.pool(x, "Max", 3, 2), narrow(x, 96))
    seven = unit(unit(unit(x, 64, 1), 64, (1, 7)), 64, (7, 1))
    x = net.concatenate(unit(unit(x, 64, 1), 96, 3, 1, "valid"), unit(seven, 96, 3, 1, "valid"))
    x = net.concatenate(narrow(x, 192), net.pool(x, "Max", 3, 2))
    for _ in range(4):
        double = unit(unit(unit(x, 64, 1), 96, 3), 96, 3)
        x = net.concatenate(unit(x, 96, 1), unit(unit(x, 64, 1), 96, 3), double, pooled(x, 96))
    double = narrow(unit(unit(x, 192, 1), 224, 3), 256)
    x = net.concatenate(narrow(x, 384), double, net.pool(x, "Max", 3, 2))
    for _ in range(7):
        seven = unit(unit(unit(x, 192, 1), 224, (1, 7)), 256, (7, 1))
        twice = unit(unit(unit(x, 192, 1), 192, (7, 1)), 224, (1, 7))
        twice = unit(unit(twice, 224, (7, 1)), 256, (1, 7))
        x = net.concatenate(unit(x, 384, 1), seven, twice, pooled(x, 128))
    seven = unit(unit(unit(x, 256, 1), 256, (1, 7)), 320, (7, 1))
    x = net.concatenate(narrow(unit(x, 192, 1), 192), narrow(seven, 320), net.pool(x, "Max", 3, 2))
    for _ in range(3):
        three = unit(x, 384, 1)
        twice = unit(unit(unit(x, 384, 1), 448, (3, 1)), 512, (1, 3))
        split = [unit(y, 256, kernel) for y in (three, twice) for kernel in ((1, 3), (3, 1))]
        x = net.concatenate(unit(x, 256, 1), *split, pooled(x, 256))
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
