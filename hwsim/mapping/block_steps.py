"""Operations of a network on a micro-block array: what runs by itself, rides along, or is written in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwsim.arch.spatial import MicroArray
from hwsim.mapping.block_shape import LANES, SPLIT, Shape, up
from hwsim.mapping.layer_shape import ON_ARRAY, flat_shape, shape_of
from hwsim.mapping.residence import Map

if TYPE_CHECKING:
    from hwsim.engines.base import Layers

_VIEWS = ("Pad", "Pad2D", "ZeroPadding2D", "Reshape", "Split", "Slice", "StridedSlice")
"""Movement that costs nothing: part of what is there, zeros around it are part of the next window of weights"""
_EDGES = 4
"""Sides of an image around which zeros are written where no window of weights reads them; they come from outside"""
_ROW_PASSES, _ELEMENT_PASSES, _REDUCTIONS = 22, 4, 2
"""Of a softmax: operations on one element a row, on every element, and over a row (ethos-u-vela)"""


@dataclass(slots=True, kw_only=True)
class Step:
    """One operation: the layer it is charged to, its shape, maps, cycles an output, how often it runs, its weights.

    beside : maps that layers riding along read
    """

    layer: int
    shape: Shape
    reads: list[Map]
    writes: Map
    rate: float
    repeat: int = 1
    weights: int = 0
    weight_bits: int = 8
    entropy_bits: float = 8.0
    beside: list[Map] = field(default_factory=list)


def steps_of(layers: Layers, m: MicroArray) -> tuple[list[Step], list[Map]]:
    """The operations in order, and the feature maps between them."""
    count = len(layers)
    origin = list(range(-1, count))
    for i in range(count):
        if str(layers.op[i]) in _VIEWS and layers.sources[i]:
            origin[i + 1] = origin[max(layers.sources[i]) + 1]
    sources = [[origin[s + 1] for s in layers.sources[i] if s < i] for i in range(count)]
    readers: list[list[int]] = [[] for _ in range(count)]
    ends = {origin[i + 1] for i in range(count) if layers.is_output[i]}
    for i, found in enumerate(sources):
        for s in dict.fromkeys(found if origin[i + 1] == i else []):
            if s >= 0:
                readers[s].append(i)
    joined = [_joined(layers, i, readers, ends) for i in range(count)]
    maps: dict[int, Map] = {-1: Map(size=int(layers.inputs[0]) if count else 0, linear=True, outside=m.spills)}

    def home(i: int) -> Map:
        while i >= 0 and joined[i] >= 0:
            i = joined[i]
        if i not in maps:
            linear = i in ends or _is_linear(layers, i, sources[i], readers[i])
            outside = m.spills and i in ends
            maps[i] = Map(size=_bytes(layers, i, linear), linear=linear, outside=outside)
        return maps[i]

    steps: list[Step] = []
    host: dict[int, Step] = {}
    for i in _order(layers):
        inputs = [home(s) for s in sources[i]]
        main = next((s for s in sources[i] if s >= 0 and steps and host.get(s) is steps[-1]), -1)
        ridden = host.get(main) if _rides(layers, i, m) and main >= 0 and readers[main] == [i] else None
        if ridden is not None and layers.outputs[main] == layers.outputs[i]:
            _ride(ridden, layers, i, m, [home(s) for s in sources[i] if s != main], home(i))
            host[i] = ridden
            continue
        for shape, read, repeat in _runs(layers, i, m, sources[i], joined, inputs) if origin[i + 1] == i else []:
            step = Step(layer=i, shape=shape, reads=read, writes=home(i), rate=rate_of(layers, i, m), repeat=repeat)
            if shape.kind == "depthwise" and layers.kind[i] == "pool":
                step.weights, step.entropy_bits = shape.depth * shape.window[0] * shape.window[1], 1.0
            elif str(layers.kind[i]) in ON_ARRAY:
                step.weights, step.weight_bits = int(layers.weights[i]), int(layers.weight_bits[i])
                step.entropy_bits = float(layers.weight_entropy_bits[i])
            host[i] = step
            steps.append(step)
        if origin[i + 1] != i and _borders(layers, i):
            size, channels = int(layers.outputs[i] - layers.inputs[i]) // _EDGES, int(layers.channels[i])
            zeros = maps[count + i] = Map(size=size, linear=True, outside=True, near=False)
            shape, rate = flat_shape(size, channels)._replace(kind="pool"), rate_of(layers, i, m)
            steps.append(
                Step(layer=i, shape=shape, reads=[zeros], writes=home(origin[i + 1]), rate=rate, repeat=_EDGES)
            )
    for place, step in enumerate(steps):
        step.writes.writers.append(place)
        for found in (*step.reads, *step.beside):
            found.readers.append(place)
    return steps, [found for found in maps.values() if found.readers or found.writers]


def _order(layers: Layers) -> list[int]:
    """Layers from the last one back: what elementwise work reads last comes first, parts of others in their order."""
    found: dict[int, None] = {}
    waiting = list(range(len(layers)))
    while waiting:
        i = waiting[-1]
        needed = [s for s in layers.sources[i] if 0 <= s < i and s not in found]
        if i in found or not needed:
            found[waiting.pop()] = None
        else:
            waiting.append(needed[-1] if layers.kind[i] == "elementwise" else needed[0])
    return list(found)


def _joined(layers: Layers, i: int, readers: list[list[int]], ends: set[int]) -> int:
    """The concatenation into whose output this layer writes, because nothing else reads it; -1 for none."""
    if len(readers[i]) == 1 and str(layers.op[readers[i][0]]) == "Concatenate" and i not in ends:
        return readers[i][0]
    return -1


def _borders(layers: Layers, i: int) -> bool:
    """Whether a view adds zeros that somebody reads whose window cannot stand for them."""
    readers = [str(layers.kind[k]) for k in range(i + 1, len(layers)) if i in layers.sources[k]]
    return layers.outputs[i] > layers.inputs[i] and any(kind not in ("mac", "depthwise") for kind in readers)


def _rides(layers: Layers, i: int, m: MicroArray) -> bool:
    kind = str(layers.kind[i])
    return kind == "lookup" or (m.chained and kind == "elementwise")


def _ride(step: Step, layers: Layers, i: int, m: MicroArray, beside: list[Map], writes: Map) -> None:
    rate = rate_of(layers, i, m)
    step.rate = max(step.rate, rate) if layers.kind[i] == "lookup" else step.rate + rate
    step.beside += beside
    step.writes = writes


def _runs(
    layers: Layers, i: int, m: MicroArray, sources: list[int], joined: list[int], inputs: list[Map]
) -> list[tuple[Shape, list[Map], int]]:
    """What a layer runs and how often: itself, passes of a softmax, copies of what is not concatenated in place."""
    if layers.kind[i] == "softmax":
        rows, outputs = max(1, int(layers.rows[i])), int(layers.outputs[i])
        length = max(1, outputs // rows)
        reduction = Shape("pool", rows, 1, 1, rows, length, 1, (1, length), (1, 1))
        return [
            (reduction, inputs, _REDUCTIONS),
            (flat_shape(outputs, length), inputs, _ELEMENT_PASSES),
            (flat_shape(rows, 1), inputs, _ROW_PASSES),
        ]
    if str(layers.op[i]) != "Concatenate":
        repeat = repeat_of(layers, i) if str(layers.kind[i]) in ON_ARRAY else 1
        shape, found = shape_of(layers, i), []
        if shape.kind == "depthwise" and layers.kind[i] == "pool" and not m.chained:
            found.append((flat_shape(int(layers.outputs[i]), shape.depth), inputs, 1))
        if shape.kind == "mac" and repeat > 1:
            found.append((flat_shape(int(layers.outputs[i]), int(layers.channels[i]))._replace(kind="pool"), inputs, 1))
        return [(shape, inputs, repeat), *found]
    copied = []
    for s, found in zip(sources, inputs, strict=True):
        if s < 0 or joined[s] != i:
            size, channels = (int(layers.outputs[s]), int(layers.channels[s])) if s >= 0 else (found.size, 0)
            copied.append((flat_shape(size, channels)._replace(kind="pool"), [found], 1))
    return copied


def _is_linear(layers: Layers, i: int, sources: list[int], readers: list[int]) -> bool:
    """Whether a feature map lies row by row: few channels, parts of a concatenation that do not begin at a brick,
    images that a dense layer reads as a vector. Inputs and outputs of the model do as well."""
    if 0 < int(layers.channels[i]) < LANES:
        return True
    if any(layers.op[r] == "Dense" and int(layers.K[r]) != int(layers.channels[i]) for r in readers):
        return True
    parts = [int(layers.channels[s]) for s in sources if s >= 0]
    deep = layers.op[i] == "Concatenate" and sum(parts) == int(layers.channels[i])
    return deep and any(sum(parts[:k]) % SPLIT for k in range(1, len(parts)))


def _bytes(layers: Layers, i: int, linear: bool) -> int:
    """Bytes of a feature map of 8 bits."""
    outputs, channels = int(layers.outputs[i]), int(layers.channels[i])
    if linear or not channels or outputs % channels:
        return outputs
    return outputs // channels * up(channels, SPLIT)


def repeat_of(layers: Layers, i: int) -> int:
    """How often the shape of a layer runs: for each image, each group of a convolution."""
    kind, groups = str(layers.kind[i]), max(1, int(layers.groups[i]))
    images = 1 if layers.op[i] == "Dense" else max(1, int(layers.images[i]))
    return images * (groups if kind in ("mac", "matmul") else 1)


def rate_of(layers: Layers, i: int, m: MicroArray) -> float:
    """Cycles the output unit takes for one element."""
    op, kind = str(layers.op[i]), str(layers.kind[i])
    if op in ("Add", "Subtract"):
        return m.cycles_per_add.value
    if op == "Multiply":
        return m.cycles_per_multiply.value
    if op.startswith("Max") and kind == "pool":
        return m.cycles_per_maximum.value
    return m.cycles_per_lookup.value if kind == "lookup" else m.cycles_per_output.value
