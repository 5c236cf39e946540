"""MnasNet-B1 (Tan et al. 2019): 315 MMAC at 224x224, 4.4 million parameters."""

from models.inverted_residuals import Stage, build_inverted_residuals, deepened, scaled
from models.keras_writer import Network

_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(3, 3, 2, 3, 24),
    Stage(3, 5, 2, 3, 40),
    Stage(3, 5, 2, 6, 80),
    Stage(2, 3, 1, 6, 96),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1001, alpha: float = 1.0) -> Network:
    """`alpha` scales every width but the last."""
    stages = deepened(_STAGES, alpha, 1.0)
    return build_inverted_residuals("mnasnet", stages, input_shape, classes, scaled(32, alpha), limit=None)
