"""Inception v2 (Ioffe and Szegedy 2015, figure 5), with a separable first layer: 11.2 million parameters at 224x224."""

from models.keras_writer import Network, Symbol

_STAGES = (
    ((64, 64, 64, 64, 96, 32), (64, 64, 96, 64, 96, 64)),
    (
        (224, 64, 96, 96, 128, 128),
        (192, 96, 128, 96, 128, 128),
        (160, 128, 160, 128, 160, 96),
        (96, 128, 192, 160, 192, 96),
    ),
    ((352, 192, 320, 160, 224, 128), (352, 192, 320, 192, 224, 128)),
)
"""Filters: 1x1; 3x3 reduction, 3x3; double 3x3 reduction, both 3x3; pool projection."""
_REDUCTIONS = ((128, 160, 64, 96), (128, 192, 192, 256))
"""Filters of the strided blocks between the stages: 3x3 reduction, 3x3; double 3x3 reduction, both 3x3."""


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1001) -> Network:
    """Stem, ten blocks in three stages; the last block pools by maximum, the others by average."""
    net = Network("inception_v2")

    def unit(x: Symbol, filters: int, kernel: int, stride: int = 1) -> Symbol:
        return net.relu(net.batch_norm(net.conv(x, filters, kernel, stride, bias=False)))

    def double(x: Symbol, reduce: int, filters: int, stride: int = 1) -> Symbol:
        return unit(unit(unit(x, reduce, 1), filters, 3), filters, 3, stride)

    x = net.depthwise(net.input(input_shape), 7, 2, multiplier=8)
    x = net.pool(unit(x, 64, 1), "Max", 3, 2, "same")
    x = net.pool(unit(unit(x, 64, 1), 192, 3), "Max", 3, 2, "same")
    for stage, blocks in enumerate(_STAGES):
        for place, (one, reduce3, three, reduce33, twice, project) in enumerate(blocks):
            last = stage == len(_STAGES) - 1 and place == len(blocks) - 1
            pooled = net.pool(x, "Max" if last else "Average", 3, 1, "same")
            branches = (unit(x, one, 1), unit(unit(x, reduce3, 1), three, 3), double(x, reduce33, twice))
            x = net.concatenate(*branches, unit(pooled, project, 1))
        if stage < len(_REDUCTIONS):
            reduce3, three, reduce33, twice = _REDUCTIONS[stage]
            strided = unit(unit(x, reduce3, 1), three, 3, 2), double(x, reduce33, twice, 2)
            x = net.concatenate(*strided, net.pool(x, "Max", 3, 2, "same"))
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
