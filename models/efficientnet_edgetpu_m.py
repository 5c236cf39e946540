"""EfficientNet-EdgeTPU-M: width 1.0, depth 1.1, 240x240."""

from models import efficientnet_edgetpu
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (240, 240, 3), classes: int = 1001) -> Network:
    """Width 1.0, depth 1.1."""
    return efficientnet_edgetpu.build(input_shape, classes, 1.0, 1.1, "efficientnet_edgetpu_m")
