"""The list of quantizers, their figures of merit on a tensor, and the command that prints both."""

import math

import numpy as np
import pytest

from refq.cli import main
from refq.errors import CalibrationError
from refq.quantizers import Binary, Uniform
from refq.quantizers.catalog import quantizer_methods
from refq.quantizers.figures import compare_quantizers, figures_of
from refq.quantizers.illustrations import draw_level_spacing, draw_mappings
from refq.quantizers.vectors import Vectors


def test_every_quantizer_states_a_formula_and_a_source():
    methods = quantizer_methods()
    assert {"Uniform", "Binary", "Ternary", "APoT", "LQNets", "Vectors"} <= {m.name for m in methods}
    for method in methods:
        assert "=" in method.formula or "~" in method.formula or "level" in method.formula, method.name
        assert any(year in method.source for year in map(str, range(1990, 2026))), method.name


def test_figures_follow_their_formulas():
    x = np.array([-3.0, -1.0, 1.0, 7.0], np.float32)  # mean magnitude 3: the reals are -3, -3, 3, 3
    row = figures_of(Binary(), x)
    assert row.reals.tolist() == [-3, -3, 3, 3]
    assert (row.bits, row.mse, row.max_error, row.entropy) == (1, (0 + 4 + 4 + 16) / 4, 4, 1)
    assert row.sqnr_db == pytest.approx(10 * math.log10((9 + 1 + 1 + 49) / 24))
    assert row.metadata_bytes == 4


def test_entropy_is_that_of_the_codes_a_weight():
    x = np.array([[0.0, 0.0, 0.0, 1.0]] * 2, np.float32)
    assert figures_of(Uniform(bits=8, symmetric=True), x).entropy == pytest.approx(0.75 * math.log2(4 / 3) + 0.25 * 2)
    row = figures_of(Vectors(width=4, bits=1), x + np.array([[0], [2]], np.float32))
    assert (row.bits, row.entropy, row.mse) == (0.25, 0.25, 0)  # two vectors of 4, two centroids
    assert row.metadata_bytes == 2 * 4 * 4


def test_a_comparison_has_every_quantizer_that_takes_the_width():
    x = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    rows = compare_quantizers(x, bits=3)
    named = {row.name: row for row in rows}
    assert {"Uniform", "Binary", "Ternary", "APoT", "KMeansLevels", "Vectors"} <= set(named)
    assert [row.sqnr_db for row in rows] == sorted((row.sqnr_db for row in rows), reverse=True)
    assert named["KMeansLevels"].mse <= named["Uniform"].mse  # of all 8 levels, those of k-means err least
    with pytest.raises(CalibrationError, match="no finite values to compare"):
        compare_quantizers(np.array([np.nan]))


def run(*arguments):
    with pytest.raises(SystemExit) as done:
        main(["quantizers", *arguments])
    return done.value.code


def test_the_command_lists_measures_and_draws(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert run() == 0
    assert "APoT (shift_add): Additive powers of two" in capsys.readouterr().out
    np.save(tmp_path / "w.npy", np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32))
    assert run(str(tmp_path / "w.npy"), "--bits", "3", "--plot", str(tmp_path / "w.png")) == 0
    table = capsys.readouterr().out
    assert "SQNR dB" in table
    assert "\nUniform              3.00" in table
    assert (tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")


def test_the_figures_of_the_survey_are_drawn_from_filters_or_without(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    names = ["figure1-levels.png", "figure2-mappings.png", "figure3-granularities.png"]
    for folder, arguments in (("plain", []), ("model", ["models/resnet8.h5"])):
        assert run(*arguments, "--figures", str(tmp_path / folder)) == 0
        assert [line.rpartition("/")[2] for line in capsys.readouterr().out.split()] == names
        for name in names:
            assert (tmp_path / folder / name).read_bytes().startswith(b"\x89PNG")
    drawn = [(tmp_path / folder / names[2]).read_bytes() for folder in ("plain", "model")]
    assert drawn[0] != drawn[1]
    np.save(tmp_path / "w.npy", np.zeros(3, np.float32))
    assert run(str(tmp_path / "w.npy"), "--figures", str(tmp_path / "none")) == 2
    assert "needs two of two weights" in capsys.readouterr().err


def test_the_spaces_between_levels_and_the_mappings_are_those_of_the_grids(tmp_path):
    pytest.importorskip("matplotlib")
    draw_level_spacing(tmp_path / "1.svg")
    draw_mappings(tmp_path / "2.svg")
    for name, texts in (("1", ("0.333", "0.25", "powers of two")), ("2", ("Z = 0", "Z = -64", "-127", "-128"))):
        text = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        for wanted in texts:
            assert f"<!-- {wanted} -->" in text, wanted


def test_the_command_measures_the_weights_of_a_model(capsys):
    assert run("models/resnet8.h5", "--plot", "w.png") == 2
    assert "--plot draws one tensor" in capsys.readouterr().err
