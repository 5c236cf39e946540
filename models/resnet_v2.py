"""Residual networks, version 2 (He et al. 2016, "Identity mappings"): normalization and ReLU before convolutions."""

from models.keras_writer import Network, Symbol


def build_resnet_v2(name: str, repeats: tuple[int, ...], input_shape: tuple[int, ...], classes: int) -> Network:
    """As keras.applications has them: stages of bottleneck blocks, stride 2 in the last block of all but the last."""
    net = Network(name)

    def act(x: Symbol) -> Symbol:
        return net.relu(net.batch_norm(x, epsilon=1.001e-5))

    x = net.conv(net.pad(net.input(input_shape), ((3, 3), (3, 3))), 64, 7, 2, padding="valid")
    x = net.pool(net.pad(x, ((1, 1), (1, 1))), "Max", 3, 2)
    for stage, count in enumerate(repeats):
        width = 64 << stage
        for i in range(count):
            stride = 2 if i == count - 1 and stage < len(repeats) - 1 else 1
            before = act(x)
            if i == 0:
                shortcut = net.conv(before, 4 * width, 1, stride)
            else:
                shortcut = net.pool(x, "Max", 1, stride) if stride > 1 else x
            y = net.pad(act(net.conv(before, width, 1, bias=False)), ((1, 1), (1, 1)))
            y = act(net.conv(y, width, 3, stride, padding="valid", bias=False))
            x = net.add(shortcut, net.conv(y, 4 * width, 1))
    net.output(net.dense(net.global_average(act(x)), classes, activation="softmax"))
    return net
