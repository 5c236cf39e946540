"""Share of zeros among the inputs and outputs of every layer, where a device skips or codes them.

A workload may state the share of a layer's input, padding included, as chips count it. Where it does not, pictures (up
to 4 channels) have none and a network of rectifiers grows them with its depth: d from 0, the first convolution, to 1,
the last one and all dense layers,

    zeros(d) = deepest * (1 + 2 d) / 3

The outputs of a layer are what the next layer with products reads, less its padding; a pooling window k x k between
them, k <= 3, keeps a zero where k independent values are zero: zeros ** (1 / k). Both rules follow the published tables
of AlexNet and VGG-16 (Chen et al., JSSC 2017).
"""

from __future__ import annotations

import numpy as np

from hwsim.engines.base import Floats, Layers
from hwsim.mapping.row_mapping import PICTURE_CHANNELS

_LARGEST_POOL = 3


def shares(layers: Layers, deepest: float) -> tuple[Floats, Floats]:
    """Zeros of the inputs and of the outputs of every layer, from 0 to 1."""
    count = len(layers)
    products = np.isin(layers.kind, ("mac", "depthwise"))
    inputs = np.where(products, _usual(layers, products, deepest), 0.0)
    inputs = np.where(np.isnan(layers.zeros), inputs, layers.zeros)
    outputs = np.zeros(count)
    following, side = deepest, 1
    for i in range(count - 1, -1, -1):
        outputs[i] = following ** (1 / side)
        if products[i]:
            padded = padded_inputs(layers, i)
            following, side = 1 - min(1.0, (1 - inputs[i]) * padded / max(1, int(layers.inputs[i]))), 1
        elif layers.kind[i] == "pool" and layers.FX[i] <= _LARGEST_POOL:
            side = max(side, int(layers.FX[i]))
        if not products[i] and i and np.isnan(layers.zeros[i]):
            inputs[i] = following ** (1 / side)
    return inputs, outputs


def padded_inputs(layers: Layers, i: int) -> int:
    """Elements of a layer's input with its padding, those that no window reaches left out."""
    tall = (int(layers.OY[i]) - 1) * int(layers.SY[i]) + int(layers.FY[i])
    wide = (int(layers.OX[i]) - 1) * int(layers.SX[i]) + int(layers.FX[i])
    channels = int(layers.K[i]) // max(1, int(layers.window[i])) * int(layers.groups[i])
    return int(layers.images[i]) * channels * tall * wide


def _usual(layers: Layers, products: np.ndarray, deepest: float) -> Floats:
    over_pixels = products & (layers.OY * layers.OX > 1)
    place, last = np.cumsum(over_pixels) - 1, max(1, int(over_pixels.sum()) - 1)
    depth = np.where(over_pixels, place / last, 1.0)
    channels = layers.K // np.maximum(layers.window, 1) * layers.groups
    return np.where(channels > PICTURE_CHANNELS, deepest * (1 + 2 * depth) / 3, 0.0)
