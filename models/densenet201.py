"""DenseNet-201 (Huang et al. 2017, table 1)."""

from models.densenet import build_densenet
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """Dense blocks of 6, 12, 48 and 32 layers."""
    return build_densenet("densenet201", (6, 12, 48, 32), input_shape, classes)
