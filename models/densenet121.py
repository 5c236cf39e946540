"""DenseNet-121 (Huang et al. 2017, table 1): 2.8 GMAC at 224x224, 8.0 million parameters."""

from models.densenet import build_densenet
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """Dense blocks of 6, 12, 24 and 16 layers."""
    return build_densenet("densenet121", (6, 12, 24, 16), input_shape, classes)
