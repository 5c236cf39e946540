"""EfficientNet-Lite0: 4.7 million parameters, 224x224."""

from models import efficientnet_lite
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """Width 1.0, depth 1.0."""
    return efficientnet_lite.build(input_shape, classes, 0)
