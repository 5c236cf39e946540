"""QuickNetLarge: twice the blocks."""

from models import quicknet
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """Sections of 6, 8, 12 and 6 blocks."""
    return quicknet.build(input_shape, classes, blocks=(6, 8, 12, 6), name="quicknet_large")
