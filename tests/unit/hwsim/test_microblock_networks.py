"""Sequences of layers on micro-block arrays: what rides along, what is written in place, where feature maps lie."""

import random
from dataclasses import replace as of
from itertools import pairwise, product
from pathlib import Path

import pytest

import hwsim
from hwsim.arch.vary import with_values
from hwsim.engines.base import columns
from hwsim.mapping.block_shape import Shape
from hwsim.mapping.block_steps import steps_of
from hwsim.mapping.placement import place
from hwsim.mapping.residence import Map, Operation, stripes
from hwsim.workload import LoopNest, from_layers, load_workload
from tests.unit.hwsim.small_layers import add, conv

KIB = 1024
MODELS = Path(__file__).parents[3] / "models"


def table(elements, name="table"):
    return of(add(elements, name=name, op="Sigmoid"), nest=of(add(elements).nest, kind="lookup", inputs=(elements,)))


def join(sizes, channels, sources):
    total = sum(sizes)
    nest = LoopNest(kind="move", inputs=tuple(sizes), outputs=total)
    return of(add(total), op="Concatenate", nest=nest, channels=channels, sources=sources)


def steps(layers, name="ethos-u55-128"):
    return steps_of(columns(layers), hwsim.load_arch(name).microblock)[0]


def chained(*sizes, stride=1):
    """A chain of operations over maps of these KiB, 64 columns and 16 channels."""
    maps = [Map(size=size * KIB) for size in sizes]
    maps[0].outside = True
    made = []
    for k, (read, write) in enumerate(pairwise(maps)):
        read.readers.append(k)
        write.writers.append(k)
        height = write.size // (64 * 16)
        shape = Shape("mac", height, 64, 16, height * stride, 64, 16, (3, 3), (stride, stride))
        made.append(Operation(shape, write, (read,), True, 0.0, read.size, write.size))
    return made, maps


def test_tables_run_in_the_output_unit_of_the_layer_before():
    found = steps([conv(16, 16, 16), table(16 * 16 * 16)])
    assert [step.layer for step in found] == [0]
    assert found[0].rate == hwsim.load_arch("ethos-u55-128").microblock.cycles_per_lookup.value


def test_sums_ride_where_the_device_chains_them():
    layers = [conv(16, 16, 16, name="a"), conv(16, 16, 16, name="b"), of(add(4096), sources=(1, 0), channels=16)]
    alone, ridden = (steps(layers, name) for name in ("ethos-u55-128", "ethos-u85-512"))
    assert [step.layer for step in alone] == [0, 1, 2]
    assert [step.layer for step in ridden] == [0, 1]
    assert ridden[1].rate == 2 * 0.125
    assert len(ridden[1].beside) == 1


def test_what_a_sum_reads_last_runs_first():
    layers = [conv(16, 16, 16, name="main"), of(conv(16, 16, 16, name="side"), sources=(-1,))]
    layers.append(of(add(4096), sources=(0, 1), channels=16))
    assert [step.layer for step in steps(layers)] == [1, 0, 2]


def test_parts_of_a_concatenation_are_written_in_place_unless_others_read_them():
    one, two = (of(conv(16, 16, 16, name=name), sources=(-1,), channels=16) for name in "ab")
    both = join((4096, 4096), 32, (0, 1))
    assert [step.layer for step in steps([one, two, both])] == [0, 1]
    again = of(conv(16, 16, 16, name="c"), sources=(0,))
    assert [step.layer for step in steps([one, two, both, again])].count(2) == 1


def grown(size, after, channels, op="Pad2D"):
    """Zeros around an image of this side, `after` its new side."""
    inputs, outputs = size * size * channels, after * after * channels
    return of(add(outputs), op=op, nest=LoopNest(kind="move", inputs=(inputs,), outputs=outputs), channels=channels)


def test_zeros_before_a_convolution_are_part_of_its_window():
    assert [step.layer for step in steps([conv(16, 16, 16), grown(16, 18, 16), conv(16, 16, 16)])] == [0, 2]


def test_zeros_before_a_pool_are_copied_from_outside_to_each_side():
    pool = of(add(1024), op="MaxPool2D", channels=16)
    pool = of(pool, nest=LoopNest(kind="pool", OY=8, OX=8, FY=3, FX=3, inputs=(18 * 18 * 16,), outputs=1024))
    found = steps([conv(16, 16, 16), grown(16, 18, 16), pool])
    assert [step.layer for step in found] == [0, 1, 2]
    assert found[1].repeat == 4
    assert found[1].reads[0].size == (18 * 18 - 16 * 16) * 16 // 4
    assert not found[1].reads[0].near
    assert found[1].writes is found[0].writes is found[2].reads[0]


def test_a_view_is_the_map_it_looks_at():
    flat = of(add(4096), op="Reshape", nest=LoopNest(kind="move", inputs=(4096,), outputs=4096), channels=4096)
    found = steps([conv(16, 16, 16), flat, add(4096)])
    assert [step.layer for step in found] == [0, 2]
    assert found[1].reads[0] is found[0].writes


def test_the_average_over_an_image_is_a_window_of_its_size():
    mean = of(add(16), op="Mean", nest=LoopNest(kind="pool", inputs=(8 * 6 * 16,), outputs=16), channels=16)
    _, window, scale = steps([conv(16, 16, 16), mean])
    assert (window.shape.height, window.shape.width, window.shape.depth) == (1, 1, 16)
    assert window.shape.window[0] * window.shape.window[1] == 8 * 6
    assert window.weights == 8 * 6 * 16
    assert scale.shape.kind == "elementwise"
    assert scale.shape.height * scale.shape.width * scale.shape.depth == 16
    assert len(steps([conv(16, 16, 16), mean], "ethos-u85-512")) == 2


def test_a_softmax_passes_over_rows_and_elements():
    softmax = of(add(120), op="Softmax", nest=LoopNest(kind="softmax", OY=12, inputs=(120,), outputs=120), channels=10)
    reduction, elements, rows = steps([softmax])
    assert (reduction.repeat, reduction.shape.window, reduction.shape.height) == (2, (1, 10), 12)
    assert elements.repeat == 4
    assert elements.shape.height * elements.shape.width * elements.shape.depth == 120
    assert rows.repeat == 22
    assert rows.shape.height * rows.shape.width * rows.shape.depth == 12


@pytest.mark.parametrize(("channels", "linear"), [((16, 16), False), ((12, 20), True)])
def test_parts_that_begin_inside_a_brick_lie_row_by_row(channels, linear):
    parts = [of(conv(16, k, 16, name=str(k)), sources=(-1,), channels=k) for k in channels]
    both = join([256 * k for k in channels], sum(channels), (0, 1))
    last = of(conv(sum(channels), 16, 16), sources=(2,), channels=16)
    found = steps([*parts, both, last])
    assert found[0].writes.linear == linear
    assert found[0].writes is found[1].writes is found[2].reads[0]


def test_maps_that_fit_stay_near_and_the_model_reads_from_outside():
    operations, maps = chained(100, 100, 100)
    place(operations, maps, [0.0, 0.0], 300 * KIB)
    assert [m.near for m in maps] == [False, True, True]


def test_a_map_that_does_not_fit_beside_the_others_goes_outside():
    operations, maps = chained(100, 200, 250, 100)
    place(operations, maps, [0.0] * 3, 384 * KIB)
    assert [m.near for m in maps] == [False, False, True, True]


def test_a_map_whose_elements_are_read_again_and_again_stays_near():
    operations, maps = chained(100, 200, 250, 100)
    operations[1] = of(operations[1], read=2.0 * maps[1].size)
    place(operations, maps, [0.0] * 3, 384 * KIB)
    assert [m.near for m in maps] == [False, True, False, True]


def test_of_maps_that_compete_the_choice_of_most_elements_stays():
    """Every choice, of chains drawn at random, against trying all of them."""
    rng = random.Random(5)
    for _ in range(40):
        operations, maps = chained(*(rng.randrange(20, 260) for _ in range(7)))
        place(operations, maps, [0.0] * 6, 384 * KIB)
        inner, size = maps[1:], [m.size for m in maps[1:]]
        best = 0
        for choice in product((0, 1), repeat=len(inner)):
            held = [a * x for a, x in zip(choice, size, strict=True)]
            if max(held) <= 384 * KIB and all(a + b <= 384 * KIB for a, b in pairwise(held)):
                best = max(best, sum(x * len((*m.readers, *m.writers)) for x, m in zip(held, inner, strict=True)))
        assert sum(m.near * m.size * len((*m.readers, *m.writers)) for m in inner) == best


def test_staged_weights_take_room_from_maps():
    operations, maps = chained(100, 200, 150)
    place(operations, maps, [0.0, 100 * KIB], 384 * KIB)
    assert not all(m.near for m in maps[1:])


def test_operations_that_do_not_fit_together_run_in_stripes():
    """300 + 300 KiB in 384: the second reads from a buffer of a few rows, its output goes outside."""
    operations, maps = chained(100, 300, 300, 50)
    heights, rolling = stripes(operations, 384 * KIB)
    assert heights[0] > 0
    assert heights[1] > 0
    assert heights[2] == 0
    assert maps[1].rolling
    assert maps[2].outside
    rows = heights[0] + (heights[1] - 1) + 3
    assert rolling[0] >= rows * 64 * 16
    assert rolling[0] <= 384 * KIB


def test_what_fits_together_runs_whole():
    operations, _ = chained(100, 150, 150, 50)
    assert stripes(operations, 384 * KIB) == ([0, 0, 0], [0.0, 0.0, 0.0])


def varied(arch, path, value):
    return with_values(arch, {path: float(value)})


def test_maps_that_spill_cross_the_link():
    layers = [of(conv(64, 64, 112, name=str(k)), channels=64, sources=(k - 1,)) for k in range(3)]
    arch = hwsim.load_arch("ethos-u65-256")
    spilled, kept = (
        sum(row.bytes.dram for row in hwsim.estimate(from_layers(layers), device).layers)
        for device in (arch, varied(arch, "memory.0.size_kib", 8192))
    )
    assert spilled > kept + 112 * 112 * 64


STEPS = {
    "link.bandwidth_mb_per_s": (125, 250, 500, 1000, 2000, 4000, 8000, 16000),
    "memory.0.size_kib": (32, 64, 128, 256, 512, 1024),
    "clock_mhz": (50, 100, 200, 400, 800, 1600),
}


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize("name", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-512", "ethos-u85-2048"])
@pytest.mark.parametrize("model", ["resnet8", "ds_cnn", "mobilenet_v1_025_96"])
def test_twice_of_a_resource_helps_real_networks_or_costs_a_twentieth_at_most(model, name, path):
    """The compiler decides on estimates, before it knows which maps fit on chip: more may be a little slower."""
    workload, arch = load_workload(MODELS / f"{model}.h5"), hwsim.load_arch(name)
    times = [hwsim.estimate(workload, varied(arch, path, value)).latency_ms for value in STEPS[path]]
    assert all(much <= 1.05 * little for little, much in pairwise(times))
    assert times[-1] < times[0] or path == "memory.0.size_kib"


@pytest.mark.parametrize("name", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-512"])
@pytest.mark.parametrize("model", ["resnet8", "ds_cnn", "mobilenet_v1_025_96"])
def test_the_first_half_of_a_network_takes_less_time_than_all_of_it(model, name):
    layers = load_workload(MODELS / f"{model}.h5").layers
    half = [of(layer, is_output=False) for layer in layers[: len(layers) // 2]]
    part, whole = (hwsim.estimate(from_layers(found), hwsim.load_arch(name)).latency_ms for found in (half, layers))
    assert part < whole
