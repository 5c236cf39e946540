"""Devices known by figures only, and the survey's figures drawn from the tables."""

import pytest
from click.testing import CliRunner

import hwsim
from hwsim.arch.entries import Entry, Figure, _check, entries
from hwsim.cli import cli, main
from hwsim.errors import SpecError, UnknownArchError
from hwsim.report import figures


def test_named_devices_have_an_entry_or_a_model():
    known = set(entries()) | set(hwsim.archs())
    wanted = "t4 titan-rtx v100 a100 h100 gtx1080 eyeriss tpu-v1 nvdla-small nvdla-full xne chewbaccann yodann binareye"
    wanted += " gap8 gap9 max78000 k210 hailo-8 jetson-nano jetson-xavier-nx ethos-u55-32 ethos-u55-256 ethos-u65-512"
    assert set(wanted.split()) - known == set()


def test_a_device_with_figures_and_a_model_is_listed_once_as_a_model():
    assert "t4" in entries()
    assert hwsim.load_arch("t4").engine == "tensorcore"
    lines = CliRunner().invoke(cli, ["archs"]).output.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("t4 ")] == ["model"]


def test_an_entry_without_a_model_is_refused_with_its_figures():
    with pytest.raises(UnknownArchError, match=r"arch 'h100-pcie' is a catalogue entry without a model \(.*W\)"):
        hwsim.load_arch("h100-pcie")


@pytest.mark.parametrize("name", sorted(set(entries()) | set(hwsim.archs())))
def test_every_name_is_a_model_or_says_that_there_is_none(name):
    if name in hwsim.archs():
        assert hwsim.load_arch(name).name == name
    else:
        with pytest.raises(UnknownArchError, match=f"arch '{name}' is a catalogue entry without a model"):
            hwsim.load_arch(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [("binareye", "its clock and array are not published"), ("hailo-8", "no law")],
)
def test_an_entry_says_why_its_figures_make_no_model(name, why):
    with pytest.raises(UnknownArchError, match=rf"W.*\); {why}.*; `hwsim archs` lists the devices with a model"):
        hwsim.load_arch(name)


@pytest.mark.parametrize(
    ("value", "source", "text"), [(0.0, "reuther2023", "must be above 0"), (1.0, "hearsay", "is not an id")]
)
def test_a_figure_needs_a_size_and_a_source(value, source, text):
    with pytest.raises(SpecError, match=text):
        _check(Figure(precision="int8", value=value, source=source), "somewhere")


def test_nodes_are_read_from_their_text():
    assert Entry(title="x", kind="y", node="GF 22nm FDX").node_nm == 22
    assert Entry(title="x", kind="y", node="unknown").node_nm is None


def test_eight_bit_additions_are_thirty_and_116_times_cheaper_than_float():
    rows = {row[0]: row for row in figures.operations()}
    assert rows["float_add_32"][3:] == ("30.0", "116.2")


def test_int4_peaks_double_int8_on_turing():
    tops = {row[1]: float(row[2]) for row in figures.peaks() if row[0] == "t4"}
    assert tops["int4"] == 2 * tops["int8"]


def test_the_commands_print_tables_and_draw(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    with pytest.raises(SystemExit) as done:
        main(["figures", "-o", str(tmp_path), "--format", "svg"])
    assert done.value.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["operations.svg", "peaks.svg", "processors.svg"]
    with pytest.raises(SystemExit):
        main(["archs"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("edgetpu ") and " model " in line for line in lines)
    assert any(line.startswith("hailo-8 ") and " catalogue " in line for line in lines)
