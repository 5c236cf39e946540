"""MobileNetV1 (Howard et al. 2017, table 1): 568,740,352 MACs at width 1, 224x224, 1000 classes."""

from models.keras_writer import Network

_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def build(
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    alpha: float = 1.0,
    name: str = "mobilenet_v1",
    bias: bool = False,
) -> Network:
    """A 3x3 convolution and 13 depthwise-separable blocks; `alpha` scales every width. Padding "same" throughout.
    `bias` adds the biases that training code leaves in front of a batch normalization."""
    net = Network(name)
    x = net.conv(net.input(input_shape), int(32 * alpha), 3, 2, bias=bias)
    x = net.relu(net.batch_norm(x), 6.0)
    for filters, stride in _BLOCKS:
        x = net.relu(net.batch_norm(net.depthwise(x, 3, stride, bias=bias)), 6.0)
        x = net.relu(net.batch_norm(net.conv(x, int(filters * alpha), 1, bias=bias)), 6.0)
    net.output(net.dense(net.global_average(x), classes, activation="softmax"))
    return net
