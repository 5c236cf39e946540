"""Tensors and widths that no quantizer expects: a defined result or a clear error, for every grid there is."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from refq.errors import CalibrationError, RangeError, RefqError
from refq.quantizers import PerChannel, PerChannelGroup, PerGroup, PerTensor, Scheme, Vectors, dequantize_array
from refq.quantizers.catalog import quantizer_methods
from refq.quantizers.weights import coded_weights

METHODS = {method.name: method.kind for method in quantizer_methods()}
LARGEST = float(np.finfo(np.float32).max)
ODD = {
    "constant": np.full((4, 6), 3.0),
    "negative": np.full((4, 6), -3.0),
    "zero": np.zeros((4, 6)),
    "denormal": 1e-42 * np.arange(1, 25).reshape(4, 6),
    "huge": LARGEST * np.linspace(-1, 1, 24).reshape(4, 6),
    "denormal and huge": np.array([[1e-45, LARGEST] * 3] * 4),
    "one element": np.array([[2.0]]),
}
NOT_FINITE = {
    "empty": np.zeros((4, 0)),
    "nan": np.array([[np.nan, 1.0]]),
    "inf": np.array([[np.inf, 1.0]]),
    "-inf": np.array([[-np.inf, 1.0]]),
    "beyond float32": np.array([[1e300, 1.0]]),
}
GRANULARITIES = [PerTensor(), PerChannel(0), PerChannelGroup(size=3), PerGroup(size=4)]


def a_grid(name: str) -> Any:
    """With its defaults, narrow enough for scales of groups."""
    options: dict[str, Any] = {"levels": (-1.0, 0.0, 2.0)} if name == "ArbitraryLevels" else {}
    return METHODS[name](**({"bits": 4, "symmetric": True} if name == "Uniform" else options))


def granularities(grid: Any) -> list[Any]:
    return [PerTensor()] if isinstance(grid, Vectors) else GRANULARITIES


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize("kind", list(ODD))
def test_odd_tensors_have_finite_levels_and_positive_scales(name: str, kind: str) -> None:
    x = ODD[kind].astype(np.float32)
    grid = a_grid(name)
    for granularity in granularities(grid):  # groups of 3 and 4 do not divide 4 and 6
        scheme = Scheme(grid=grid, granularity=granularity)
        fitted, codes = scheme.quantize(x)
        reals = dequantize_array(codes, fitted)
        assert codes.dtype.kind in "iu"
        assert np.isfinite(reals).all()
        assert float(np.abs(reals).max()) <= 4 * max(float(np.abs(x).max()), 1)  # levels of fixed grids are near 1
        q, integers, book = coded_weights(scheme, x, channel_axis=0)
        assert np.all(np.isfinite(q.scale) & (q.scale > 0))
        assert np.array_equal(book.decode(), integers)
        assert np.isfinite(dequantize_array(integers, q)).all()


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize("kind", list(NOT_FINITE))
def test_tensors_without_finite_values_are_refused(name: str, kind: str) -> None:
    grid = a_grid(name)
    for granularity in granularities(grid):
        scheme = Scheme(grid=grid, granularity=granularity)
        with pytest.raises(CalibrationError, match=r"has no .*values|finite"):
            scheme.quantize(NOT_FINITE[kind])
        with pytest.raises(CalibrationError, match=r"has no .*values|finite"):
            coded_weights(scheme, NOT_FINITE[kind], channel_axis=0)


@pytest.mark.parametrize("bits", [0, 33, -1])
@pytest.mark.parametrize("name", list(METHODS))
def test_widths_that_no_grid_has_are_refused_by_number(name: str, bits: int) -> None:
    widths = {"HORQ": "order"}
    field = widths.get(name, "bits")
    if field not in {f.name for f in fields(METHODS[name])}:
        # signs, three levels, levels and shifts of one's own: the width follows from what they are
        assert name in (
            "Binary",
            "Sign",
            "Ternary",
            "TernaryActivation",
            "TrainedTernary",
            "ArbitraryLevels",
            "ABCActivations",
        )
        return
    with pytest.raises(RangeError, match=f"{field}={bits} .*outside"):
        METHODS[name](**{field: bits})


@pytest.mark.parametrize("name", ["KMeansLevels", "Vectors"])
def test_more_levels_than_points_name_every_point(name: str) -> None:
    x = np.array([[0.5, -1.25, 3.0]], np.float32)
    grid = METHODS[name](bits=8, **({"width": 1} if name == "Vectors" else {}))
    fitted, codes = Scheme(grid=grid).quantize(x)
    assert np.array_equal(dequantize_array(codes, fitted), x)


def test_groups_with_zero_points_or_without_room_for_scales_are_refused() -> None:
    x = np.linspace(0, 1, 24).reshape(4, 6).astype(np.float32)
    for options, message in (({"bits": 4}, "zero points of groups"), ({"symmetric": True}, "leave no room for scales")):
        scheme = Scheme(grid=METHODS["Uniform"](**options), granularity=PerGroup(size=4))
        with pytest.raises(RefqError, match=message):
            coded_weights(scheme, x, channel_axis=0)
