"""Channel-parallel array of micro-blocks beside one output unit (Ethos-U class).

A micro-block is height x width x depth outputs, each fed by 8 input channels a cycle. A step of 4 cycles covers
32 channels of one tap ("depth first") or 8 channels of 4 taps ("part kernel"), whichever wastes less. The block of
outputs that is worked on at a time is chosen in hwsim.cost.output_block.py.

    step        = max(32 * depth / weights decoded a cycle, 4 * micro-blocks over the image)
    steps       = taps, or ceil(taps / 4) in part kernel and depthwise, each for every group of channels
    array       = step * steps * ceil(filters / depth) / cores, + the latency of the sums where nothing hides it
    pool        = max(4, taps) * micro-blocks * cycles a tap
    output      = max(outputs of the block * cycles an output, 10 bytes of bias and scale a filter from memory)
    command     = (latency and transfer of both blocks + output + array) / 4
    compute     = max(array, command, output) * blocks + the smaller of the two
    elementwise = elements * max(cycles an element, command of a block), nothing where it is chained to its producer
    softmax     = 5 passes over the elements and 22 over one element a row
    stall       = max(0, on-chip traffic / bytes a cycle, 10 bytes a filter and block at the rate of scales,
                      a picture at the rate it arrives from outside) - compute

Weights are fetched from outside while the array works (`link.overlapped`), entropy coded (`link.coded_pct`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.spec import Arch, MicroArray
from hwsim.cost.output_block import BIAS_BYTES, WINDOW, Block, Shape, block_of, buffer_of
from hwsim.engines.base import Cycles, Floats, Layers

_STEP = 4
_LANES = 8
_ON_ARRAY = ("mac", "depthwise", "pool", "matmul")
_PER_ROW, _PER_ELEMENT = 22, 5
_PICTURE = 4
"""Channels of the model's input where it is a picture"""
_BIAS_BURST = 256
"""Bytes of biases and scales fetched in one latency"""
_SHARE = 4
"""Commands in flight: a block waits for a fourth of its command time"""


def peak_macs_per_cycle(arch: Arch) -> float:
    """Multiply-accumulates a cycle: 8 for each output of the largest micro-block."""
    array = arch.microblock
    assert array is not None
    sizes = (b.height.value * b.width.value * b.depth.value for b in array.blocks)
    return _LANES * max(sizes) * array.cores.value


def _shape(layers: Layers, i: int, m: MicroArray) -> Shape:
    kind = str(layers.kind[i])
    if kind not in _ON_ARRAY:
        depth = max(1, min(int(layers.outputs[i]), 16))
        return Shape("elementwise", 1, max(1, -(-int(layers.outputs[i]) // depth)), depth, 0, 0, (1, 1), (1, 1))
    alone = kind in ("depthwise", "pool")
    side = "dense" if kind == "matmul" or (layers.M[i] == 1 and kind == "mac") else kind
    window, stride = (int(layers.FY[i]), int(layers.FX[i])), (int(layers.SY[i]), int(layers.SX[i]))
    depth = int(layers.N[i] * layers.groups[i]) if alone else int(layers.N[i])
    height, width = int(layers.OY[i]), int(layers.OX[i])
    if kind == "matmul":
        height, width, window, stride = 1, int(layers.M[i]), (1, 1), (1, 1)
    channels = 1 if alone else int(layers.K[i]) // max(1, window[0] * window[1])
    if (
        m.folds_stride
        and not alone
        and window[1] % stride[1] == 0
        and channels * stride[1] <= m.part_kernel_channels.value
    ):
        channels, window, stride = channels * stride[1], (window[0], window[1] // stride[1]), (stride[0], 1)
    stride = (1 if height == 1 else stride[0], 1 if width == 1 else stride[1])
    inputs = int(layers.inputs[i]) // max(1, int(layers.images[i]) * (1 if alone else int(layers.groups[i])))
    return Shape(side, max(1, height), max(1, width), max(1, depth), max(1, channels), inputs, window, stride)


def _pieces(window: tuple[int, int]) -> list[int]:
    """Taps of each piece of a window: sides beyond 8 are cut."""
    sides = [[min(WINDOW, side - start) for start in range(0, side, WINDOW)] for side in window]
    return [max(1, a) * max(1, b) for a in (sides[0] or [1]) for b in (sides[1] or [1])]


def _array(shape: Shape, block: Block, m: MicroArray) -> tuple[float, float]:
    """(cycles of the array for one block, blocks: those at the edges count for their share)."""
    h, w, d = (min(a, b) for a, b in zip(block[:3], shape[1:4], strict=True))
    uh, uw, ud = block.micro
    if (
        uh == 2
        and shape.kind in ("mac", "dense")
        and shape.height == 1
        and shape.width % 2 == 0
        and shape.window[0] == 1
    ):
        h, uh, uw = 1, 1, 4
    over, deep = -(-h // uh) * -(-w // uw), -(-d // ud)
    decode = _STEP * _LANES * ud / m.weights_per_cycle.value
    step = max(decode, _STEP * over)
    total = 0.0
    for taps in _pieces(shape.window):
        steps = taps if not block.part else -(-taps // _STEP)
        groups = -(-min(block.channels, shape.channels) // _LANES) if block.part and shape.kind == "mac" else 1
        if shape.kind == "pool":
            busy, steps = max(_STEP, taps) * over * deep * m.cycles_per_tap.value, 1
        elif shape.kind in ("mac", "dense") and not block.part and m.wide_steps:
            busy = max(decode, min(block.channels, shape.channels) / _LANES * over) * steps * deep
        else:
            busy = step * steps * groups * deep
        if over == 1:
            busy += m.latency_cycles.value * (steps * groups if deep == 1 else (steps - 1) * groups * deep)
        total += busy
    slices = 1 if shape.kind in ("depthwise", "pool") else -(-shape.channels // max(1, block.channels))
    blocks = (shape.height / h) * (shape.width / w) * (shape.depth / d)
    return total * slices / m.cores.value, blocks


def _padded(depth: int, block: Block) -> int:
    return -(-depth // block.micro[2]) * block.micro[2]


def _rate(op: str, kind: str, m: MicroArray) -> float:
    """Cycles the output unit takes for one element."""
    if op in ("Add", "Subtract"):
        return m.cycles_per_add.value
    if op == "Multiply":
        return m.cycles_per_multiply.value
    if op.startswith("Max") and kind == "pool":
        return m.cycles_per_maximum.value
    return m.cycles_per_lookup.value if kind == "lookup" else m.cycles_per_output.value


def _transfer(elements: float, channels: int, width: int, m: MicroArray) -> float:
    """Cycles to move a block: latency, and bytes stretched to whole bursts."""
    burst = m.burst_bytes.value
    rate = (m.transfer_bytes_per_cycle or m.bytes_per_cycle).value
    run = min(burst, 16.0 * width if channels >= 16 else max(1, channels))
    return m.memory_cycles.value + elements * burst / run / rate


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    m = arch.microblock
    assert m is not None
    buffer, count = buffer_of(m), len(layers)
    compute, stall = np.zeros(count), np.zeros(count)
    for i in range(count):
        shape, kind, op = _shape(layers, i, m), str(layers.kind[i]), str(layers.op[i])
        block = block_of(shape, buffer)
        rate = _rate(op, kind, m)
        h, w, d = (min(a, b) for a, b in zip(block[:3], shape[1:4], strict=True))
        held = min(block.rows, (shape.height - 1) * shape.stride[0] + shape.window[0]) * min(
            block.columns, (shape.width - 1) * shape.stride[1] + shape.window[1]
        )
        deep_in = d if shape.kind in ("depthwise", "pool", "elementwise") else min(block.channels, shape.channels)
        ends = _transfer(held * deep_in, d if deep_in == d else shape.channels, block.columns, m)
        ends += _transfer(h * w * d, shape.depth, block.width, m)
        if kind in _ON_ARRAY:
            busy, blocks = _array(shape, block, m)
            out = rate * h * w * d
            if kind != "pool":
                out = max(out, BIAS_BYTES * d * m.parameter_cycles.value / _BIAS_BURST)
            command = (ends + out + busy) / _SHARE
            busy, out = max(busy, command), max(out, command)
            repeat = float(layers.images[i] * (layers.groups[i] if kind in ("mac", "matmul") else 1))
            compute[i] = (max(busy, out) * blocks + min(busy, out)) * repeat
            over_image = -(-shape.height // h) * -(-shape.width // w)
            alone = shape.kind in ("depthwise", "pool")
            reads = held * (shape.depth * over_image if alone else shape.channels * blocks)
            moved = reads + shape.height * shape.width * shape.depth
            if kind != "pool":
                moved += (
                    float(layers.weight_bytes[i])
                    / max(1.0, float(layers.groups[i] if kind == "mac" else 1))
                    * over_image
                )
            stall[i] = moved * repeat / m.bytes_per_cycle.value
            if m.picture_bytes_per_cycle is not None and kind == "mac" and layers.K[i] <= _PICTURE * layers.window[i]:
                stall[i] = max(stall[i], reads * repeat / m.picture_bytes_per_cycle.value)
            if m.scale_bytes_per_cycle is not None and kind in ("mac", "depthwise"):
                stall[i] = max(
                    stall[i],
                    BIAS_BYTES * _padded(shape.depth, block) * over_image * repeat / m.scale_bytes_per_cycle.value,
                )
            continue
        each = max(rate, (ends / (h * w * d) + rate) / _SHARE)
        elements = float(max(layers.outputs[i], layers.operations[i] if kind == "normalize" else 0))
        if kind == "softmax":
            rows = float(layers.rows[i])
            compute[i] = each * (_PER_ELEMENT * elements + _PER_ROW * rows)
        elif not (m.chained and kind == "elementwise") and not (kind == "move" and op in _FREE):
            compute[i] = each * elements
    return Cycles(
        compute=compute, fill=np.zeros(count), stall=np.maximum(0.0, stall - compute), overhead=_overhead(count, arch)
    )


def staged(layers: Layers, arch: Arch) -> NDArray[np.bool_]:
    """Layers whose weights several blocks over the image need: they are staged on chip, ahead of time."""
    m = arch.microblock
    assert m is not None
    buffer, shapes = buffer_of(m), [_shape(layers, i, m) for i in range(len(layers))]
    blocks = [block_of(shape, buffer) for shape in shapes]
    return np.array([s.height > b.height or s.width > b.width for s, b in zip(shapes, blocks, strict=True)], np.bool_)


_FREE = ("Concatenate", "Pad2D", "Reshape", "Split", "Slice", "StridedSlice")
"""Movement that costs nothing: producers write in place, padding is part of the next window"""


def _overhead(count: int, arch: Arch) -> Floats:
    each = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return np.full(count, each)
