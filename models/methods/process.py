"""What changes in the training process, not in the rule: teachers, and few bits in training itself."""

from __future__ import annotations

from typing import Any

from models.methods.method import Method, behind_relu, clipping
from refq.quantizers.learning import Lsq, SignWeights, clipped
from refq.training import half, half_slopes, integer_slopes

_LSQ2: dict[str, Any] = {"weights": Lsq(bits=2), "activations": behind_relu(2)}
PROCESS: dict[str, Method] = {
    "LSQ, distillation": Method(bits="2 / 2", rules=_LSQ2, teacher=True),
    "LSQ, distillation and attention": Method(bits="2 / 2", rules=_LSQ2, teacher=True, features=True),
    "BNN, distillation": Method(
        bits="1 / 1", rules={"weights": SignWeights(), "sign": clipped}, more=clipping, unit=True, teacher=True
    ),
    "INT8 training": Method(bits="8 / 8", network={"slopes": integer_slopes(8)}),
    "half precision training": Method(bits="8 / 8", network={"slopes": half_slopes(), "storage": half}),
}
