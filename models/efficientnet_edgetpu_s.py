"""EfficientNet-EdgeTPU-S: width 1.0, depth 1.0, 224x224."""

from models import efficientnet_edgetpu
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1001) -> Network:
    """Width 1.0, depth 1.0."""
    return efficientnet_edgetpu.build(input_shape, classes, 1.0, 1.0, "efficientnet_edgetpu_s")
