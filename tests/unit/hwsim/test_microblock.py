"""Micro-block arrays (Ethos-U): blocks, steps and streams against worked values."""

import numpy as np
import pytest
from msgspec.structs import replace

import hwsim
from hwsim.cost.output_block import Shape, block_of, buffer_of
from hwsim.engines.base import columns, find_engine
from hwsim.errors import SpecError
from hwsim.workload import entropy_bits, from_layers
from tests.unit.hwsim.small_layers import add, conv, depthwise


def dense(channels, filters, entropy=8.0, name="dense"):
    one = conv(channels, filters, 1, kernel=1, name=name)
    return type(one)(name=name, op="Dense", nest=one.nest, weight_key=f"{name}/w", weight_entropy_bits=entropy)


def cycles(layer, name):
    return hwsim.estimate(from_layers([layer]), hwsim.load_arch(name)).layers[1].cycles


@pytest.mark.parametrize(
    ("name", "macs"), [("ethos-u55-32", 32), ("ethos-u55-256", 256), ("ethos-u65-512", 512), ("ethos-u85-2048", 2048)]
)
def test_peak_is_the_number_in_the_name(name, macs):
    assert find_engine("microblock").peak_macs_per_cycle(hwsim.load_arch(name)) == macs


def test_block_of_a_convolution_is_the_one_the_compiler_takes():
    """16 x 16 x 32 outputs, 3x3 on 32 channels, 128 MACs: block 8 x 8 x 16 from an input block 10 x 10 x 32."""
    shape = Shape("mac", 16, 16, 32, 32, 8192, (3, 3), (1, 1))
    block = block_of(shape, buffer_of(hwsim.load_arch("ethos-u55-128").microblock))
    assert (block.height, block.width, block.depth) == (8, 8, 16)
    assert (block.rows, block.columns, block.channels, block.part) == (10, 10, 32, False)


def test_few_channels_share_a_step_of_four_taps():
    buffer = buffer_of(hwsim.load_arch("ethos-u55-128").microblock)
    assert block_of(Shape("mac", 32, 32, 16, 3, 3072, (3, 3), (1, 1)), buffer).part
    assert not block_of(Shape("mac", 32, 32, 16, 64, 65536, (3, 3), (1, 1)), buffer).part


def test_chosen_blocks_fit_the_shared_buffer():
    buffer = buffer_of(hwsim.load_arch("ethos-u55-64").microblock)
    for channels in (3, 16, 100):
        for size in (5, 17, 60):
            b = block_of(Shape("mac", size, size, 40, channels, size * size * channels, (5, 5), (1, 1)), buffer)
            sums = b.height * b.width * -(-b.depth // 8) * 8 * 4
            assert 2 * (sums + b.rows * b.columns * b.channels) <= buffer.shared


def test_a_convolution_that_fills_its_blocks_runs_at_the_peak_with_one_block_of_drain():
    """2304 cycles a block of 8 x 8 x 16 outputs, 8 blocks, and what a block takes to leave after the last."""
    got = cycles(conv(32, 32, 16), "ethos-u55-128")
    assert 8 * 2304 < got < 9 * 2304


def test_a_dense_layer_is_bound_by_its_weights_whatever_the_size_of_the_array():
    few, many = (cycles(dense(512, 512), name) for name in ("ethos-u55-128", "ethos-u55-256"))
    assert few == many == 512 * 512 + 10 * 512


@pytest.mark.parametrize("entropy", [2.0, 4.0, 6.0])
def test_weights_of_less_entropy_stream_faster(entropy):
    streamed = cycles(dense(1024, 256, entropy), "ethos-u55-256")
    assert streamed == pytest.approx(1024 * 256 * entropy * 1.07 / 8 + 2560, rel=1e-3)


def test_entropy_of_codes_is_that_of_shannon():
    assert entropy_bits(np.arange(256, dtype=np.uint8)) == 8.0
    assert entropy_bits(np.zeros(10, np.int8)) == 0.0
    assert entropy_bits(np.array([-1, 1], np.int8)) == 1.0
    assert entropy_bits(np.zeros(10, np.float32)) is None


def test_sums_of_elements_run_at_the_rate_of_the_output_unit():
    assert cycles(add(16384), "ethos-u55-128") == 24576
    assert cycles(add(16384), "ethos-u55-32") == 98304


def test_depthwise_uses_a_fraction_of_the_array():
    row = hwsim.estimate(from_layers([depthwise(64, 16)]), hwsim.load_arch("ethos-u55-256")).layers[1]
    assert row.utilization < 9 / 12 / 4


def test_staged_weights_arrive_while_the_layer_before_computes():
    """Many blocks over the image: weights are fetched in the idle time of the link."""
    layers = [conv(16, 16, 80, name="a"), conv(64, 64, 40, name="b")]
    arch = hwsim.load_arch("ethos-u55-256")
    slow = replace(arch, link=replace(arch.link, bandwidth_mb_per_s=replace(arch.link.bandwidth_mb_per_s, value=50)))
    after = hwsim.estimate(from_layers(layers), slow).layers[2].cycles
    alone = hwsim.estimate(from_layers(layers[1:]), slow).layers[1].cycles
    assert after < alone


def test_groups_cost_one_convolution_each():
    one = conv(16, 16, 16)
    grouped = replace_nest(one, G=4, inputs=(16 * 16 * 64,), outputs=16 * 16 * 64, weights=4 * one.nest.weights)
    table = columns([one, grouped])
    found = find_engine("microblock").cycles(table, hwsim.load_arch("ethos-u55-128")).compute
    assert found[1] == pytest.approx(4 * found[0])


def replace_nest(layer, **changes):
    from dataclasses import replace as of

    return of(layer, nest=of(layer.nest, **changes))


@pytest.mark.parametrize("key", ["cores", "bytes_per_cycle", "weights_per_cycle"])
def test_a_rate_of_zero_is_refused(tmp_path, key):
    path = tmp_path / "mine.toml"
    path.write_text(
        f'base = "ethos-u55-128"\nname = "mine"\n[microblock]\n{key} = {{ value = 0, source = "estimate: x" }}'
    )
    with pytest.raises(SpecError, match=rf"microblock\.{key}\.value=0 must be above 0"):
        hwsim.load_arch(str(path))


def test_a_buffer_smaller_than_a_microblock_is_refused():
    arch = hwsim.load_arch("ethos-u85-2048")
    tiny = replace(arch.microblock, sums_kib=replace(arch.microblock.sums_kib, value=0.5))
    with pytest.raises(SpecError, match=r"sums of 2 x 2 x 64 outputs need 2048 bytes, the buffer has 0"):
        hwsim.estimate(from_layers([conv(64, 64, 16)]), replace(arch, microblock=tiny))
