"""Levels and Bases: real tables with codes, whole tensors and blocks."""

import numpy as np
import pytest

from refq.errors import RangeError, ShapeError
from refq.quantizers.bases import Bases
from refq.quantizers.levels import Levels, ascending

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("block", [(1, 3), (2, 0), (0, 0), (4, 4), (1, 1)])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 300])
def test_a_code_names_the_nearest_level_of_its_block(block, count):
    x = RNG.normal(size=(5, 7)).astype(np.float32)
    counts = tuple(-(-n // b) if b else 1 for n, b in zip(x.shape, block, strict=True))
    grid = Levels(levels=np.sort(RNG.normal(size=(*counts, count)), axis=-1), block=block)
    codes, reals = grid.quantize(x), grid.dequantize(grid.quantize(x))
    assert codes.dtype == (np.uint8 if count <= 256 else np.uint16)
    for i, j in np.ndindex(x.shape):
        table = grid.levels[i // block[0] if block[0] else 0, j // block[1] if block[1] else 0].tolist()
        assert abs(reals[i, j] - float(x[i, j])) == min(abs(level - float(x[i, j])) for level in table)
        assert reals[i, j] == table[codes[i, j]]


def test_an_element_on_a_threshold_belongs_below_it_and_extremes_are_defined():
    grid = Levels(levels=[-1, 0, 4], thresholds=[-0.25, 3])
    x = [-np.inf, -0.25, np.nextafter(np.float32(-0.25), np.float32(0)), np.nan, 3, 3.5, np.inf, 1e300]
    assert grid.quantize(x).tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
    assert grid.bits == 2
    assert grid.dequantize([2, 0]).tolist() == [4, -1]
    assert grid.quantize(np.zeros((0, 3))).shape == (0, 3)


def test_default_thresholds_decide_neighbouring_floats_as_exact_midpoints_do():
    a = np.float32(1)
    b = np.nextafter(a, np.float32(2))  # no float32 lies between
    grid = Levels(levels=[a, b])
    assert grid.quantize(np.array([a, b])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        ({"levels": []}, ShapeError, "1..65536"),
        ({"levels": 1.0}, ShapeError, "1..65536"),
        ({"levels": [1, 1]}, RangeError, "strictly ascending"),
        ({"levels": [1, np.nan]}, RangeError, "finite"),
        ({"levels": [1, 1e39]}, RangeError, "finite"),
        ({"levels": [1, 2], "thresholds": [1, 2]}, ShapeError, "one less"),
        ({"levels": [1, 2, 3], "thresholds": [2, 1]}, RangeError, "thresholds must be ascending"),
        ({"levels": [[1, 2]]}, ShapeError, "block=None"),
        ({"levels": [1, 2], "block": (0, 0)}, ShapeError, "block="),
    ],
)
def test_levels_that_cannot_be_are_refused(bad, error, text):
    with pytest.raises(error, match=text):
        Levels(**bad)


def test_codes_and_shapes_that_do_not_fit_are_refused():
    grid = Levels(levels=[[[1, 2]], [[3, 4]]], block=(1, 0))
    for bad in ([[2], [0]], [[-1], [0]]):
        with pytest.raises(RangeError, match=r"must lie in 0\.\.1"):
            grid.dequantize(bad)
    with pytest.raises(RangeError, match="must be integers"):
        grid.dequantize([[0.0], [1.0]])
    with pytest.raises(ShapeError, match="does not have the"):
        grid.quantize(np.zeros((3, 2)))
    with pytest.raises(RangeError, match="must be real"):
        grid.quantize(np.array([["a"], ["b"]]))


def test_missing_levels_continue_above_the_largest_one():
    assert ascending([1, 3, 1], 4).tolist() == [1, 3, 5, 7]
    assert ascending([2], 2).tolist() == [2, 4]
    assert ascending([0], 3).tolist() == [0, 1, 2]
    for value in ([3e38], [-3e38], [1e-42], [0.0], [-1e-45], [1.0], [-3.4e38, 3.4e38], [3.4e38], [-3.4e38, 1]):
        table = ascending(value, 65536)
        assert np.all(table[1:] > table[:-1])
        assert np.isfinite(table).all()
        assert len(table) == 65536
        assert set(np.float32(value).tolist()) <= set(table.tolist())


def naive_sums(alphas, offset):
    """Every sum of signed alphas, by code."""
    return [offset + sum(a if code >> i & 1 else -a for i, a in enumerate(alphas)) for code in range(2 ** len(alphas))]


@pytest.mark.parametrize("bases", [1, 2, 3, 5])
def test_nearest_signs_are_the_best_of_all_sums(bases):
    x = RNG.normal(size=(4, 6)).astype(np.float32) * 3
    alphas = RNG.normal(size=(4, 2, bases)).astype(np.float32)
    offset = RNG.normal(size=(4, 2)).astype(np.float32)
    grid = Bases(alphas=alphas, offset=offset, block=(1, 4))
    codes, reals = grid.quantize(x), grid.dequantize(grid.quantize(x))
    assert grid.bits == bases
    for i, j in np.ndindex(x.shape):
        sums = naive_sums(alphas[i, j // 4].astype(float), float(offset[i, j // 4]))
        assert reals[i, j] == pytest.approx(sums[codes[i, j]], rel=1e-6, abs=1e-6)
        assert abs(float(reals[i, j]) - float(x[i, j])) <= min(abs(s - float(x[i, j])) for s in sums) + 1e-6
    rebuilt = (grid.signs(codes) * np.repeat(alphas, 4, axis=1)[:, :6]).sum(-1) + np.repeat(offset, 4, axis=1)[:, :6]
    np.testing.assert_allclose(rebuilt, reals, rtol=1e-5, atol=1e-5)


def test_one_block_serves_tensors_of_any_shape():
    x = RNG.normal(size=(3, 4)).astype(np.float32)
    for grid in (Bases(alphas=[[[2, 1]]], block=(0, 0)), Levels(levels=[[[-1, 0, 4]]], block=(0, 0))):
        codes = grid.quantize(x)
        np.testing.assert_array_equal(grid.quantize(x.ravel()), codes.ravel())
        np.testing.assert_array_equal(grid.dequantize(codes.ravel()), grid.dequantize(codes).ravel())


def test_sums_that_coincide_share_the_lowest_code():
    grid = Bases(alphas=[1, 1])  # the codes 1 and 2 both stand for 0
    assert grid.quantize([-0.9, 0.0, 0.9]).tolist() == [1, 1, 1]
    assert grid.quantize([-1.1, 1.1]).tolist() == [0, 3]


def test_greedy_signs_follow_what_is_left_over():
    grid = Bases(alphas=[2, 1, 0.5], greedy=True)
    assert grid.quantize([0.4, -0.4, 2.0, -5, np.inf]).tolist() == [0b001, 0b110, 0b011, 0, 7]


def test_signs_of_threshold_bases_depend_on_the_value_alone():
    grid = Bases(alphas=[2, -1], thresholds=[0, 1])
    assert grid.quantize([-1, 0, 1, 2]).tolist() == [0, 1, 3, 3]
    assert grid.dequantize([0, 1, 2, 3]).tolist() == [-1, 3, -3, 1]


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        ({"alphas": []}, ShapeError, r"1\.\.16 bases"),
        ({"alphas": np.ones(17)}, ShapeError, r"1\.\.16 bases"),
        ({"alphas": [np.inf]}, RangeError, "finite"),
        ({"alphas": [1], "thresholds": [1, 2]}, ShapeError, "of alphas"),
        ({"alphas": [1], "thresholds": [1], "greedy": True}, RangeError, "take no thresholds"),
        ({"alphas": [1], "block": (0,)}, ShapeError, "block="),
    ],
)
def test_bases_that_cannot_be_are_refused(bad, error, text):
    with pytest.raises(error, match=text):
        Bases(**bad)
