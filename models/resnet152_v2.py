"""ResNet-152 version 2: layer for layer the network of keras.applications."""

from models.keras_writer import Network
from models.resnet_v2 import build_resnet_v2


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """3, 8, 36 and 3 bottleneck blocks."""
    return build_resnet_v2("resnet152_v2", (3, 8, 36, 3), input_shape, classes)
