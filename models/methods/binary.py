"""One bit: binary weights, and binary weights with activations that are signs, sums of signs or ternary."""

from __future__ import annotations

from models.methods.method import Method, Real, clipping, drawing
from refq.quantizers import ABCWeights
from refq.quantizers.learning import (
    FittedLevelWeights,
    InformationRetentionWeights,
    LossAwareSignWeights,
    ScaledSignWeights,
    SignWeights,
    StochasticSign,
    TernaryActivations,
    clipped,
    error_decay,
    polynomial,
    sign_swish,
    target_propagation,
    within,
)
from refq.training import residual_signs, scaled_signs, shifted_signs, without_relu

BINARY: dict[str, Method] = {
    "BinaryConnect": Method(bits="1 / 8", rules={"weights": SignWeights()}, more=clipping, unit=True),
    "BinaryConnect, drawn": Method(
        bits="1, deployed 8 / 8",
        rules={"weights": SignWeights(stochastic=True, deployed="reals")},
        more=drawing,
        unit=True,
    ),
    "BinaryConnect, drawn, signs deployed": Method(
        bits="1 / 8", rules={"weights": SignWeights(stochastic=True)}, more=drawing, unit=True
    ),
    "BWN": Method(bits="1 / 8", rules={"weights": ScaledSignWeights()}),
    "LAB": Method(bits="1 / 8", rules={"weights": LossAwareSignWeights()}),
    "BNN": Method(bits="1 / 1", rules={"weights": SignWeights(), "sign": clipped}, more=clipping, unit=True),
    "XNOR-Net": Method(bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": clipped}),
    "XNOR-Net, map of scales": Method(
        bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": clipped, "inputs": scaled_signs}
    ),
    "HORQ": Method(
        bits="1 / 2 x 1", rules={"weights": ScaledSignWeights(), "sign": clipped, "inputs": residual_signs(order=2)}
    ),
    "ABC-Net activations, 1 base": Method(
        bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": within(0.5), "inputs": shifted_signs(bases=1)}
    ),
    "ABC-Net activations, 3 bases": Method(
        bits="1 / 3 x 1", rules={"weights": ScaledSignWeights(), "sign": within(0.5), "inputs": shifted_signs(bases=3)}
    ),
    "ABC-Net, 3 and 3 bases": Method(
        bits="3 x 1 / 3 x 1",
        rules={
            "weights": FittedLevelWeights(levels=ABCWeights(bits=3)),
            "sign": within(0.5),
            "inputs": shifted_signs(bases=3),
        },
    ),
    "TBN": Method(
        bits="1 / 2",
        rules={"weights": ScaledSignWeights(), "activations": TernaryActivations(), "inputs": without_relu},
    ),
    "BNN+": Method(bits="1 / 1", rules={"weights": ScaledSignWeights(estimator=sign_swish()), "sign": sign_swish()}),
    "Bi-Real": Method(
        bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": polynomial}, start=Real(shortcut=True)
    ),
    "IR-Net": Method(bits="1 / 1", rules={"weights": InformationRetentionWeights(), "sign": error_decay()}),
    "stochastic neurons, straight through": Method(
        bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": StochasticSign(estimator=clipped, steepness=4.0)}
    ),
    "stochastic neurons, unbiased": Method(  # averages from the start: batch statistics would tie samples together
        bits="1 / 1",
        rules={"weights": ScaledSignWeights(), "sign": StochasticSign(steepness=4.0), "frozen_statistics": 0.0},
    ),
    "target propagation": Method(
        bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": target_propagation(weighted=True)}
    ),
}
