"""Autoencoder of MLPerf Tiny anomaly detection: 264,192 MACs."""

from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (640,)) -> Network:
    """640 - 4 x 128 - 8 - 4 x 128 - 640, each hidden layer with batch normalization and ReLU."""
    net = Network("autoencoder")
    x = net.input(input_shape, "input_1")
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = net.activation(net.batch_norm(net.dense(x, units)), "relu")
    net.output(net.dense(x, input_shape[0]))
    return net
