"""Quantizers with gradients: what training learns besides weights, one method a file."""

from refq.quantizers.learning.binary import InformationRetentionWeights, ScaledSignWeights, SignWeights
from refq.quantizers.learning.dorefa import DoReFaWeights, UnitActivations, WrpnWeights, quantize_gradient
from refq.quantizers.learning.estimators import (
    clipped,
    error_decay,
    identity,
    polynomial,
    sign_swish,
    target_propagation,
    within,
)
from refq.quantizers.learning.fitted import FittedLevelWeights
from refq.quantizers.learning.gradual import Blended, Latent, QuantizationNoise
from refq.quantizers.learning.loss_aware import LossAwareSignWeights, LossAwareTernaryWeights
from refq.quantizers.learning.lsq import Lsq, LsqPlus
from refq.quantizers.learning.pact import Pact
from refq.quantizers.learning.protocol import Learned, Moment, Pull, Trainable
from refq.quantizers.learning.qil import QilWeights
from refq.quantizers.learning.relaxed import Relaxed
from refq.quantizers.learning.soft_steps import SoftSteps
from refq.quantizers.learning.stochastic import StochasticSign
from refq.quantizers.learning.straight_through import Averaged, StraightThrough
from refq.quantizers.learning.ternary import TernaryActivations, TernaryWeights, TrainedTernaryWeights
from refq.quantizers.learning.wave import WaveWeights

__all__ = [
    "Averaged",
    "Blended",
    "DoReFaWeights",
    "FittedLevelWeights",
    "InformationRetentionWeights",
    "Latent",
    "Learned",
    "LossAwareSignWeights",
    "LossAwareTernaryWeights",
    "Lsq",
    "LsqPlus",
    "Moment",
    "Pact",
    "Pull",
    "QilWeights",
    "QuantizationNoise",
    "Relaxed",
    "ScaledSignWeights",
    "SignWeights",
    "SoftSteps",
    "StochasticSign",
    "StraightThrough",
    "TernaryActivations",
    "TernaryWeights",
    "Trainable",
    "TrainedTernaryWeights",
    "UnitActivations",
    "WaveWeights",
    "WrpnWeights",
    "clipped",
    "error_decay",
    "identity",
    "polynomial",
    "quantize_gradient",
    "sign_swish",
    "target_propagation",
    "within",
]
