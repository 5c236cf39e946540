"""Graphics processors: bounds, blocks and launches against worked values; the times of HAWQ-V3, left out of the fit."""

from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

import hwsim
from hwsim.arch.vary import with_values
from hwsim.engines.base import columns, find_engine
from hwsim.errors import PrecisionError
from hwsim.validate import Workloads, compare, leave_one_out, read_folder, statistics
from hwsim.workload import Layer, LoopNest, from_layers
from tests.unit.hwsim.small_layers import add, conv

ENGINE = find_engine("tensorcore")
MHZ, MULTIPROCESSORS, PEAK = 1000.0, 10, 10240.0
"""Of the made device: clock, multiprocessors, MACs a cycle at 8 bits"""
MEMORY, CACHE = 100.0, 1000.0
"""Bytes a cycle"""


@pytest.fixture(scope="module")
def device():
    """A device of round numbers, which reaches all of its peaks at once and launches in no time."""
    values = {
        "clock_mhz": MHZ,
        "tensorcore.multiprocessors": MULTIPROCESSORS,
        "tensorcore.memory_mb_per_s": MEMORY * MHZ,
        "tensorcore.memory_reached_pct": 100,
        "tensorcore.cache_mb_per_s": CACHE * MHZ,
        "tensorcore.cache_reached_pct": 100,
        "tensorcore.cache_kib": 1,
        "tensorcore.kernel_us": 1e-9,
        "tensorcore.block_m": 64,
        "tensorcore.block_n": 64,
        "tensorcore.rates.w8a8.macs_per_cycle": PEAK,
        "tensorcore.rates.w8a8.reached_pct": 100,
        "overhead.layer_us": 0,
    }
    return with_values(hwsim.load_arch("t4"), values)


def gemm(M, N, K, bits=8):
    nest = LoopNest(kind="mac", N=M, K=N, C=K, inputs=(M * K,), weights=N * K, outputs=M * N)
    return Layer(name="g", op="Dense", nest=nest, weight_bits=bits, activation_bits=bits, weight_key="w")


def kernel(layer, arch):
    return float(ENGINE.kernel_cycles(columns([layer]), arch)[0])


def power_sum(*parts):
    return sum(part**3 for part in parts) ** (1 / 3)


def expected(M, N, K, block):
    """The engine's formulas for a product of whole blocks at 8 bits, results of 4 bytes, all beyond the cache."""
    blocks = (M // block) * (N // block)
    waves = -(-blocks // MULTIPROCESSORS)
    share = blocks / (waves * MULTIPROCESSORS)
    compute = M * N * K / (PEAK * share)
    cache = (N * K * (M // block) + M * K * (N // block)) / (CACHE * share)
    return power_sum(compute, cache, (M * K + N * K + 4 * M * N) / MEMORY)


@pytest.mark.parametrize("shape", [(640, 64, 512), (64, 64, 4096), (128, 320, 1024), (1280, 640, 64)])
def test_a_kernel_is_the_power_sum_of_its_three_bounds_in_the_best_blocks(device, shape):
    assert kernel(gemm(*shape), device) == pytest.approx(
        min(expected(*shape, block) for block in (64, 32, 16)), rel=1e-5
    )


def test_the_blocks_of_a_last_wave_leave_multiprocessors_idle(device):
    sizes = {"tensorcore.block_m": 8, "tensorcore.block_n": 8, "tensorcore.memory_mb_per_s": 1e12}
    one_size = with_values(device, sizes)
    ten, eleven = (kernel(gemm(8 * blocks, 8, 1 << 16), one_size) for blocks in (10, 11))
    assert 1.5 < eleven / ten <= 2.0


def test_sizes_are_rounded_up_to_the_tiles_of_an_instruction(device):
    compute = ENGINE.cycles(columns([gemm(640, 57, 1009), gemm(640, 64, 1024)]), device).compute
    assert compute[0] == pytest.approx(compute[1])


def test_weights_cross_the_cache_once_for_every_block_of_pixels(device):
    """With 8 pixels a block, K bytes of every filter are read M / 8 times: what bounds the kernels of HAWQ-V3."""
    narrow = with_values(device, {"tensorcore.block_m": 8})
    moved = ENGINE.moved(columns([gemm(6400, 64, 512)]), narrow)
    assert moved.weights[0] == 512 * 64 * 6400 // 8


def test_taps_of_a_window_share_the_inputs_of_a_block(device):
    one, nine = conv(64, 64, 40, kernel=1), conv(64, 64, 40, kernel=3)
    assert ENGINE.moved(columns([one]), device).input[0] == ENGINE.moved(columns([nine]), device).input[0]


def test_what_fits_the_shared_cache_does_not_wait_for_memory(device):
    layer = add(1000)
    near = with_values(device, {"tensorcore.cache_kib": 3})
    assert kernel(layer, device) == pytest.approx(3000 / MEMORY, rel=1e-5)
    assert kernel(layer, near) == pytest.approx(3000 / CACHE, rel=1e-5)
    assert ENGINE.moved(columns([layer]), device).dram[0] == 3000
    assert ENGINE.moved(columns([layer]), near).dram[0] == 0


def test_sums_of_32_bits_are_read_again_to_be_requantized(device):
    layer = gemm(640, 64, 64)
    fused = replace(device, tensorcore=replace(device.tensorcore, result_bytes=None))
    whole, alone = (float(ENGINE.cycles(columns([layer]), arch).total[0]) for arch in (device, fused))
    assert whole == pytest.approx(kernel(layer, device) + 640 * 64 * (4 + 1) / MEMORY, rel=1e-5)
    assert alone == pytest.approx(kernel(layer, fused), rel=1e-5)
    assert kernel(layer, fused) < kernel(layer, device)


def test_narrow_operands_do_not_help_a_layer_bound_by_its_results():
    """64 -> 256 channels, 1x1, batch 8: 25.7 MB of 32-bit sums against 3.2 MB of inputs."""
    eight, four = (kernel(gemm(25088, 256, 64, bits=bits), hwsim.load_arch("t4")) for bits in (8, 4))
    assert 1.0 < eight / four < 1.12


def test_pictures_are_gathered_element_by_element(device):
    fast = with_values(device, {"tensorcore.gathered_per_cycle": 1e9})
    picture, wide = conv(3, 64, 40), conv(4, 64, 40)
    one_by_one = 40 * 40 * 27 / (device.tensorcore.gathered_per_cycle.value * MULTIPROCESSORS)
    assert kernel(picture, device) - kernel(picture, fast) == pytest.approx(one_by_one, rel=1e-5)
    assert kernel(wide, device) == kernel(wide, fast)


def test_a_fused_sum_costs_the_reading_of_its_other_operand(device):
    fused = replace(device, tensorcore=replace(device.tensorcore, fused_elementwise=True))
    fused = with_values(fused, {"overhead.layer_us": 5, "tensorcore.kernel_us": 5})
    assert float(ENGINE.cycles(columns([add(6000)]), fused).total[0]) == pytest.approx(6000 / MEMORY)


def test_a_width_without_units_is_refused():
    with pytest.raises(PrecisionError, match="w4a4"):
        hwsim.estimate(from_layers([conv(8, 8, 8, bits=8), gemm(8, 8, 8, bits=4)]), hwsim.load_arch("v100"))


def test_every_kernel_pays_a_launch_and_its_start():
    arch = hwsim.load_arch("t4")
    tiny = hwsim.estimate(from_layers([gemm(8, 8, 16)]), arch).layers[1]
    assert tiny.bound == "overhead"
    assert tiny.latency_us >= arch.overhead.layer_us.value + arch.tensorcore.kernel_us.value


@pytest.mark.parametrize("path", ["memory_mb_per_s", "cache_mb_per_s", "cache_kib", "gathered_per_cycle"])
def test_more_of_anything_is_never_slower(path):
    arch, path = hwsim.load_arch("t4"), f"tensorcore.{path}"
    table = columns([gemm(1000, 100, 50), gemm(3, 5, 7, bits=4), conv(3, 16, 30), add(200_000)])
    times = [ENGINE.cycles(table, with_values(arch, {path: value})).total for value in (100, 1e4, 1e6, 1e9)]
    assert all((faster <= slower * (1 + 1e-12)).all() for slower, faster in pairwise(times))
    assert (times[-1] < times[0]).any()


HAWQ = {  # quantity -> largest mean, largest median of the absolute errors, every model left out of the fit
    "kernel_int4_int8_speedup": (0.10, 0.05),
    "layer_int4_int8_speedup": (0.10, 0.10),
    "kernel_us": (0.14, 0.12),
    "int4_int8_speedup": (0.10, 0.10),
    "latency_ms": (0.11, 0.10),
}


@pytest.fixture(scope="module")
def left_out(shared):
    """Rows of HAWQ-V3, each predicted with constants fitted to all other shapes and networks."""
    arch, workloads = hwsim.load_arch("t4"), Workloads()
    rows = read_folder(shared / "reference" / "published", [arch])
    fitted = leave_one_out(arch, rows, workloads)
    return [row for m in rows for row in compare([m], {"t4": fitted.get(m.model, arch)}, workloads)]


@pytest.mark.parametrize("quantity", HAWQ)
def test_hawq_v3_is_predicted_without_the_row(left_out, quantity):
    (group,) = [group for group in statistics(left_out) if group.quantity == quantity]
    mean, median = HAWQ[quantity]
    assert group.mean_abs_error <= mean
    assert group.median_abs_error <= median


def test_the_stated_uncertainty_is_the_error_of_networks_left_out(left_out):
    (group,) = [group for group in statistics(left_out) if group.quantity == "latency_ms"]
    assert hwsim.load_arch("t4").uncertainty.latency_pct.value == pytest.approx(100 * group.mean_abs_error, abs=1)


def test_one_layer_tuned_twice_differs_more_than_the_mean_error(shared):
    """The noise floor: two best records of the same convolution, of the two networks' tuning logs."""
    rows = read_folder(shared / "reference" / "published", [hwsim.load_arch("t4")])
    times: dict[tuple[str, int], list[float]] = {}
    for m in rows:
        if m.quantity == "kernel_us" and not m.excluded:
            times.setdefault((m.model, m.weights), []).append(m.value)
    assert max(max(t) / min(t) for t in times.values()) == pytest.approx(1.18, abs=0.005)
    assert np.mean([max(t) / min(t) for t in times.values() if len(t) > 1]) > 1.05


def test_a_stride_beyond_the_window_skips_the_bytes_between(device):
    def strided(stride):
        nest = LoopNest(
            kind="mac", K=16, C=64, OY=20, OX=20, FY=1, FX=1, stride=(stride, stride), inputs=(64 * 1600,), outputs=6400
        )
        return Layer(name="c", op="Conv2D", nest=nest, weight_bits=8, activation_bits=8)

    dram = [int(ENGINE.moved(columns([strided(stride)]), device).dram[0]) for stride in (1, 2)]
    assert dram[0] - dram[1] == 64 * 1600 * 3 // 4


def test_a_mac_takes_as_much_less_energy_as_its_units_are_faster():
    arch = hwsim.load_arch("t4")
    eight, four = (hwsim.estimate(from_layers([gemm(640, 64, 64, bits=bits)]), arch).layers[1] for bits in (8, 4))
    assert eight.energy_uj.mac == pytest.approx(640 * 64 * 64 * arch.energy.mac_pj.value / 1e6)
    assert four.energy_uj.mac == pytest.approx(eight.energy_uj.mac / 2)  # 260 TOPS over 130
