"""QuickNetSmall: half the filters in the first two sections."""

from models import quicknet
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """Sections of 32, 64, 256 and 512 filters."""
    return quicknet.build(input_shape, classes, filters=(32, 64, 256, 512), name="quicknet_small")
