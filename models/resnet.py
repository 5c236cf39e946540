"""Residual networks for ImageNet (He et al. 2016, table 1), version 1."""

from models.keras_writer import Network, Symbol


def build_resnet(
    name: str, repeats: tuple[int, ...], bottleneck: bool, input_shape: tuple[int, ...], classes: int
) -> Network:
    """A 7x7 convolution, a pool, four stages of residual blocks; stride 2 in the first convolution of a stage."""
    net = Network(name)

    def conv_norm(x: Symbol, filters: int, kernel: int, stride: int = 1) -> Symbol:
        return net.batch_norm(net.conv(x, filters, kernel, stride), epsilon=1.001e-5)

    x = net.pad(net.input(input_shape), ((3, 3), (3, 3)))
    x = net.batch_norm(net.conv(x, 64, 7, 2, padding="valid"), epsilon=1.001e-5)
    x = net.pool(net.pad(net.relu(x), ((1, 1), (1, 1))), "Max", 3, 2)
    for stage, count in enumerate(repeats):
        width = 64 << stage
        out = 4 * width if bottleneck else width
        for i in range(count):
            stride = 2 if i == 0 and stage > 0 else 1
            shortcut = conv_norm(x, out, 1, stride) if stride > 1 or x.shape[2] != out else x
            if bottleneck:
                y = net.relu(conv_norm(x, width, 1, stride))
                y = net.relu(conv_norm(y, width, 3))
                y = conv_norm(y, out, 1)
            else:
                y = conv_norm(net.relu(conv_norm(x, width, 3, stride)), width, 3)
            x = net.relu(net.add(shortcut, y))
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
