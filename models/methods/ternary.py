"""Ternary weights."""

from __future__ import annotations

from models.methods.method import Method
from refq.quantizers.learning import TernaryWeights, TrainedTernaryWeights

TERNARY: dict[str, Method] = {
    "TWN": Method(bits="2 / 8", rules={"weights": TernaryWeights()}),
    "TTQ": Method(bits="2 / 8", rules={"weights": TrainedTernaryWeights()}),
}
