"""Weights on levels that are no arithmetic sequence: several binary bases, sums of powers of two."""

from __future__ import annotations

from models.methods.method import Method
from refq.quantizers import ABCWeights, APoT
from refq.quantizers.learning import FittedLevelWeights

LEVELS: dict[str, Method] = {
    "ABC-Net weights, 1 base": Method(bits="1 / 8", rules={"weights": FittedLevelWeights(levels=ABCWeights(bits=1))}),
    "ABC-Net weights, 3 bases": Method(bits="3 / 8", rules={"weights": FittedLevelWeights(levels=ABCWeights(bits=3))}),
    "APoT weights": Method(bits="4 / 8", rules={"weights": FittedLevelWeights(levels=APoT(bits=4), per_channel=False)}),
}
