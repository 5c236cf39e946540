"""Inception v1, GoogLeNet (Szegedy et al. 2015, table 1), with batch normalization: 1.5 GMAC at 224x224."""

from models.keras_writer import Network, Symbol

_STAGES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Filters: 1x1; 3x3 reduction, 3x3; second 3x3 reduction, second 3x3 (5x5 in the paper); pool projection."""


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1001) -> Network:
    """Stem, nine blocks in three stages, global pool. The 5x5 branch is 3x3, as in the widely used checkpoints."""
    net = Network("inception_v1")

    def unit(x: Symbol, filters: int, kernel: int, stride: int = 1) -> Symbol:
        return net.relu(net.batch_norm(net.conv(x, filters, kernel, stride, bias=False)))

    x = net.pool(unit(net.input(input_shape), 64, 7, 2), "Max", 3, 2, "same")
    x = net.pool(unit(unit(x, 64, 1), 192, 3), "Max", 3, 2, "same")
    for stage, blocks in enumerate(_STAGES):
        for one, reduce3, three, reduce5, five, project in blocks:
            branches = (
                unit(x, one, 1),
                unit(unit(x, reduce3, 1), three, 3),
                unit(unit(x, reduce5, 1), five, 3),
                unit(net.pool(x, "Max", 3, 1, "same"), project, 1),
            )
            x = net.concatenate(*branches)
        if stage < 2:
            x = net.pool(x, "Max", 3 if stage == 0 else 2, 2, "same")
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
