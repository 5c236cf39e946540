"""ResNet-101 (He et al. 2016, table 1): layer for layer the network of keras.applications."""

from models.keras_writer import Network
from models.resnet import build_resnet


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """3, 4, 23 and 3 bottleneck blocks."""
    return build_resnet("resnet101", (3, 4, 23, 3), True, input_shape, classes)
