"""Row-stationary array (Eyeriss): an element keeps a filter row, a set of R x e elements makes e output rows.

    cycles   = max(array, sums / words a cycle) + fill                           hwsim/mapping/row_mapping.py
    off chip = padded inputs * reads * coded + weights * reads + outputs * coded
    coded    = min(1, (1 - zeros) * code ratio)                                  zeros: hwsim/cost/zeros.py

Operands narrower than a word take a whole one. A dense layer is a convolution of one pixel; pooling and elementwise
layers cost an operation a column.
"""

from __future__ import annotations

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.cost.traffic import Traffic
from hwsim.cost.zeros import padded_inputs, shares
from hwsim.engines.base import Cycles, Floats, Layers
from hwsim.mapping.row_mapping import Mapping, Shape, device_of, mapping_of

_WORD_BYTES = 2
_ON_ARRAY = ("mac", "matmul", "depthwise")


def peak_macs_per_cycle(arch: Arch) -> float:
    """One multiply-accumulate a cycle in every element."""
    assert arch.row_stationary is not None
    return arch.row_stationary.rows.value * arch.row_stationary.cols.value


def shape_of(layers: Layers, i: int) -> Shape:
    """The loop bounds of one group of a layer."""
    channels = int(layers.K[i]) // max(1, int(layers.window[i]))
    height, width = max(1, int(layers.OY[i])), max(1, int(layers.OX[i]))
    step = max(1, int(layers.SX[i]))
    images = int(layers.images[i])
    if layers.kind[i] == "matmul":
        images, height, width = 1, 1, max(1, int(layers.M[i]))
    window = (max(1, int(layers.FY[i])), max(1, int(layers.FX[i])))
    return Shape(images, max(1, int(layers.N[i])), max(1, channels), height, width, *window, step)


def mappings(layers: Layers, arch: Arch) -> list[Mapping | None]:
    """The mapping of every layer with products."""
    assert arch.row_stationary is not None
    device = device_of(arch.row_stationary)
    on_array = np.isin(layers.kind, _ON_ARRAY) & (layers.macs > 0)
    return [mapping_of(shape_of(layers, i), device) if on else None for i, on in enumerate(on_array)]


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    unit = arch.row_stationary
    assert unit is not None
    work = np.maximum(np.maximum(layers.operations, layers.inputs), layers.outputs)
    compute, stall, fill = work / unit.cols.value, np.zeros(len(layers)), np.zeros(len(layers))
    for i, made in enumerate(mappings(layers, arch)):
        if made is not None:
            compute[i], stall[i], fill[i] = np.multiply((made.array, made.waiting, made.fill), layers.groups[i])
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(compute=compute, fill=fill, stall=stall, overhead=np.full(len(layers), overhead))


def zeros(layers: Layers, arch: Arch) -> Floats:
    """Share of zeros among the inputs of every layer."""
    assert arch.row_stationary is not None
    return shares(layers, arch.row_stationary.zeros_pct.value / 100)[0]


def moved(layers: Layers, arch: Arch) -> Traffic:
    """Bytes of the buffer and off chip; filters go past the buffer to the array."""
    unit = arch.row_stationary
    assert unit is not None
    read, written = shares(layers, unit.zeros_pct.value / 100)
    coded_in, coded_out = (np.minimum(1.0, (1 - zero) * unit.code_ratio.value) for zero in (read, written))
    inputs, outputs = layers.inputs.astype(np.float64), layers.outputs.astype(np.float64)
    fetched, filters = inputs * coded_in, np.zeros(len(layers))
    for i, made in enumerate(mappings(layers, arch)):
        if made is None:
            continue
        plain = padded_inputs(layers, i) if layers.kind[i] != "matmul" else inputs[i]
        fetched[i] = plain * coded_in[i] * made.read_inputs
        filters[i] = layers.weights[i] * made.read_weights
        inputs[i], outputs[i] = np.multiply((made.buffer_inputs, made.buffer_sums), layers.groups[i])
    spilled = fetched + layers.outputs * coded_out
    weights, inputs, outputs, spilled = (
        np.ceil(column * _WORD_BYTES).astype(np.int64) for column in (filters, inputs, outputs, spilled)
    )
    return Traffic(weights=weights, input=inputs, output=outputs, streamed=weights, spilled=spilled)
