"""QuickNet (larq/zoo; Bannink et al., Larq Compute Engine, MLSys 2021): residual blocks of binary 3x3 convolutions."""

from models.keras_writer import Network, Symbol


def build(
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    blocks: tuple[int, ...] = (4, 4, 4, 4),
    filters: tuple[int, ...] = (64, 128, 256, 512),
    name: str = "quicknet",
) -> Network:
    """A stem that shrinks the picture fourfold, sections of binary blocks, real transitions between them."""
    net = Network(name)

    def norm(x: Symbol) -> Symbol:
        return net.batch_norm(x, epsilon=1e-5)

    x = net.conv(net.input(input_shape), filters[0] // 4, 3, 2, bias=False)
    x = net.depthwise(net.relu(net.batch_norm(x)), 3, 2)
    x = net.batch_norm(net.conv(net.batch_norm(x, affine=False), filters[0], 1, bias=False))
    for count, width in zip(blocks, filters, strict=True):
        if x.shape[2] != width:
            x = net.depthwise(net.pool(net.relu(x), "Max", 2, 1), 3, 2)
            x = norm(net.conv(x, width, 1, bias=False))
        for _ in range(count):
            x = net.add(norm(net.binary_conv(x, width, 3, activation="relu")), x)
    x = net.global_average(net.relu(x))
    net.output(net.activation(net.dense(x, classes), "softmax"))
    return net
