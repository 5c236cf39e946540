"""Comparison with published rows: selection, statistics, fit, and the command."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import hwsim
from hwsim.arch.vary import with_values
from hwsim.cli import main
from hwsim.errors import HwsimError, SpecError, WorkloadError
from hwsim.validate import (
    Measurement,
    Workloads,
    command,
    compare,
    constants,
    fitted,
    leave_one_out,
    read_folder,
    statistics,
)
from hwsim.validate.compare import predict, rank_correlation
from hwsim.validate.transfer import with_kernels_of
from hwsim.validate.workloads import parse_models
from models import builders, published

SHARED = Path(os.environ.get("REFQ_SHARED", Path(__file__).parents[4] / "shared")) / "reference" / "published"
HEADER = "model,task,fully_mapped,platform,latency_ms,confidence,note\n"
USB = '"Coral USB Accelerator, USB3, desktop host (Xeon-class)"'


@pytest.fixture(scope="module")
def workloads():
    return Workloads()


@pytest.fixture
def folder(tmp_path):
    rows = [
        f"MobileNet v1 1.0 224,cls,yes,{USB},2.0,read,",
        f"MobileNet v1 1.0 224,cls,yes,{USB},4.0,recalled,",
        f"SqueezeNet 224,cls,no (NMS on CPU),{USB},9,read,",
        f"SqueezeNet 224,cls,yes,{USB},2.1,read,",
        f"Nobody 224,cls,yes,{USB},2.1,read,",
        "SqueezeNet 224,cls,yes,another board,5,read,",
    ]
    (tmp_path / "table.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return tmp_path


def test_rows_are_taken_by_the_patterns_of_the_device(folder):
    found = read_folder(folder, [hwsim.load_arch("edgetpu")])
    assert [(m.line, m.value) for m in found] == [(2, 2.0), (3, 4.0), (4, 9.0), (5, 2.1), (6, 2.1)]
    assert [bool(m.excluded) for m in found] == [False, True, True, False, False]


def test_errors_and_statistics_follow_their_formulas(folder, workloads):
    arch = hwsim.load_arch("edgetpu")
    rows = compare(read_folder(folder, [arch]), {"edgetpu": arch}, workloads)
    used = [row for row in rows if row.error is not None]
    assert [row.model for row in used] == ["MobileNet v1 1.0 224", "SqueezeNet 224"]
    for row in used:
        assert row.error == predict(workloads.find(row.model), arch, "latency_ms") / row.published - 1
    (group,) = statistics(rows)
    assert (group.rows, group.models, group.rank_correlation) == (2, 2, None)
    assert group.mean_abs_error == pytest.approx(np.mean([abs(row.error) for row in used]))
    assert group.median_abs_error == pytest.approx(np.median([abs(row.error) for row in used]))
    assert "Nobody" not in " ".join(group.worst)


def test_rank_correlation_is_spearmans():
    assert rank_correlation([1, 2, 3], [10, 20, 15]) == pytest.approx(0.5)
    assert rank_correlation([1, 2, 2], [5, 7, 7]) == pytest.approx(1)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None


def test_a_fit_finds_the_constants_that_made_the_numbers(workloads):
    truth = hwsim.load_arch("cortex-m4")
    truth = with_values(truth, {"kernels.convolution_cycles_per_mac": 2.5, "kernels.dense_cycles_per_mac": 3.0})
    models = ("ad", "ic", "kws", "vww")
    made = [
        Measurement(file="f", line=i, device="cortex-m4", model=name, quantity="latency_ms", value=float(value))
        for i, name in enumerate(models)
        if (value := predict(workloads.find(name), truth, "latency_ms"))
    ]
    found = fitted(hwsim.load_arch("cortex-m4"), made, workloads)
    assert found.kernels.convolution_cycles_per_mac.value == pytest.approx(2.5, rel=0.06)
    assert found.kernels.dense_cycles_per_mac.value == pytest.approx(3.0, rel=0.06)
    for m in made:
        assert predict(workloads.find(m.model), found, "latency_ms") == pytest.approx(m.value, rel=0.02)
    left = leave_one_out(truth, made, workloads)
    assert set(left) == set(models)
    doubled = [replace_value(m, 2 * m.value) if m.model == "ic" else m for m in made]
    again = leave_one_out(truth, doubled, workloads)
    assert constants(again["ic"]) == pytest.approx(constants(left["ic"]))  # the left-out row has no say


def replace_value(m, value):
    return Measurement(file=m.file, line=m.line, device=m.device, model=m.model, quantity=m.quantity, value=value)


def test_only_named_constants_are_fitted():
    assert set(constants(hwsim.load_arch("edgetpu-pcie"))) == {
        "link.bandwidth_mb_per_s",
        "overhead.inference_us",
        "overhead.layer_us",
    }
    assert "memory.0.size_kib" in constants(hwsim.load_arch("edgetpu"))


def test_what_cannot_be_fitted_is_named(workloads):
    plain = hwsim.load_arch("systolic-16x16")
    row = Measurement(file="f", line=2, device=plain.name, model="ic", quantity="latency_ms", value=1.0)
    with pytest.raises(SpecError, match="no constant has a source beginning 'derived: fitted'"):
        fitted(plain, [row], workloads)
    with pytest.raises(SpecError, match="no measurement of a known model"):
        fitted(plain, [], workloads)
    with pytest.raises(SpecError, match="needs two measured models, there are 1"):
        leave_one_out(plain, [row], workloads)
    vector = hwsim.load_arch("cortex-m4")
    odd = replace(vector, clock_mhz=replace(vector.clock_mhz, source="derived: fitted by hand"))
    with pytest.raises(SpecError, match=r"clock_mhz is marked as fitted and priors.toml has none"):
        fitted(odd, [replace_device(row)], workloads)


def replace_device(m):
    return Measurement(file=m.file, line=2, device="cortex-m4", model=m.model, quantity=m.quantity, value=m.value)


def test_files_of_the_caller_win_over_builders(tmp_path):
    builders()["autoencoder"]().save(tmp_path / "mine.h5", shape_only=True)
    given = Workloads(parse_models((f"SqueezeNet 224={tmp_path / 'mine.h5'}",)))
    assert given.find("SqueezeNet 224").macs == 264_192
    with pytest.raises(WorkloadError, match="is not NAME=FILE"):
        parse_models(("SqueezeNet",))


def test_names_of_files_match_whatever_their_spelling(tmp_path):
    builders()["autoencoder"]().save(tmp_path / "mine.h5", shape_only=True)
    given = Workloads({"SqueezeNet (224)": tmp_path / "mine.h5", "never asked": tmp_path / "mine.h5"})
    assert given.find("squeezenet_224").macs == 264_192
    assert given.unused({"squeezenet_224", "MobileNet"}) == ("never asked",)


@pytest.mark.parametrize("file", ["ad01.h5", "ad01_int8.tflite"])
def test_keras_and_tflite_files_serve_as_models(file):
    path = SHARED.parents[1] / "models" / "mlperf_tiny" / file
    if not path.is_file():
        pytest.skip(f"{path} is absent; set REFQ_SHARED to the folder of shared models")
    assert Workloads(parse_models((f"Some name={path}",))).find("some name").macs == 264_192


@pytest.fixture
def odd(tmp_path):
    path = tmp_path / "odd.toml"
    fact = '{ value = 480, source = "derived: fitted by hand" }'
    path.write_text(f'base = "edgetpu"\nname = "odd"\nclock_mhz = {fact}\n')
    return str(path)


@pytest.mark.parametrize("mode", ["fit", "leave_one_out"])
def test_a_device_that_cannot_be_fitted_is_reported_and_the_others_go_on(folder, odd, mode):
    text = command.run(str(folder), (odd, "edgetpu"), **{mode: True})
    (reason,) = [line for line in text.splitlines() if line.startswith("skipped: ")]
    assert reason == "skipped: odd: clock_mhz is marked as fitted and priors.toml has none for systolic"
    rows = [line.split()[1] for line in text.splitlines() if line.startswith("table.csv")]
    assert rows == ["edgetpu"]
    found = json.loads(command.run(str(folder), (odd, "edgetpu"), form="json", **{mode: True}))
    assert set(found["skipped"]) == {"odd"}
    assert {row["device"] for row in found["rows"]} == {"edgetpu"}


def test_names_without_a_model_and_files_without_a_row_are_reported(folder, tmp_path):
    builders()["autoencoder"]().save(tmp_path / "mine.h5", shape_only=True)
    text = command.run(str(folder), ("edgetpu",), (f"Somebody={tmp_path / 'mine.h5'}",))
    assert "not compared: 1 rows, no model is known by the name 'Nobody 224'; give --model NAME=FILE" in text
    assert "--model Somebody: no row of this folder has that name" in text


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"holds no .csv file"):
        read_folder(tmp_path, [])


@pytest.mark.parametrize(
    ("name", "topology", "arguments"),
    [
        ("MobileNet v1 0.25 128", "mobilenet_v1", {"alpha": 0.25, "input_shape": (128, 128, 3)}),
        ("ResNet-50 V1 299", "resnet50", {"input_shape": (299, 299, 3)}),
        ("kws", "ds_cnn", {}),
        ("EfficientNet-EdgeTPU-L 300", "efficientnet_edgetpu_l", {"input_shape": (300, 300, 3)}),
    ],
)
def test_published_names_are_topologies_with_arguments(name, topology, arguments):
    assert published.find(name) == (topology, arguments)


def test_names_that_are_not_ours_are_not_guessed():
    assert published.find("SSD MobileNet v1 300") is None
    assert published.find("Inception v1 0.5 224") is None


def test_the_command_prints_json_and_draws(folder, capsys):
    pytest.importorskip("matplotlib")
    with pytest.raises(SystemExit) as done:
        main(["validate", "--data", str(folder), "--arch", "edgetpu", "--format", "json"])
    assert done.value.code == 0
    text = json.loads(capsys.readouterr().out)
    assert text["groups"][0]["device"] == "edgetpu"
    assert len(text["rows"]) == 5
    with pytest.raises(SystemExit):
        main(["validate", "--data", str(folder), "--arch", "edgetpu", "--plot", str(folder / "p.svg"), "--rows"])
    assert (folder / "p.svg").read_text().startswith("<?xml")
    assert "SqueezeNet 224" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("device", "mean", "median"),
    [
        *(("edgetpu", 0.12, 0.06), ("edgetpu-pcie", 0.12, 0.06)),
        *((name, 0.15, 0.15) for name in ("cortex-m4", "cortex-m4-smps", "cortex-m7", "cortex-m7-xcubeai9")),
        *((name, 0.15, 0.15) for name in ("cortex-m4-xcubeai9", "cortex-m4-plumerai", "cortex-m33-plumerai")),
        *((name, 0.15, 0.15) for name in ("cortex-m33-xcubeai10", "cortex-m4-hale", "syntiant-ndp120", "efr32xg24")),
        *(
            (name, 0.15, 0.15)
            for name in ("cortex-m33", "cortex-m85", "efr32xg24-v07", "cortex-m33-plumerai23", "gap9")
        ),
        *((name, 0.15, 0.15) for name in ("cortex-m7-xcubeai71", "cortex-m4-xcubeai81", "cortex-m7-xcubeai81")),
        *((name, 0.21, 0.21) for name in ("cortex-m4-tflm", "andes-d25f", "cortex-m4-plumerai23")),
        *(("cortex-m4-onnc", 0.15, 0.15), ("rh850", 0.15, 0.15), ("spacemit-k1", 0.15, 0.15)),
    ],
)
def test_models_left_out_of_the_fit_are_predicted(device, mean, median, workloads):
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent; set REFQ_SHARED to the folder of shared references")
    arch = hwsim.load_arch(device)
    rows = read_folder(SHARED, [arch])
    left = leave_one_out(arch, rows, workloads)
    compared = [row for m in rows for row in compare([m], {device: left.get(m.model, arch)}, workloads)]
    (group,) = [group for group in statistics(compared) if group.quantity == "latency_ms"]
    assert group.mean_abs_error <= mean
    assert group.median_abs_error <= median
    stated, found = arch.uncertainty.latency_pct.value, 100 * group.mean_abs_error
    if device.startswith("edgetpu"):  # states the error on other models, see test_published_models.py
        assert found <= stated
    else:
        assert stated == pytest.approx(found, abs=1.0)


def test_kernels_of_another_chip_take_the_same_cycles_at_the_chips_own_clock(workloads):
    chip, sister = hwsim.load_arch("cortex-m33-xcubeai10"), hwsim.load_arch("cortex-m4-xcubeai9")
    moved = with_kernels_of(chip, sister)
    for model in ("ad", "ic"):
        theirs, ours = (predict(workloads.find(model), arch, "latency_ms") for arch in (sister, moved))
        assert ours * chip.clock_mhz.value == pytest.approx(theirs * sister.clock_mhz.value)
    assert moved.energy == chip.energy
    with pytest.raises(SpecError, match="edgetpu has engine 'systolic'"):
        with_kernels_of(chip, hwsim.load_arch("edgetpu"))


@pytest.mark.parametrize(
    ("device", "sister", "mean"),
    [
        ("cortex-m33-xcubeai10", "cortex-m4-xcubeai9", 0.15),
        ("cortex-m4-xcubeai9", "cortex-m33-xcubeai10", 0.15),
        ("cortex-m4-plumerai", "cortex-m4", 0.15),
        ("cortex-m85", "cortex-m55", 0.15),  # instruction counts, fitted to nothing
    ],
)
def test_a_chip_without_a_row_is_predicted_by_a_sister(device, sister, mean, capsys):
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent; set REFQ_SHARED to the folder of shared references")
    call = ["validate", "--data", str(SHARED), "--arch", device, "--kernels-of", sister, "--format", "json"]
    with pytest.raises(SystemExit) as done:
        main(call)
    assert done.value.code == 0
    groups = {group["quantity"]: group for group in json.loads(capsys.readouterr().out)["groups"]}
    assert groups["latency_ms"]["mean_abs_error"] <= mean


def test_kernels_of_a_sister_and_a_fit_exclude_each_other(folder, capsys):
    with pytest.raises(SystemExit) as done:
        main(["validate", "--data", str(folder), "--kernels-of", "cortex-m4", "--fit"])
    assert done.value.code == 2
    assert "--kernels-of predicts without a fit" in capsys.readouterr().err


def test_a_plot_of_nothing_is_refused(tmp_path):
    from hwsim.validate.compare import plot

    pytest.importorskip("matplotlib")
    with pytest.raises(HwsimError, match="nothing to plot"):
        plot([], str(tmp_path / "p.png"))
