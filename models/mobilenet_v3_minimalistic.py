"""MobileNetV3-Large minimalistic (TF-slim): no squeeze-and-excitation, ReLU, 3x3 kernels only; 209 MMAC at 224x224."""

from models.inverted_residuals import Stage, build_inverted_residuals
from models.keras_writer import Network

_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(1, 3, 2, 4, 24),
    Stage(1, 3, 1, 3, 24),
    Stage(1, 3, 2, 3, 40),
    Stage(2, 3, 1, 3, 40),
    Stage(1, 3, 2, 6, 80),
    Stage(1, 3, 1, 2.5, 80),
    Stage(2, 3, 1, 2.3, 80),
    Stage(2, 3, 1, 6, 112),
    Stage(1, 3, 2, 6, 160),
    Stage(2, 3, 1, 6, 160),
)


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1001) -> Network:
    """Expansions of V3_LARGE_MINIMALISTIC; 960 filters before the pool, 1280 units behind it."""
    name = "mobilenet_v3_minimalistic"
    return build_inverted_residuals(name, _STAGES, input_shape, classes, 16, (960, 1280), limit=None)
