"""One bit: binary weights, and binary weights with binary activations."""

from __future__ import annotations

from models.methods.method import Method, clipping
from refq.quantizers.learning import (
    InformationRetentionWeights,
    LossAwareSignWeights,
    ScaledSignWeights,
    SignWeights,
    StochasticSign,
    clipped,
    error_decay,
    polynomial,
    sign_swish,
    target_propagation,
)

BINARY: dict[str, Method] = {
    "BinaryConnect": Method(bits="1 / 8", rules={"weights": SignWeights()}, more=clipping, unit=True),
    "BWN": Method(bits="1 / 8", rules={"weights": ScaledSignWeights()}),
    "LAB": Method(bits="1 / 8", rules={"weights": LossAwareSignWeights()}),
    "BNN": Method(bits="1 / 1", rules={"weights": SignWeights(), "sign": clipped}, more=clipping, unit=True),
    "XNOR-Net": Method(bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": clipped}),
    "BNN+": Method(bits="1 / 1", rules={"weights": ScaledSignWeights(estimator=sign_swish()), "sign": sign_swish()}),
    "Bi-Real": Method(bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": polynomial}, shortcut=True),
    "IR-Net": Method(bits="1 / 1", rules={"weights": InformationRetentionWeights(), "sign": error_decay()}),
    "stochastic neurons, straight through": Method(
        bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": StochasticSign(estimator=clipped, steepness=4.0)}
    ),
    "stochastic neurons, unbiased": Method(
        bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": StochasticSign(steepness=4.0)}
    ),
    "target propagation": Method(
        bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": target_propagation(weighted=True)}
    ),
}
