"""Weights that reach their grid by and by, in part, or by a penalty."""

from __future__ import annotations

from models.methods.method import Method, grid
from refq.quantizers.learning import (
    Blended,
    Latent,
    QuantizationNoise,
    Relaxed,
    SoftSteps,
    StraightThrough,
    WaveWeights,
)
from refq.training import proximal, sinusoidal, sinusoidal_widths

GRADUAL: dict[str, Method] = {
    "alpha-blending": Method(bits="2 / 8", rules={"weights": Blended(rule=StraightThrough(grid=grid(2)))}),
    "quantization noise": Method(
        bits="4 / 8", rules={"weights": QuantizationNoise(rule=StraightThrough(grid=grid(4)))}
    ),
    "soft quantization": Method(bits="4 / 8", rules={"weights": SoftSteps(bits=4)}),
    "soft quantization, activations too": Method(
        bits="2 / 2", rules={"weights": SoftSteps(bits=2), "activations": SoftSteps(bits=2)}
    ),
    "relaxed quantization": Method(bits="2 / 8", rules={"weights": Relaxed(bits=2)}),
    "ProxQuant": Method(
        bits="2 / 8",
        rules={"weights": Latent(rule=StraightThrough(grid=grid(2)))},
        more=lambda network: {"project": proximal(network, 2e-2)},
    ),
    "SinReQ": Method(
        bits="4 / 8",
        rules={"weights": Latent(rule=StraightThrough(grid=grid(4)))},
        more=lambda network: {"penalty": sinusoidal(network, 1e-3)},
    ),
    "WaveQ": Method(
        bits="learned / 8",
        rules={"weights": WaveWeights(pace=8.0)},
        more=lambda network: {"penalty": sinusoidal_widths(network, 3e-4, 0.1)},
        unit=True,
    ),
}
