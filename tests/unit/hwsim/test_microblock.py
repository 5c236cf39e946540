"""Micro-block arrays (Ethos-U): blocks, steps and streams against worked values."""

from dataclasses import replace as of
from math import ceil

import numpy as np
import pytest
from msgspec.structs import replace

import hwsim
from hwsim.engines.base import columns, find_engine
from hwsim.errors import SpecError
from hwsim.mapping.block_cycles import Ends, run_cycles
from hwsim.mapping.block_shape import Shape, buffer_of, input_unit
from hwsim.mapping.layer_shape import image_of, shape_of
from hwsim.mapping.memory_port import channel_rate, memories, stretch
from hwsim.mapping.output_block import block_of
from hwsim.mapping.weight_staging import Fetch
from hwsim.workload import LoopNest, from_layers
from hwsim.workload.deployed import entropy_bits
from tests.unit.hwsim.small_layers import add, conv, depthwise

DEVICES = tuple(name for name in hwsim.archs() if name.startswith("ethos-"))


def dense(channels, filters, entropy=8.0, name="dense"):
    one = conv(channels, filters, 1, kernel=1, name=name)
    return of(one, op="Dense", weight_entropy_bits=entropy, channels=filters)


def cycles(layer, name):
    return hwsim.estimate(from_layers([layer]), hwsim.load_arch(name)).layers[1].cycles


def square(kind, size, filters, channels, side, stride=1):
    given = size * stride
    return Shape(kind, size, size, filters, given, given, channels, (side, side), (stride, stride))


def buffer(name):
    return buffer_of(hwsim.load_arch(name).microblock)


@pytest.mark.parametrize("name", DEVICES)
def test_peak_is_the_number_in_the_name(name):
    assert find_engine("microblock").peak_macs_per_cycle(hwsim.load_arch(name)) == int(name.rpartition("-")[2])


def test_block_of_a_convolution_is_the_one_the_compiler_takes():
    """16 x 16 x 32 outputs, 3x3 on 32 channels, 128 MACs: block 8 x 8 x 16 from an input block 10 x 10 x 32."""
    block = block_of(square("mac", 16, 32, 32, 3), buffer("ethos-u55-128"))
    assert (block.height, block.width, block.depth) == (8, 8, 16)
    assert (block.rows, block.columns, block.channels, block.part) == (10, 10, 32, False)


@pytest.mark.parametrize("name", ["ethos-u55-128", "ethos-u85-512"])
def test_few_channels_share_a_step_of_four_taps(name):
    assert block_of(square("mac", 32, 16, 3, 3), buffer(name)).part
    assert not block_of(square("mac", 32, 16, 64, 1), buffer(name)).part


@pytest.mark.parametrize("kind", ["mac", "depthwise", "pool"])
@pytest.mark.parametrize("name", DEVICES)
def test_chosen_blocks_fit_the_buffers(name, kind):
    room = buffer(name)
    for channels in (3, 16, 100):
        for size in (5, 17, 60):
            b = block_of(square(kind, size, channels if kind != "mac" else 40, channels, 5), room)
            sums, held = b.height * b.width * -(-b.depth // 8) * 8 * 4, b.rows * b.columns * min(b.channels, channels)
            if room.shared:
                assert 2 * (sums + held) <= room.shared
            else:
                assert sums <= room.sums
                assert held <= room.inputs


def test_dilated_windows_hold_the_rows_between_their_taps():
    shape = Shape("mac", 16, 16, 32, 18, 18, 32, (3, 3), (1, 1), (2, 2))
    block = block_of(shape, buffer("ethos-u55-256"))
    assert block.rows == ceil((block.height - 1 + 5) / 2) * 2


@pytest.mark.parametrize(
    ("name", "unit"), [("ethos-u85-128", (1, 2, 16)), ("ethos-u85-256", (2, 2, 16)), ("ethos-u85-2048", (4, 4, 16))]
)
def test_bricks_of_the_input_buffer_trade_area_for_depth(name, unit):
    room = buffer(name)
    micro = room.micro[0][0]
    assert input_unit(16, micro, room) == unit
    rows, columns, deep = input_unit(64, micro, room)
    assert rows * columns * deep == np.prod(unit)


def test_the_image_behind_a_window_is_found_from_its_area():
    assert image_of(33 * 37, (29, 33), (3, 3), (1, 1), (2, 2)) == (33, 37)
    assert image_of(49 * 10, (25, 5), (10, 4), (2, 2), (1, 1)) == (49, 10)


def test_a_channel_has_no_more_than_its_bursts_in_flight():
    """Weights from DRAM: 128 reads * 16 bytes in bursts of 128 every 500 cycles, 80 % of them."""
    near, far = memories(hwsim.load_arch("ethos-u85-256"))
    assert channel_rate(far, "weights") == pytest.approx(128 * 16 / 500 * 0.8)
    assert channel_rate(far, "scales") == pytest.approx(16 * 16 / 500 * 0.8)
    assert channel_rate(near, "weights") == pytest.approx(64 * 2 * 8 * 0.8 / 32 * 0.8)
    _, flash = memories(hwsim.load_arch("ethos-u55-128"))
    assert channel_rate(flash, "weights") == channel_rate(flash, "scales") == 1


def test_runs_shorter_than_a_burst_waste_the_rest_of_it():
    """A picture of 3 channels, read 16 channels at a time, leaves 112 of the 128 bytes of a burst unused."""
    _, far = memories(hwsim.load_arch("ethos-u85-256"))
    shape = square("mac", 32, 16, 3, 3)
    block = block_of(shape, buffer("ethos-u85-256"))
    assert stretch(far, shape, block, linear=True, reads=True, cores=1) == 8
    assert stretch(far, shape, block, linear=False, reads=True, cores=1) == 1


def test_a_convolution_that_fills_its_blocks_runs_at_the_peak_between_its_first_input_and_its_last_output():
    """2304 cycles a block of 8 x 8 x 16 outputs, 8 blocks, 512 to put the last one out; both ends over a port of 8
    bytes: 32 + 10 * 10 * 32 / 8 and 32 + 8 * 8 * 16 / 8. The command of a block takes longer than its output."""
    arch = hwsim.load_arch("ethos-u55-128")
    shape, (near, _) = square("mac", 16, 32, 32, 3), memories(arch)
    block = block_of(shape, buffer("ethos-u55-128"))
    reads, writes = 32 + 10 * 10 * 32 / 8, 32 + 8 * 8 * 16 / 8
    command = (2304 + 512 + reads - writes) / 4
    found = run_cycles(shape, block, Ends(near, near, False, False), arch.microblock, rate=0.5, bias_cycles=0)
    assert found == 8 * 2304 + command + reads + writes


@pytest.mark.parametrize("pair", [("ethos-u55-128", "ethos-u55-256")])
def test_a_dense_layer_is_bound_by_its_weights_whatever_the_size_of_the_array(pair):
    few, many = (cycles(dense(512, 512), name) for name in pair)
    assert few == many == 512 * 512 + 10 * 512


@pytest.mark.parametrize("entropy", [2.0, 4.0, 6.0])
def test_weights_of_less_entropy_stream_faster(entropy):
    arch = hwsim.load_arch("ethos-u55-256")
    coded = 1024 * 256 * entropy * arch.link.coded_pct.value / 100 / 8
    assert cycles(dense(1024, 256, entropy), "ethos-u55-256") == pytest.approx(coded + 10 * 256, rel=1e-3)


def test_scales_have_a_channel_of_their_own_that_binds_small_convolutions():
    """Every block over the image reads 10 bytes a filter again, two bursts at a time."""
    layer = conv(64, 64, 48, kernel=1)
    arch = hwsim.load_arch("ethos-u85-1024")
    block = block_of(shape_of(columns([layer]), 0), buffer_of(arch.microblock))
    image = ceil(48 / block.height) * ceil(48 / block.width)
    rate = channel_rate(memories(arch)[1], "scales")
    assert cycles(layer, "ethos-u85-1024") >= image * 640 / rate


def test_entropy_of_codes_is_that_of_shannon():
    assert entropy_bits(np.arange(256, dtype=np.uint8)) == 8.0
    assert entropy_bits(np.zeros(10, np.int8)) == 0.0
    assert entropy_bits(np.array([-1, 1], np.int8)) == 1.0
    assert entropy_bits(np.zeros(10, np.float32)) is None


def test_sums_of_elements_run_at_the_rate_of_the_output_unit():
    assert cycles(add(16384), "ethos-u55-128") == 24576
    assert cycles(add(16384), "ethos-u55-32") == 98304


def test_elements_of_a_brick_that_is_not_full_cost_as_much():
    full, part = (of(add(576 * deep), channels=deep) for deep in (32, 24))
    layers = [conv(8, 32, 24), full], [conv(8, 24, 24), part]
    arch = hwsim.load_arch("ethos-u55-128")
    of_full, of_part = (hwsim.estimate(from_layers(found), arch).layers[2].cycles for found in layers)
    assert of_full == of_part


def test_depthwise_uses_a_fraction_of_the_array():
    row = hwsim.estimate(from_layers([depthwise(64, 16)]), hwsim.load_arch("ethos-u55-256")).layers[1]
    assert row.utilization < 9 / 12 / 4


def test_depthwise_on_one_channel_is_a_convolution():
    nest = of(depthwise(1, 16).nest, K=8, weights=72, outputs=16 * 16 * 8)
    layers = columns([of(depthwise(1, 16), nest=nest), depthwise(8, 16)])
    assert (shape_of(layers, 0).kind, shape_of(layers, 1).kind) == ("mac", "depthwise")


def test_weights_of_one_channel_skip_the_zeros_beside_them():
    """Of two channels or fewer, half of the four products a step are of zero; of sixteen none."""
    one, many = (conv(deep, 64, 32) for deep in (1, 16))
    arch = hwsim.load_arch("ethos-u85-256")
    plain = replace(arch, microblock=replace(arch.microblock, skips_zeros=False))
    skipped, paid = (hwsim.estimate(from_layers([one]), device).layers[1].cycles for device in (arch, plain))
    assert skipped < paid
    same = {hwsim.estimate(from_layers([many]), device).layers[1].cycles for device in (arch, plain)}
    assert len(same) == 1


def test_staged_weights_arrive_while_the_layer_before_computes():
    """Many blocks over the image: weights are fetched once, in the time of the layer before."""
    layers = [conv(16, 16, 80, name="a"), conv(64, 64, 40, name="b")]
    arch = hwsim.load_arch("ethos-u55-256")
    slow = replace(arch, link=replace(arch.link, bandwidth_mb_per_s=replace(arch.link.bandwidth_mb_per_s, value=50)))
    after = hwsim.estimate(from_layers(layers), slow).layers[2].cycles
    alone = hwsim.estimate(from_layers(layers[1:]), slow).layers[1].cycles
    assert after < alone


def test_weights_that_the_layer_before_is_too_short_to_hide_are_waited_for():
    """What the layer before takes longer, this one takes less, until the fetch is hidden."""
    arch, last = hwsim.load_arch("ethos-u65-256"), conv(64, 16, 32)
    times = []
    for size in (4, 6, 64):
        layers = hwsim.estimate(from_layers([conv(16, 16, 4), conv(16, 16, size, 1), last]), arch).layers
        times.append((layers[-2].cycles, layers[-1].cycles))
    (short, waited), (longer, less), (_, hidden) = times
    assert waited - less == pytest.approx(longer - short)
    assert longer > short
    assert less > hidden


@pytest.mark.parametrize(
    ("depth", "block", "run", "full", "share", "slices"),
    [
        (384, 48, 20624, 25632, 0.42, (160, 144, 80)),
        (384, 48, 20624, 25600, 0.38, (144, 144, 96)),
        (384, 16, 29864, 7472, 0.5, (192, 192)),
        (64, 32, 21064, 22416, 0.5, (32, 32)),
    ],
)
def test_slices_of_staged_weights_are_those_of_the_compiler(depth, block, run, full, share, slices):
    """Slices that ethos-u-vela 5.2 cut on an Ethos-U55-128; the last one leaves time for the weights of the next."""
    fetch = Fetch(share=share, slack=share * full, first=share * full, full=full, smallest=full * 16 / depth, unit=16)
    assert fetch.first_filters(depth) == slices[0]
    assert fetch.last_filters(depth, block, run) == slices[-1]


def test_groups_cost_one_convolution_each_and_a_pass_over_the_joined_outputs():
    one, size = of(conv(16, 16, 16), sources=(-1,)), 16 * 16 * 64
    nest = of(one.nest, G=4, inputs=(size,), outputs=size, weights=4 * one.nest.weights)
    whole = LoopNest(kind="pool", G=64, OY=16, OX=16, inputs=(size,), outputs=size)
    layers = one, of(one, nest=nest, channels=64), of(one, op="AveragePool2D", nest=whole, channels=64)
    arch = hwsim.load_arch("ethos-u55-128")
    single, four, through = (hwsim.estimate(from_layers([layer]), arch).layers[1].cycles for layer in layers)
    assert four == pytest.approx(4 * single + through, rel=1e-3)


@pytest.mark.parametrize("key", ["cores.value", "near.burst_bytes.value", "weights_per_cycle.value"])
def test_a_rate_of_zero_is_refused(tmp_path, key):
    path = tmp_path / "mine.toml"
    source = key.replace("value", "source")
    path.write_text(f"""base = "ethos-u55-128"
name = "mine"
[microblock]
{key} = 0
{source} = "estimate: x"
""")
    with pytest.raises(SpecError, match=rf"microblock\.{key}=0 must be above 0"):
        hwsim.load_arch(str(path))


def test_a_buffer_smaller_than_a_microblock_is_refused():
    arch = hwsim.load_arch("ethos-u85-2048")
    tiny = replace(arch.microblock, sums_kib=replace(arch.microblock.sums_kib, value=0.5))
    with pytest.raises(SpecError, match=r"sums of 2 x 2 x 64 outputs need 2048 bytes, the buffer has 0|512"):
        hwsim.estimate(from_layers([conv(64, 64, 16)]), replace(arch, microblock=tiny))
