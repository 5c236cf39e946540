"""What changes in the training process, not in the rule: teachers, and few bits in training itself."""

from __future__ import annotations

from typing import Any

from models.methods.method import Method, Real, behind_relu, clipping
from refq.quantizers.learning import Lsq, SignWeights, clipped
from refq.training import half, half_slopes, integer_slopes

_LSQ2: dict[str, Any] = {"weights": Lsq(bits=2), "activations": behind_relu(2)}
_SAME = Real(width=32)
"""A teacher that has seen the very images the student learns from."""
_TEACHER = Real(width=32, shifted=True)
_BNN: dict[str, Any] = {"weights": SignWeights(), "sign": clipped}
_HINTS = {"activation_1": "activation_1"}
PROCESS: dict[str, Method] = {
    "LSQ, distillation": Method(bits="2 / 2", rules=_LSQ2, teachers=(_TEACHER,), lesson={"temperature": 2.0}),
    "LSQ, distillation, teacher of the same images": Method(
        bits="2 / 2", rules=_LSQ2, teachers=(_SAME,), lesson={"temperature": 2.0}
    ),
    "LSQ, two teachers": Method(
        bits="2 / 2", rules=_LSQ2, teachers=(_TEACHER, Real(shifted=True)), lesson={"temperature": 2.0}
    ),
    "LSQ, self-distillation": Method(bits="2 / 2", rules=_LSQ2, teachers=(Real(),), lesson={"temperature": 2.0}),
    "LSQ, self-distillation and features": Method(
        bits="2 / 2", rules=_LSQ2, teachers=(Real(),), lesson={"temperature": 2.0, "features": _HINTS}
    ),
    "LSQ, distillation and attention": Method(
        bits="2 / 2",
        rules=_LSQ2,
        teachers=(_TEACHER,),
        lesson={"temperature": 2.0, "features": _HINTS, "attention": True},
    ),
    "BNN, distillation": Method(
        bits="1 / 1", rules=_BNN, more=clipping, unit=True, teachers=(_SAME,), lesson={"temperature": 4.0}
    ),
    "INT8 training": Method(bits="8 / 8", network={"slopes": integer_slopes(8)}),
    "half precision training": Method(bits="8 / 8", network={"slopes": half_slopes(), "storage": half}),
}
