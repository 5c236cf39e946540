"""Dense blocks: every layer reads all that came before it in its block (Huang et al. 2017, table 1)."""

from models.keras_writer import Network, Symbol


def build_densenet(
    name: str,
    repeats: tuple[int, ...],
    input_shape: tuple[int, ...],
    classes: int,
    bottleneck: bool = True,
    growth: int = 32,
) -> Network:
    """Transitions halve channels and size. `bottleneck`: a 1x1 convolution to 4 * growth channels before each 3x3."""
    net = Network(name)

    def act(x: Symbol) -> Symbol:
        return net.relu(net.batch_norm(x, epsilon=1.001e-5))

    x = act(net.conv(net.pad(net.input(input_shape), ((3, 3), (3, 3))), 64, 7, 2, "valid", bias=False))
    x = net.pool(net.pad(x, ((1, 1), (1, 1))), "Max", 3, 2)
    for stage, layers in enumerate(repeats):
        for _ in range(layers):
            y = act(x)
            if bottleneck:
                y = act(net.conv(y, 4 * growth, 1, bias=False))
            x = net.concatenate(x, net.conv(y, growth, 3, bias=False))
        if stage < len(repeats) - 1:
            x = net.pool(net.conv(act(x), x.shape[2] // 2, 1, bias=False), "Average", 2, 2)
    net.output(net.dense(net.global_average(act(x)), classes, activation="softmax"))
    return net
