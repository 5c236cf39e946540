"""EfficientNet-EdgeTPU-L: width 1.2, depth 1.4, 300x300."""

from models import efficientnet_edgetpu
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (300, 300, 3), classes: int = 1001) -> Network:
    """Width 1.2, depth 1.4."""
    return efficientnet_edgetpu.build(input_shape, classes, 1.2, 1.4, "efficientnet_edgetpu_l")
