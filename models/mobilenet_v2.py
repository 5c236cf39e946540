"""MobileNetV2 (Sandler et al. 2018, table 2): 300,774,272 MACs at width 1, 224x224, 1000 classes."""

from models.inverted_residuals import Stage, build_inverted_residuals, deepened, scaled
from models.keras_writer import Network

_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(3, 3, 2, 6, 32),
    Stage(4, 3, 2, 6, 64),
    Stage(3, 3, 1, 6, 96),
    Stage(3, 3, 2, 6, 160),
    Stage(1, 3, 1, 6, 320),
)


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000, alpha: float = 1.0) -> Network:
    """`alpha` scales every width, to multiples of 8; the last convolution is not narrowed. Padding "same"."""
    stages, head = deepened(_STAGES, alpha, 1.0), max(1280, scaled(1280, alpha))
    return build_inverted_residuals("mobilenet_v2", stages, input_shape, classes, scaled(32, alpha), (head,))
