"""MobileNet-EdgeTPU (Gupta and Akin 2020), V3_EDGETPU of TF-slim: 0.99 GMAC at 224x224, 4.1 million parameters."""

from models.inverted_residuals import Stage, build_inverted_residuals
from models.keras_writer import Network

_STAGES = (
    Stage(1, 3, 1, 1, 16, fused=True),
    Stage(1, 3, 2, 8, 32, fused=True),
    Stage(3, 3, 1, 4, 32, fused=True),
    Stage(1, 3, 2, 8, 48, fused=True),
    Stage(3, 3, 1, 4, 48, fused=True),
    Stage(1, 3, 2, 8, 96),
    Stage(3, 3, 1, 4, 96),
    Stage(1, 3, 1, 8, 96, residual=False),
    Stage(3, 3, 1, 4, 96),
    Stage(1, 5, 2, 8, 160),
    Stage(3, 5, 1, 4, 160),
    Stage(1, 3, 1, 8, 192),
)


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1001) -> Network:
    """Fused blocks down to 28x28, depthwise ones below; ReLU."""
    return build_inverted_residuals("mobilenet_edgetpu", _STAGES, input_shape, classes, limit=None)
