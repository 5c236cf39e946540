"""ResNet-18 (He et al. 2016, table 1)."""

from models.keras_writer import Network
from models.resnet import build_resnet


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """Two basic blocks a stage."""
    return build_resnet("resnet18", (2, 2, 2, 2), False, input_shape, classes)
