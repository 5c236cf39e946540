"""MobileNetV1 x0.25 of MLPerf Tiny visual wake words: 7,489,664 MACs."""

from models import mobilenet_v1
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (96, 96, 3), classes: int = 2) -> Network:
    """Width 0.25, two classes; convolutions keep their biases, as in the reference model."""
    return mobilenet_v1.build(input_shape, classes, alpha=0.25, name="mobilenet_v1_025_96", bias=True)
