"""Layers that keras.applications defines for its own networks."""

from __future__ import annotations

import numpy as np

from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import converts


@converts("LayerScale")
def layer_scale(builder: Builder, call: Call) -> Tensor:
    """x * gamma (ConvNeXt)."""
    gamma = builder.weight(call, 0, "gamma", (int(call.config["projection_dim"]),))
    return builder.emit("Multiply", call.name, [call.x, gamma])


@converts("CustomScaleLayer")
def custom_scale(builder: Builder, call: Call) -> Tensor:
    """a + scale * b (Inception-ResNet v2)."""
    a, b = call.inputs
    scale = builder.constant(f"{call.layer}/scale", np.float32(call.config["scale"]))
    scaled = builder.emit("Multiply", f"{call.name}/scaled", [b, scale])
    return builder.emit("Add", call.name, [a, scaled])


@converts("StochasticDepth")
def stochastic_depth(builder: Builder, call: Call) -> Tensor:
    return call.x
