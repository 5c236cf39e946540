"""Published times of single layers and speed-ups between widths: how rows become measurements, and the fit to them."""

import math

import pytest

import hwsim
from hwsim.arch.vary import numbers, with_values
from hwsim.engines.base import columns, find_engine
from hwsim.errors import SpecError
from hwsim.validate import Measurement, Workloads, compare, fitted, read_folder
from hwsim.validate.compare import predict, predicted

HEADER = (
    "record_type,network,in_c,out_c,kernel,stride,in_h,in_w,out_h,out_w,batch,weight_bits,act_bits,latency_ms,gpu\n"
)
SHAPE = "64,128,3,2,56,56,28,28"
NAME = "conv 3x3/2 64-128 56x56-28x28"


@pytest.fixture
def measured(tmp_path):
    rows = [
        f"tuned,A,{SHAPE},8,8,8,0.10,NVIDIA T4",
        f"tuned,B,{SHAPE},8,8,8,0.40,NVIDIA T4",
        f"tuned,A,{SHAPE},8,4,4,0.05,NVIDIA T4",
        f"lookup,A,{SHAPE},,8,8,3,NVIDIA T4",
        f"lookup,A,{SHAPE},,4,4,2,NVIDIA T4",
        "end,ResNet18,,,,,,,,,8,32,32,9,NVIDIA T4",
        "end,ResNet18,,,,,,,,,8,8,8,3,NVIDIA T4",
        "end,ResNet18,,,,,,,,,8,mixed4/8,mixed4/8,2.5,NVIDIA T4",
    ]
    (tmp_path / "gpu.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return read_folder(tmp_path, [hwsim.load_arch("t4")])


def test_a_row_with_a_shape_is_the_time_of_one_kernel(measured):
    kernels = [m for m in measured if m.quantity == "kernel_us"]
    assert [(m.line, m.model, m.value, m.batch, m.weights) for m in kernels] == [
        (2, NAME, 100, 8, 8),
        (3, NAME, 400, 8, 8),
        (4, NAME, 50, 8, 4),
        (5, NAME, 3000, 8, 8),
        (6, NAME, 2000, 8, 4),
    ]
    assert [bool(m.excluded) for m in kernels] == [False, False, False, True, True]


def test_two_widths_of_one_model_make_a_speed_up_of_geometric_means(measured):
    found = {m.quantity: m for m in measured if m.over}
    assert set(found) == {"kernel_int4_int8_speedup", "layer_int4_int8_speedup", "int8_fp32_speedup"}
    assert found["kernel_int4_int8_speedup"].value == pytest.approx(math.sqrt(100 * 400) / 50)
    assert found["layer_int4_int8_speedup"].value == pytest.approx(3 / 2)
    assert found["int8_fp32_speedup"].value == pytest.approx(9 / 3)
    assert {(m.weights, m.over) for m in found.values()} == {(4, 8), (8, 32)}
    assert not any(m.excluded for m in found.values())


def test_a_predicted_speed_up_is_the_quotient_of_the_predicted_times(measured):
    arch, workloads = hwsim.load_arch("t4"), Workloads()
    for m in (m for m in measured if m.over):
        quantity = "kernel_us" if m.quantity.startswith("kernel") else "latency_ms"
        narrow, wide = (predict(workloads.find(m.model, 8, b, b), arch, quantity) for b in (m.weights, m.over))
        assert predicted(m, arch, workloads) == pytest.approx(wide / narrow)
    rows = compare(measured, {"t4": arch}, workloads)
    assert all((row.error is None) == bool(row.excluded) for row in rows)


def test_the_named_convolution_has_the_loops_of_its_shape():
    (layer,) = Workloads().find(NAME, 8, 4, 4).layers
    assert layer.nest.macs == 8 * 28 * 28 * 128 * 64 * 9
    assert (sum(layer.nest.inputs), layer.nest.outputs) == (8 * 56 * 56 * 64, 8 * 28 * 28 * 128)
    assert (layer.nest.stride, layer.nest.weights, layer.weight_bits) == ((2, 2), 9 * 64 * 128, 4)


def test_the_time_of_a_kernel_leaves_out_its_launch_and_the_pass_behind_it():
    arch, work = hwsim.load_arch("t4"), Workloads().find(NAME, 8)
    table = columns(work.layers)
    after = float(find_engine("tensorcore").cycles(table, arch).total[0]) / arch.clock_mhz.value
    sums = 8 * 28 * 28 * 128 * (4 + 1) / (0.79 * 320e9) * 1e6
    assert sums < 8 * 28 * 28 * 128 * 5  # 4.0 MB: within the cache of 4 MiB, so faster than memory
    apart = after - predict(work, arch, "kernel_us") - arch.overhead.layer_us.value
    assert 0 < apart < sums
    assert predict(work, arch, "latency_ms") * 1e3 == pytest.approx(after)


def test_entries_of_a_list_are_named_by_their_precision():
    arch = hwsim.load_arch("t4")
    path = "tensorcore.rates.w4a4.reached_pct"
    assert path in numbers(arch)
    changed = with_values(arch, {path: 33})
    assert {r.precision: r.reached_pct.value for r in changed.tensorcore.rates}["w4a4"] == 33
    assert numbers(changed)["tensorcore.rates.w8a8.reached_pct"] == numbers(arch)["tensorcore.rates.w8a8.reached_pct"]
    with pytest.raises(SpecError, match="has no entry 'w3a3'; entries are w8a8, w4a4"):
        with_values(arch, {"tensorcore.rates.w3a3.reached_pct": 1})


def test_a_fit_to_kernels_finds_the_constants_that_made_their_times():
    workloads = Workloads()
    arch = hwsim.load_arch("t4")
    truth = with_values(arch, {"tensorcore.cache_reached_pct": 95, "tensorcore.memory_reached_pct": 65})
    names = ("conv 3x3/1 64-64 56x56-56x56", "conv 1x1/1 64-256 56x56-56x56", "conv 3x3/1 256-256 14x14-14x14")
    made = []
    for line, name in enumerate(names):
        time = predict(workloads.find(name, 8), truth, "kernel_us")
        made.append(
            Measurement(file="f", line=line, device="t4", model=name, quantity="kernel_us", value=time, batch=8)
        )
    found = fitted(arch, made, workloads)
    for m in made:
        assert predict(workloads.find(m.model, 8), found, "kernel_us") == pytest.approx(m.value, rel=0.05)
