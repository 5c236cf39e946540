"""Ternary weights."""

from __future__ import annotations

from models.methods.method import Method
from refq.quantizers.learning import LossAwareTernaryWeights, TernaryWeights, TrainedTernaryWeights

TERNARY: dict[str, Method] = {
    "TWN": Method(bits="2 / 8", rules={"weights": TernaryWeights(per_channel=False)}),
    "TWN, a scale a filter": Method(bits="2 / 8", rules={"weights": TernaryWeights()}),
    "LAT, exact": Method(bits="2 / 8", rules={"weights": LossAwareTernaryWeights()}),
    "LAT, approximate": Method(bits="2 / 8", rules={"weights": LossAwareTernaryWeights(exact=False)}),
    "TTQ": Method(bits="2 / 8", rules={"weights": TrainedTernaryWeights()}),
    "TTQ, half of the weights 0": Method(bits="2 / 8", rules={"weights": TrainedTernaryWeights(sparsity=0.5)}),
}
