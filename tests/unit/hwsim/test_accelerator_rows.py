"""Rows of tables of accelerators: layers, designs of a family, applications by counts, operating points."""

import numpy as np
import pytest

import hwsim
from hwsim.arch.vary import with_values
from hwsim.cost.area import area_mm2
from hwsim.engines.base import columns, find_engine
from hwsim.errors import WorkloadError
from hwsim.validate import Workloads, compare, fitted, read_folder, statistics
from hwsim.validate.accelerator_values import accelerator_value, labels_of
from hwsim.validate.fit import constants, priors

HEAD = "chip,network,batch,layer,power_mw,total_latency_ms,processing_latency_ms,zeros_in_ifmap_pct,gbuf_access_mb,"
LAYERS = HEAD + "dram_access_mb,confidence\n"
CHIP = "Eyeriss v1 65nm"


@pytest.fixture(scope="module")
def workloads():
    return Workloads()


def folder(tmp_path, *lines):
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def eyeriss_rows(tmp_path, *rows):
    return folder(tmp_path, LAYERS.strip(), *(f"{CHIP},{row},read" for row in rows))


def test_a_row_of_a_layer_is_that_layer_with_the_zeros_of_the_table(tmp_path, workloads):
    arch = hwsim.load_arch("eyeriss")
    data = eyeriss_rows(tmp_path, "VGG-16,3,CONV4-2,261,254.8,210.0,74.7,643.7,28.6", "VGG-16,3,CONV4-3,,,,85.4,,22.8")
    found = read_folder(data, [arch])
    assert [(m.line, m.quantity, m.value) for m in found] == [
        *((2, "latency_ms", 254.8), (2, "processing_ms", 210.0), (2, "buffer_mb", 643.7), (2, "off_chip_mb", 28.6)),
        *((2, "power_mw", 261), (3, "off_chip_mb", 22.8)),
    ]
    assert {(m.weights, m.batch) for m in found} == {(16, 3)}
    network = workloads.find("VGG-16", 3, 16, 16)
    table = columns(network.layers)
    place = labels_of(network)["CONV4-2"]
    assert (table.OY[place], table.N[place], table.K[place]) == (28, 512, 512 * 9)
    done = find_engine("row_stationary").cycles(table, arch)
    values = {m.quantity: accelerator_value(m, arch, workloads) for m in found if m.line == 2}
    assert values["processing_ms"] == pytest.approx(done.total[place] / 200e3)
    fewer = eyeriss_rows(tmp_path, "VGG-16,3,CONV4-2,,,,0,,28.6")
    (dense,) = read_folder(fewer, [arch])
    assert accelerator_value(dense, arch, workloads) > values["off_chip_mb"]


def test_the_total_is_the_sum_of_the_layers_of_the_table(tmp_path, workloads):
    arch = hwsim.load_arch("eyeriss")
    data = eyeriss_rows(tmp_path, *(f"AlexNet,4,{name},200,10,9,50,9,3" for name in ("CONV1", "CONV3", "Total")))
    by_line = {}
    for m in read_folder(data, [arch]):
        by_line.setdefault(m.quantity, []).append(accelerator_value(m, arch, workloads))
    for quantity in ("latency_ms", "buffer_mb", "off_chip_mb", "processing_ms"):
        first, third, total = by_line[quantity]
        assert total == pytest.approx(first + third)
    assert min(by_line["power_mw"][:2]) < by_line["power_mw"][2] < max(by_line["power_mw"][:2])


def test_a_clock_in_the_name_of_the_chip_is_that_of_its_rows(tmp_path, workloads):
    arch = hwsim.load_arch("eyeriss")
    rows = [f"Eyeriss v1 65nm {mhz} MHz,AlexNet,4,conv3,,,9,72.5%,9,,read" for mhz in (100, 200)]
    slow, fast = (m for m in read_folder(folder(tmp_path, LAYERS.strip(), *rows), [arch]) if m.quantity != "buffer_mb")
    assert accelerator_value(slow, arch, workloads) == pytest.approx(2 * accelerator_value(fast, arch, workloads))
    assert slow.detail.shares[0] == ("conv3", 0.725)


def test_a_layer_that_the_network_lacks_is_named(tmp_path, workloads):
    arch = hwsim.load_arch("eyeriss")
    (m,) = read_folder(eyeriss_rows(tmp_path, "AlexNet,4,CONV9,,,9,,,"), [arch])
    with pytest.raises(WorkloadError, match="layer 'CONV9' of the table is none of the network's, which are CONV1"):
        accelerator_value(m, arch, workloads)
    (row,) = compare([m], {arch.name: arch}, workloads)
    assert row.predicted is None
    assert "CONV9" in row.excluded


def test_constants_of_eyeriss_come_out_of_the_table(shared, workloads):
    """The specification holds what the fit gives, to three digits, and typical values of the engine lie elsewhere."""
    arch = hwsim.load_arch("eyeriss")
    rows = read_folder(shared / "reference" / "published", [arch])
    start = with_values(arch, {path: value for path, (value, _, _) in priors(arch).items()})
    found = constants(fitted(start, rows, workloads))
    assert set(found) == {"link.bandwidth_mb_per_s", "energy.static_mw", "energy.mac_pj"}
    assert found == pytest.approx(constants(arch), rel=2e-3)
    assert all(abs(np.log(priors(arch)[path][0] / value)) > 0.02 for path, value in found.items())


def test_errors_of_the_table_are_within_the_stated_ones(shared, workloads):
    arch = hwsim.load_arch("eyeriss")
    rows = compare(read_folder(shared / "reference" / "published", [arch]), {arch.name: arch}, workloads)
    worst = {"latency_ms": 0.10, "processing_ms": 0.045, "buffer_mb": 0.01, "off_chip_mb": 0.02, "power_mw": 0.07}
    groups = {g.quantity: g for g in statistics(rows)}
    assert {name: group.rows for name, group in groups.items()} == dict.fromkeys(worst, 6)
    for row in rows:
        assert row.excluded == ""
        assert abs(row.error) < worst[row.quantity], (row.model, row.quantity)


def test_a_design_takes_the_sizes_of_its_row(tmp_path, workloads):
    """512 products are 32 x 16, as the design of that size has them; 128 are 32 x 4 of the next larger one."""
    arch = hwsim.load_arch("nvdla-full")
    head = "macs,conv_buffer_kb,dram_bw_gb_s,clock_mhz,resnet50_int8_fps,area_mm2_16nm,area_mm2_28nm,confidence"
    data = folder(tmp_path, head, "512,256,10,1000,93,1.4,2.3,read", "128,256,2,500,20,,,read")
    found = read_folder(data, [arch])
    assert [(m.line, m.model, m.quantity) for m in found] == [
        (2, "resnet50", "fps"),
        (2, "resnet50", "area_mm2"),
        (3, "resnet50", "fps"),
    ]
    network = workloads.find("resnet50")
    named = hwsim.load_arch("nvdla-512")
    assert accelerator_value(found[0], arch, workloads) == pytest.approx(
        hwsim.estimate(network, named).throughput_per_s
    )
    assert accelerator_value(found[1], arch, workloads) == pytest.approx(hwsim.estimate(network, named).area_mm2)
    assert dict(found[2].detail.design) == {
        "atomic.buffer_kib": 256,
        "link.bandwidth_mb_per_s": 2000,
        "clock_mhz": 500,
        "atomic.channels": 32,
        "atomic.kernels": 4,
    }


def test_dense_layers_share_their_weights_among_a_batch_of_their_own(tmp_path, workloads):
    """AlexNet's dense weights, 58.6 MB, take 5.9 ms at 10 GB/s; shared by 16 inputs a sixteenth of it."""
    arch = hwsim.load_arch("nvdla-full")
    head = "network,macs,conv_buffer_kb,clock_mhz,dram_bw_gb_s,fc_batch,fps,confidence"
    alone, shared_16 = (
        accelerator_value(read_folder(folder(tmp_path, head, row), [arch])[0], arch, workloads)
        for row in ("AlexNet,2048,512,1000,10,1,9,read", "AlexNet,2048,512,1000,10,16,9,read")
    )
    assert 1e3 / alone - 1e3 / shared_16 == pytest.approx(5.86 * 15 / 16, rel=0.01)


def test_an_application_is_equal_layers_with_its_counts(tmp_path, workloads):
    arch = hwsim.load_arch("tpu-v1")
    head = "app,layers,weights,ops_per_weight_byte,batch,useful_macs_pct,measured_tops,confidence"
    data = folder(tmp_path, head, "MLP0,5,20000000,200,200,12.5,12.3,read", "CNN0,16,8000000,2888,8,78.2,86,read")
    found = read_folder(data, [arch])
    assert [m.quantity for m in found] == ["tops", "utilization_pct"] * 2
    for m, weights, uses in ((found[0], 20e6, 200), (found[2], 8e6, 2888)):
        network = workloads.find(m.model)
        assert sum(layer.nest.weights for layer in network.layers) == pytest.approx(weights, rel=0.01)
        assert network.macs == pytest.approx(weights * uses, rel=0.01)
    tops, percent = (accelerator_value(m, arch, workloads) for m in found[:2])
    assert tops == pytest.approx(percent / 100 * 2 * 65536 * 700e6 / 1e12)
    assert tops == pytest.approx(2 * 200 * 34e9 / 1e12, rel=0.06)  # each weight comes once from memory at 34 GB/s


def test_operating_points_are_the_peak_of_the_device(shared, workloads):
    names = ("yodann", "yodann-0v6", "chewbaccann", "xne")
    devices = {name: hwsim.load_arch(name) for name in names}
    rows = compare(read_folder(shared / "reference" / "published", devices.values()), devices, workloads)
    compared = [row for row in rows if row.error is not None]
    assert {row.device for row in compared} == set(names)
    assert len(compared) == 11
    assert all(abs(row.error) < 0.025 for row in compared)


def test_a_chip_of_which_only_the_area_is_known_has_that_area_whatever_its_sizes():
    arch = hwsim.load_arch("eyeriss")
    assert area_mm2(arch) == area_mm2(with_values(arch, {"row_stationary.rows": 24})) == 12.25
    assert area_mm2(hwsim.load_arch("xne")) is None


def test_figures_that_were_recalled_are_not_compared(tmp_path):
    arch = hwsim.load_arch("chewbaccann")
    head = "name,workload,throughput_gops,area_mm2,power_mw,confidence"
    data = folder(
        tmp_path, head, "ChewBaccaNN,7x7 convs,241,0.7,1.1,read; area recalled", "ChewBaccaNN,7x7,9,,,recalled"
    )
    found = read_folder(data, [arch])
    assert [(m.quantity, m.excluded) for m in found] == [
        ("peak_gops", ""),
        ("peak_power_mw", ""),
        ("area_mm2", "confidence=recalled"),
        ("peak_gops", "confidence=recalled"),
    ]
