"""VGG-19, configuration E (Simonyan and Zisserman 2015, table 1)."""

from models import vgg16
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000) -> Network:
    """Sixteen 3x3 convolutions in five groups, three dense layers."""
    return vgg16.build(input_shape, classes, (2, 2, 4, 4, 4), "vgg19")
