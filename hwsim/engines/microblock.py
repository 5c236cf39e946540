"""Channel-parallel array of micro-blocks beside one output unit (Ethos-U class).

A micro-block is height x width x depth outputs, each fed by 8 input channels a cycle. A step of 4 cycles covers
32 channels of one tap ("depth first") or 8 channels of 4 taps ("part kernel"), whichever wastes less. The block of
outputs that is worked on at a time is chosen in hwsim/mapping/output_block.py; h, w, d its sides, clipped.

    step        = max(32 * micro depth / weights decoded a cycle, 4 * micro-blocks over the block's image)
    steps       = taps, or ceil(taps / 4) in part kernel and depthwise, each for every group of channels
    array       = step * steps * micro-blocks over the depth / cores, + the latency of the sums where nothing hides it
    pool        = max(4, taps) * micro-blocks * cycles a tap
    output      = max(outputs of the block * cycles an output / cores, 10 bytes a filter * latency of biases / 256)
    command     = (array + output + |input block - output block|) / 4      input, output block: cycles to carry them
    run         = input block + max(array, command, output) * blocks + the smaller one + output block
    elementwise = elements * max(cycles an element, (cycles of a block / its elements + cycles an element) / 4)
    softmax     = two pools over each row, 4 passes over the elements and 22 over one element a row
    layer       = max(run + first weights, bytes on chip / rate, bytes over the link / rate), the rates of memories and
                  of their channels, see hwsim/mapping/memory_port.py

Blocks at the edges count for the micro-blocks in them. Tables run in the output unit of the layer before, sums of
tensors too where a device chains them. Concatenated tensors are written in place; one with another reader is copied.
Weights are staged on chip (hwsim/mapping/weight_staging.py) where that is not slower; feature maps lie where
hwsim/mapping/residence.py and placement.py put them. Grouped convolutions run one after the other, their joined output
once more through the output unit, for the activation.
"""

from __future__ import annotations

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.cost.traffic import Traffic, compulsory
from hwsim.engines.base import Cycles, Layers
from hwsim.mapping.block_shape import LANES
from hwsim.mapping.block_steps import Step, steps_of
from hwsim.mapping.block_work import Cost, Work, device_of
from hwsim.mapping.output_block import block_of
from hwsim.mapping.placement import place
from hwsim.mapping.residence import stripes


def peak_macs_per_cycle(arch: Arch) -> float:
    """Multiply-accumulates a cycle: 8 for each output of the largest micro-block."""
    array = arch.microblock
    assert array is not None
    sizes = (b.height.value * b.width.value * b.depth.value for b in array.blocks)
    return LANES * max(sizes) * array.cores.value


def _costs(layers: Layers, arch: Arch) -> list[tuple[Step, Cost]]:
    """Every operation of a network with its cost, in order."""
    device, room = device_of(arch), arch.capacity_bytes("activations")
    steps, maps = steps_of(layers.listed(), device.m)
    works = [Work(step, block_of(step.shape, device.buffer), device) for step in steps]
    taken = _stage(works, room, [0.0] * len(works), [False] * len(works))
    if device.m.spills:
        operations = [work.operation() for work in works]
        heights, rolling = stripes(operations, room)
        if any(heights):
            works = [
                Work(work.step, block_of(work.step.shape._replace(height=h), device.buffer), device) if h else work
                for work, h in zip(works, heights, strict=True)
            ]
            taken = _stage(works, room, rolling, [height > 0 for height in heights])
        place([work.operation() for work in works], maps, taken, room)
    costs: list[tuple[Step, Cost]] = []
    for work in works:
        costs.append((work.step, work.cost(costs[-1][1].spare if costs else 0.0)))
    return costs


def _stage(works: list[Work], room: float, rolling: list[float], chained: list[bool]) -> list[float]:
    """Decide for every operation whether its weights are staged; bytes on chip taken at each."""
    taken, slack = list(rolling), 0.0
    for position, work in enumerate(works):
        slack = work.stage(slack, room - taken[position], position == 0, chained[position])
        for t, size in work.held(position):
            taken[t] += size
    return taken


def sequence(layers: Layers, arch: Arch) -> tuple[Cycles, Traffic]:
    """Cycles and bytes of every layer; the formulas stand at the top of this module.

    Bytes: operands once on chip; over the link, parameters and feature maps that lie there.
    """
    count = len(layers)
    run, time, streamed, spilled = np.zeros((4, count))
    for step, cost in _costs(layers, arch):
        run[step.layer] += cost.run
        time[step.layer] += cost.time
        streamed[step.layer] += cost.parameters
        spilled[step.layer] += cost.maps
    each = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    weights, inputs, outputs = compulsory(layers)
    streamed, spilled = np.ceil((streamed, spilled)).astype(np.int64)
    return (
        Cycles(compute=run, fill=np.zeros(count), stall=time - run, overhead=np.full(count, each)),
        Traffic(weights=weights, input=inputs, output=outputs, streamed=streamed, spilled=spilled),
    )


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer."""
    return sequence(layers, arch)[0]
