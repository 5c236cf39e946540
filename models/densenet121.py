"""DenseNet-121 (Huang et al. 2017, table 1): 2.8 GMAC at 224x224, 8.0 million parameters."""

from models.keras_writer import Network, Symbol


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000, growth: int = 32) -> Network:
    """Dense blocks of 6, 12, 24 and 16 layers; transitions halve channels and size."""
    net = Network("densenet121")

    def act(x: Symbol) -> Symbol:
        return net.relu(net.batch_norm(x, epsilon=1.001e-5))

    x = act(net.conv(net.pad(net.input(input_shape), ((3, 3), (3, 3))), 64, 7, 2, "valid", bias=False))
    x = net.pool(net.pad(x, ((1, 1), (1, 1))), "Max", 3, 2)
    for stage, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            y = net.conv(act(x), 4 * growth, 1, bias=False)
            x = net.concatenate(x, net.conv(act(y), growth, 3, bias=False))
        if stage < 3:
            x = net.pool(net.conv(act(x), x.shape[2] // 2, 1, bias=False), "Average", 2, 2)
    net.output(net.dense(net.global_average(act(x)), classes, activation="softmax"))
    return net
