"""The hwsim command as a user runs it."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

ROOT = Path(__file__).resolve().parents[2]
RESNET8 = str(ROOT / "models" / "resnet8.h5")


def hwsim(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", "from hwsim.cli import main; main()", *arguments]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_json_has_the_documented_fields_and_totals_equal_the_sums_of_the_layers():
    report = json.loads(hwsim("estimate", RESNET8, "--arch", "edgetpu", "--format", "json").stdout)
    fields = [
        *("model", "arch", "batch", "precision", "macs", "params", "weight_bytes", "activation_peak_bytes"),
        *("cycles", "latency_ms", "throughput_per_s", "utilization", "energy_mj", "average_power_w", "area_mm2"),
        *("uncertainty", "layers", "warnings", "sources"),
    ]
    assert list(report) == fields
    layer = ["name", "op", "macs", "cycles", "latency_us", "bound", "utilization", "energy_uj", "bytes"]
    layer += ["precision", "multiplier"]
    assert all(list(row) == layer for row in report["layers"])
    assert report["macs"] == sum(row["macs"] for row in report["layers"]) == 12_501_632
    assert report["cycles"] == sum(row["cycles"] for row in report["layers"])
    assert report["latency_ms"] == pytest.approx(sum(row["latency_us"] for row in report["layers"]) / 1e3)
    energy = sum(sum(row["energy_uj"].values()) for row in report["layers"])
    assert report["energy_mj"] == pytest.approx(energy / 1e3)


def test_csv_has_one_line_a_layer():
    rows = list(csv.DictReader(io.StringIO(hwsim("estimate", RESNET8, "--arch", "edgetpu", "--format", "csv").stdout)))
    assert rows[0]["name"] == "(invoke)"
    assert sum(int(row["macs"]) for row in rows) == 12_501_632


def test_the_table_prints_the_uncertainty_and_on_request_the_sources():
    out = hwsim("estimate", RESNET8, "--arch", "edgetpu", "--sources").stdout
    assert "uncertainty" in out
    assert "Sources of the device's numbers" in out
    assert "+-" in out


@pytest.mark.parametrize("arch", ["edgetpu", "edgetpu-pcie", "systolic-16x16", "cortex-m4"])
@pytest.mark.parametrize("model", ["mobilenet_v2", "resnet50", "vgg16"])
def test_large_shape_only_models_estimate_on_every_device(arch, model):
    report = json.loads(hwsim("estimate", str(ROOT / f"models/{model}.h5"), "--arch", arch, "--format", "json").stdout)
    assert report["latency_ms"] > 0


def test_compare_prints_one_column_a_device():
    out = hwsim("compare", RESNET8, "--arch", "edgetpu", "--arch", "cortex-m4").stdout
    assert "edgetpu" in out
    assert "cortex-m4" in out


@pytest.fixture
def broken(tmp_path):
    files = {"text.h5": b"not HDF5", "truncated.h5": Path(RESNET8).read_bytes()[:5000]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["layer_names"] = ["dense"]
    (tmp_path / "bad.toml").write_text('name = "bad"\nengine = "systolic"\nclock_ghz = 1\n')
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nothing.h5", "--arch", "edgetpu"], "no such file"),
        (["text.h5", "--arch", "edgetpu"], "not an HDF5 file"),
        (["truncated.h5", "--arch", "edgetpu"], "truncated"),
        (["weights.h5", "--arch", "edgetpu"], "save the whole model with model.save"),
        ([RESNET8, "--arch", "edgetpo"], "edgetpu"),
        ([RESNET8, "--arch", "bad.toml"], "clock_ghz"),
        ([RESNET8, "--arch", "edgetpu", "--batch", "0"], "batch=0"),
        ([RESNET8, "--arch", "edgetpu", "--weights", "4"], "w4a8"),
        ([RESNET8, "--arch", "edgetpu", "--weights", "0"], "outside 1..32"),
        ([RESNET8, "--arch", "edgetpu", "--input-shape", "a,b"], "is not a list of sizes"),
        ([RESNET8, "--arch", "edgetpu", "--recipe", "int7"], "int7"),
    ],
)
def test_bad_input_exits_with_2_and_names_the_cause(broken, arguments, text):
    arguments = [str(broken / a) if a.endswith((".h5", ".toml")) and a != RESNET8 else a for a in arguments]
    done = hwsim("estimate", *arguments, code=2)
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["--help"], ["archs"], ["estimate", "--help"]])
def test_help_and_archs_do_not_import_numpy(arguments):
    code = (
        "import sys\nfrom hwsim.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "sys.exit(3 if 'numpy' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == 0


def test_importing_refq_imports_neither_numpy_nor_numba_nor_h5py():
    code = "import refq, hwsim, sys; sys.exit(any(m in sys.modules for m in ('numpy', 'numba', 'h5py')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_simulate_gives_refq_sums_and_closed_form_cycles_for_a_whole_network():
    arguments = ("simulate", RESNET8, "--arch", "systolic-16x16")
    result = json.loads(hwsim(*arguments, "--activity", "--format", "json").stdout)
    assert result["agrees"] is True
    assert sum(row["macs"] for row in result["layers"]) == 12_501_632
    assert all(row["wrong"] == 0 and row["cycles"] == row["closed_form"] for row in result["layers"])
    assert all(0 < row["activity_factor"] < 2 for row in result["layers"])
    one = result["layers"][2]["name"]
    table = hwsim(*arguments, "--layer", one).stdout
    assert "every sum equals refq's, every cycle count its closed form" in table
    assert table.count("int8") == 1


def test_simulate_refuses_what_it_cannot_step():
    assert "cortex-m4 has engine 'vector'" in hwsim("simulate", RESNET8, "--arch", "cortex-m4", code=2).stderr
    unknown = hwsim("simulate", RESNET8, "--arch", "systolic-16x16", "--layer", "nowhere", code=2)
    assert "has no multiply-accumulate layer 'nowhere'; known are" in unknown.stderr
    missing = hwsim("simulate", RESNET8, "--arch", "systolic-16x16", "--input", "no.npy", code=2)
    assert "no.npy: cannot be read as .npy" in missing.stderr
