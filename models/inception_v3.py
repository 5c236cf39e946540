"""Inception v3 (Szegedy et al. 2016): 5.7 GMAC at 299x299, 23.8 million parameters."""

from models.keras_writer import Network, Symbol


def build(input_shape: tuple[int, ...] = (299, 299, 3), classes: int = 1001) -> Network:
    """Stem, three 35x35 blocks, four 17x17 blocks of 7-wide factors, two 8x8 blocks, the reductions between them."""
    net = Network("inception_v3")

    def unit(x: Symbol, filters: int, kernel: int | tuple[int, int], stride: int = 1, padding: str = "same") -> Symbol:
        return net.relu(net.batch_norm(net.conv(x, filters, kernel, stride, padding, bias=False)))

    def pooled(x: Symbol, filters: int) -> Symbol:
        return unit(net.pool(x, "Average", 3, 1, "same"), filters, 1)

    x = unit(net.input(input_shape), 32, 3, 2, "valid")
    x = unit(unit(x, 32, 3, 1, "valid"), 64, 3)
    x = net.pool(x, "Max", 3, 2)
    x = unit(unit(x, 80, 1, 1, "valid"), 192, 3, 1, "valid")
    x = net.pool(x, "Max", 3, 2)
    for project in (32, 64, 64):
        double = unit(unit(unit(x, 64, 1), 96, 3), 96, 3)
        x = net.concatenate(unit(x, 64, 1), unit(unit(x, 48, 1), 64, 5), double, pooled(x, project))
    double = unit(unit(unit(x, 64, 1), 96, 3), 96, 3, 2, "valid")
    x = net.concatenate(unit(x, 384, 3, 2, "valid"), double, net.pool(x, "Max", 3, 2))
    for width in (128, 160, 160, 192):
        seven = unit(unit(unit(x, width, 1), width, (1, 7)), 192, (7, 1))
        twice = unit(unit(unit(x, width, 1), width, (7, 1)), width, (1, 7))
        twice = unit(unit(twice, width, (7, 1)), 192, (1, 7))
        x = net.concatenate(unit(x, 192, 1), seven, twice, pooled(x, 192))
    three = unit(unit(x, 192, 1), 320, 3, 2, "valid")
    seven = unit(unit(unit(x, 192, 1), 192, (1, 7)), 192, (7, 1))
    x = net.concatenate(three, unit(seven, 192, 3, 2, "valid"), net.pool(x, "Max", 3, 2))
    for _ in range(2):
        three = unit(x, 384, 1)
        three = net.concatenate(unit(three, 384, (1, 3)), unit(three, 384, (3, 1)))
        double = unit(unit(x, 448, 1), 384, 3)
        double = net.concatenate(unit(double, 384, (1, 3)), unit(double, 384, (3, 1)))
        x = net.concatenate(unit(x, 320, 1), three, double, pooled(x, 192))
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
