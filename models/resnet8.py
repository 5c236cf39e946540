"""ResNet-8 of MLPerf Tiny image classification (CIFAR-10): 12,501,632 MACs."""

from models.keras_writer import Network, Symbol


def build(input_shape: tuple[int, ...] = (32, 32, 3), classes: int = 10) -> Network:
    """Three residual stages of 16, 32 and 64 channels; layer names as in the reference model."""
    net = Network("resnet8")

    def conv_norm(x: Symbol, filters: int, kernel: int, stride: int) -> Symbol:
        return net.batch_norm(net.conv(x, filters, kernel, stride))

    x = net.activation(conv_norm(net.input(input_shape, "input_1"), 16, 3, 1), "relu")
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = net.activation(conv_norm(x, filters, 3, stride), "relu")
        y = conv_norm(y, filters, 3, 1)
        shortcut = x if stride == 1 else net.conv(x, filters, 1, stride)
        x = net.activation(net.add(shortcut, y), "relu")
    x = net.pool(x, "Average", (x.shape[0], x.shape[1]))
    net.output(net.dense(net.flatten(x), classes, activation="softmax"))
    return net
