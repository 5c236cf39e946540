"""EfficientNet-Lite0 ... 4 (Google 2020): EfficientNet without squeeze-and-excitation, with ReLU6."""

from models.inverted_residuals import Stage, build_inverted_residuals, deepened
from models.keras_writer import Network

_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
_VARIANTS = ((1.0, 1.0, 224), (1.0, 1.1, 240), (1.1, 1.2, 260), (1.2, 1.4, 280), (1.4, 1.8, 300))
"""Width, depth, input size."""


def build(input_shape: tuple[int, ...] | None = None, classes: int = 1000, variant: int = 0) -> Network:
    """Stem and head are the same in all variants."""
    width, depth, size = _VARIANTS[variant]
    stages = deepened(_STAGES, width, depth)
    shape = input_shape or (size, size, 3)
    return build_inverted_residuals(f"efficientnet_lite{variant}", stages, shape, classes)
