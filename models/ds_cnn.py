"""DS-CNN of MLPerf Tiny keyword spotting: 2,656,768 MACs."""

from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (49, 10, 1), classes: int = 12) -> Network:
    """A 10x4 convolution of stride 2, four depthwise-separable blocks of 64 channels, average pool, classifier."""
    net = Network("ds_cnn")
    x = net.conv(net.input(input_shape, "input_1"), 64, (10, 4), (2, 2))
    x = net.dropout(net.activation(net.batch_norm(x), "relu"), 0.2)
    for _ in range(4):
        x = net.activation(net.batch_norm(net.depthwise(x, 3, bias=True)), "relu")
        x = net.activation(net.batch_norm(net.conv(x, 64, 1)), "relu")
    x = net.pool(net.dropout(x, 0.4), "Average", (x.shape[0], x.shape[1]))
    net.output(net.dense(net.flatten(x), classes, activation="softmax"))
    return net
