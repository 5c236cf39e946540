"""Row-stationary array (Eyeriss): an element keeps a filter row, a set of R x e elements makes e output rows.

The array of rows x cols elements holds r * t sets; r stand above each other and add up other channels, t work on other
filters. An element works on p filters and q channels at a time: p q S <= filter words, q S <= input words. Rows of a
set beyond the columns are folded. m filters (they divide K) of n images keep their sums in the buffer, beside the
inputs of a pass:

    banks(m n e F) + banks(n q r ((e-1) U + R) W) <= banks
    passes  = ceil(C / (q r)) * ceil(K / (p t)) * ceil(E / e) * N / n            for each group
    compute = p q S F n  a pass
    fill    = p t q r R S / words a cycle (filters) + p F (sums of a row leave)  a pass
    buffer  = n q r ((e-1) U + R) W  +  2 p t e F n                              words a pass
    off chip = inputs * strips' overlap * ceil(K / m) * coded + weights * N/n * ceil(E / e) + outputs * coded

Of the mappings within 10 % of the fastest the one with least energy is taken: 200 a word off chip, 6 one of the buffer.
Operands narrower than a word take a whole one. Coded activations take (1 - zeros) * code ratio, at most what they took;
pictures (up to 4 channels) have no zeros. A dense layer is a convolution of one pixel; pooling and elementwise layers
cost an operation a column.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import ceil
from typing import NamedTuple

import numpy as np

from hwsim.arch.rows import RowStationary
from hwsim.arch.spec import Arch
from hwsim.cost.traffic import Traffic
from hwsim.engines.base import Cycles, Floats, Layers

_OFF_CHIP, _BUFFER = 200, 6
_NEAR = 1.1
"""Mappings this near to the fastest are weighed by energy"""
_WORDS = 4
_WORD_BYTES = 2
_PICTURE_CHANNELS = 4
_ON_ARRAY = ("mac", "matmul", "depthwise")


class Shape(NamedTuple):
    """One group: images, filters, channels, output rows and columns, window, stride, input columns."""

    N: int
    K: int
    C: int
    E: int
    F: int
    R: int
    S: int
    U: int
    W: int


class Device(NamedTuple):
    """The numbers of a specification that decide a mapping."""

    rows: int
    cols: int
    filter_words: int
    input_words: int
    filters: int
    banks: int
    bank_words: int


class Mapping(NamedTuple):
    """A mapping and what it costs: passes, cycles of each, words of the buffer, re-reads of inputs and weights."""

    e: int
    p: int
    q: int
    r: int
    t: int
    m: int
    n: int
    passes: int
    compute: int
    filter_words: int
    buffer_inputs: int
    buffer_sums: int
    read_inputs: float
    read_weights: int


def peak_macs_per_cycle(arch: Arch) -> float:
    """One multiply-accumulate a cycle in every element."""
    assert arch.row_stationary is not None
    return arch.row_stationary.rows.value * arch.row_stationary.cols.value


def device_of(unit: RowStationary) -> Device:
    """The numbers that decide a mapping."""
    names = ("rows", "cols", "filter_words", "input_words", "filters", "banks", "bank_words")
    return Device(*(int(getattr(unit, name).value) for name in names))


def _set_rows(e: int, shape: Shape, device: Device) -> int:
    """Rows of the array a set takes, its folds one above the other."""
    return min(shape.R, device.rows) * ceil(e / device.cols)


def _sets(e: int, shape: Shape, device: Device) -> int:
    """Sets that fit the array beside and above each other."""
    return max(1, device.cols // e) * _above(e, shape, device)


def _above(e: int, shape: Shape, device: Device) -> int:
    return max(1, device.rows // _set_rows(e, shape, device))


def _mapping(shape: Shape, device: Device, choice: tuple[int, int, int, int, int]) -> Mapping | None:
    e, r, t, q, n = choice
    taps = min(shape.S, device.input_words)
    p = max(1, min(device.filters, device.filter_words // (q * taps), shape.K))
    rows = min((e - 1) * shape.U + shape.R, shape.E * shape.U + shape.R)
    held = n * min(q * r, shape.C) * rows * shape.W
    left = device.banks - ceil(min(held, device.banks * device.bank_words // 2) / device.bank_words)
    most = left * device.bank_words // (n * e * shape.F)
    together = min(p * t, shape.K)
    m = max((k for k in range(together, shape.K + 1, together) if shape.K % k == 0 and k <= most), default=together)
    if (most < p * t and n > 1) or (most < min(p * t, shape.K) and e > 1):
        return None
    strips = ceil(shape.E / e)
    folds = ceil(shape.S / taps) * ceil(shape.R / device.rows)
    turns = ceil(shape.C / (q * r)) * ceil(shape.K / (p * t)) * strips * ceil(shape.N / n) * folds
    sums = min(p * t, shape.K) * min(e, shape.E) * shape.F * n
    return Mapping(
        e=e,
        p=p,
        q=q,
        r=r,
        t=t,
        m=m,
        n=n,
        passes=turns,
        compute=p * q * taps * shape.F * n,
        filter_words=p * t * q * r * min(shape.R, device.rows) * taps,
        buffer_inputs=turns * held,
        buffer_sums=2 * turns * sums,
        read_inputs=ceil(shape.K / m) * max(1.0, strips * rows / max(1, (shape.E - 1) * shape.U + shape.R)),
        read_weights=ceil(shape.N / n) * strips,
    )


@lru_cache(maxsize=4096)
def mapping_of(shape: Shape, device: Device) -> Mapping:
    """The mapping with least energy among those near the fastest."""
    taps = min(shape.S, device.input_words)
    channels = range(1, min(shape.C, device.input_words // taps, device.filter_words // taps) + 1)
    most_e = min(shape.E, device.cols * (device.rows // min(shape.R, device.rows)))
    found: list[tuple[int, float, Mapping]] = []
    inputs, weights = shape.N * shape.C * shape.E * shape.U * shape.W, shape.K * shape.C * shape.R * shape.S
    for e in {ceil(shape.E / strips) for strips in range(1, shape.E + 1)}:
        if e > most_e:
            continue
        sets = max(1, _sets(e, shape, device))
        split = [(r, sets // r) for r in range(1, min(_above(e, shape, device), shape.C) + 1)]
        images = [n for n in range(1, shape.N + 1) if shape.N % n == 0]
        for (r, t), q, n in product(split, channels, images):
            made = _mapping(shape, device, (e, r, t, q, n))
            if made is not None:
                moved = inputs * made.read_inputs + weights * made.read_weights
                energy = _OFF_CHIP * moved + _BUFFER * (made.buffer_inputs + made.buffer_sums)
                found.append(
                    (made.passes * (made.compute + made.filter_words // _WORDS + made.p * shape.F), energy, made)
                )
    fastest = min(cycles for cycles, _, _ in found)
    return min((item for item in found if item[0] <= _NEAR * fastest), key=lambda item: (item[1], item[0]))[2]


def shape_of(layers: Layers, i: int) -> Shape:
    """The loop bounds of one group of a layer."""
    channels = int(layers.K[i]) // max(1, int(layers.window[i]))
    height, width = max(1, int(layers.OY[i])), max(1, int(layers.OX[i]))
    step = max(1, int(layers.SX[i]))
    images = int(layers.images[i])
    if layers.kind[i] == "matmul":
        images, height, width = 1, 1, max(1, int(layers.M[i]))
    columns = (width - 1) * step + int(layers.FX[i])
    window = (max(1, int(layers.FY[i])), max(1, int(layers.FX[i])))
    return Shape(images, max(1, int(layers.N[i])), max(1, channels), height, width, *window, step, columns)


def _maps(layers: Layers, arch: Arch) -> list[tuple[Shape, Mapping] | None]:
    assert arch.row_stationary is not None
    device = device_of(arch.row_stationary)
    shapes = [
        shape_of(layers, i) if layers.kind[i] in _ON_ARRAY and layers.macs[i] else None for i in range(len(layers))
    ]
    return [None if shape is None else (shape, mapping_of(shape, device)) for shape in shapes]


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    unit = arch.row_stationary
    assert unit is not None
    count = len(layers)
    compute, fill = np.zeros(count), np.zeros(count)
    for i, made in enumerate(_maps(layers, arch)):
        if made is None:
            work = max(int(layers.operations[i]), int(layers.inputs[i]), int(layers.outputs[i]))
            compute[i] = work / unit.cols.value
            continue
        shape, m = made
        groups = int(layers.groups[i])
        compute[i] = m.passes * m.compute * groups
        fill[i] = m.passes * (m.filter_words / unit.words_per_cycle.value + m.p * shape.F) * groups
    zero = np.zeros(count)
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(compute=compute, fill=fill, stall=zero, overhead=np.full(count, overhead))


def zeros(layers: Layers, arch: Arch) -> Floats:
    """Share of zeros among the inputs of every layer."""
    assert arch.row_stationary is not None
    channels = layers.K // np.maximum(layers.window, 1) * layers.groups
    return np.where(channels > _PICTURE_CHANNELS, arch.row_stationary.zeros_pct.value / 100, 0.0)


def moved(layers: Layers, arch: Arch) -> Traffic:
    """Bytes of the buffer and off chip; filters go past the buffer to the array."""
    unit = arch.row_stationary
    assert unit is not None
    ratio = unit.code_ratio.value
    coded_in = np.minimum(1.0, (1 - zeros(layers, arch)) * ratio)
    coded_out = min(1.0, (1 - unit.zeros_pct.value / 100) * ratio)
    columns = [np.zeros(len(layers)) for _ in range(5)]
    filters, inputs, sums, streamed, spilled = columns
    size = _WORD_BYTES
    for i, made in enumerate(_maps(layers, arch)):
        spilled[i] = (layers.inputs[i] * coded_in[i] + layers.outputs[i] * coded_out) * size
        inputs[i], sums[i] = layers.inputs[i] * size, layers.outputs[i] * size
        if made is None:
            continue
        _, m = made
        groups = int(layers.groups[i])
        filters[i] = int(layers.weights[i]) * size * m.read_weights
        inputs[i], sums[i] = m.buffer_inputs * groups * size, m.buffer_sums * groups * size
        streamed[i] = filters[i]
        spilled[i] += layers.inputs[i] * coded_in[i] * (m.read_inputs - 1) * size
    whole = [np.ceil(column).astype(np.int64) for column in columns]
    return Traffic(weights=whole[0], input=whole[1], output=whole[2], streamed=whole[3], spilled=whole[4])
