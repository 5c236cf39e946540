"""Graphics processors: tiles, memory and launches against worked values and the times of HAWQ-V3."""

import csv
import math

import pytest
from msgspec.structs import replace

import hwsim
from hwsim.engines.base import columns, find_engine
from hwsim.errors import PrecisionError
from hwsim.workload import Layer, LoopNest, from_layers
from tests.unit.hwsim.small_layers import conv


def gemm(M, N, K, bits=8):
    nest = LoopNest(kind="mac", N=M, K=N, C=K, inputs=(M * K,), weights=N * K, outputs=M * N)
    return Layer(name="g", op="Dense", nest=nest, weight_bits=bits, activation_bits=bits, weight_key="w")


def parts(layer, name="t4"):
    arch = hwsim.load_arch(name)
    found = find_engine("tensorcore").cycles(columns([layer]), arch)
    return float(found.compute[0]), float((found.compute + found.stall)[0])


def test_a_large_product_runs_at_the_share_of_the_peak_that_is_reached():
    compute, _ = parts(gemm(4096, 4096, 4096))
    assert compute == pytest.approx(4096**3 / (40960 * 0.104))


def test_sizes_are_rounded_up_to_the_tiles_of_an_instruction():
    assert parts(gemm(4096, 1025, 1024))[0] == pytest.approx(parts(gemm(4096, 1032, 1024))[0])
    assert parts(gemm(4096, 1024, 1017, bits=4))[0] == pytest.approx(parts(gemm(4096, 1024, 1024, bits=4))[0])


def test_few_outputs_leave_multiprocessors_idle():
    one = parts(gemm(64, 64, 4096))[0]
    forty = parts(gemm(64 * 40, 64, 4096))[0]
    assert one == pytest.approx(forty)


def test_narrow_operands_do_not_help_a_layer_bound_by_its_results():
    """64 -> 256 channels, 1x1: 25.7 MB of 32-bit sums against 3.2 MB of inputs."""
    eight, four = (parts(gemm(25088, 256, 64, bits=bits))[1] for bits in (8, 4))
    assert 1.0 < eight / four < 1.1


def test_a_width_without_units_is_refused():
    with pytest.raises(PrecisionError, match="w4a4"):
        hwsim.estimate(from_layers([conv(8, 8, 8, bits=8), gemm(8, 8, 8, bits=4)]), hwsim.load_arch("v100"))


def test_every_kernel_pays_a_launch():
    arch = hwsim.load_arch("t4")
    tiny = hwsim.estimate(from_layers([gemm(8, 8, 16)]), arch).layers[1]
    assert tiny.bound == "overhead"
    assert tiny.latency_us >= arch.overhead.layer_us.value


def hawq(shared, kind):
    path = shared / "reference" / "published" / "hawqv3_t4.csv"
    times: dict[tuple[int, ...], dict[int, list[float]]] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["record_type"] == kind and "nhwc" not in row["layer"]:
                key = tuple(int(row[c]) for c in ("in_c", "out_c", "kernel", "stride", "in_h", "out_h"))
                times.setdefault(key, {}).setdefault(int(row["weight_bits"]), []).append(float(row["latency_ms"]))
    return {k: {b: math.exp(sum(map(math.log, t)) / len(t)) for b, t in v.items()} for k, v in times.items()}


def layer_us(key, bits):
    channels, filters, kernel, stride, size, out = key
    nest = LoopNest(
        kind="mac",
        N=8,
        K=filters,
        C=channels,
        OY=out,
        OX=out,
        FY=kernel,
        FX=kernel,
        stride=(stride, stride),
        inputs=(8 * size * size * channels,),
        weights=kernel * kernel * channels * filters,
        outputs=8 * out * out * filters,
    )
    layer = Layer(name="c", op="Conv2D", nest=nest, weight_bits=bits, activation_bits=bits, weight_key="w")
    return parts(layer)[1] / 1590


@pytest.mark.parametrize(("kind", "mean", "worst"), [("per_layer_lookup", 0.06, 0.16), ("tuned_kernel", 0.16, 0.42)])
def test_ratios_of_layers_at_eight_and_four_bits_are_near_the_published(shared, kind, mean, worst):
    errors = [
        abs(layer_us(key, 8) / layer_us(key, 4) / (t[8] / t[4]) - 1)
        for key, t in hawq(shared, kind).items()
        if 8 in t and 4 in t
    ]
    assert len(errors) >= 10
    assert sum(errors) / len(errors) < mean
    assert max(errors) < worst


def test_more_memory_bandwidth_is_never_slower():
    arch = hwsim.load_arch("t4")
    table = columns([gemm(1000, 100, 50), gemm(3, 5, 7, bits=4)])
    before = find_engine("tensorcore").cycles(table, arch).total
    unit = arch.tensorcore
    faster = replace(unit, memory_mb_per_s=replace(unit.memory_mb_per_s, value=2 * unit.memory_mb_per_s.value))
    assert (find_engine("tensorcore").cycles(table, replace(arch, tensorcore=faster)).total <= before).all()
