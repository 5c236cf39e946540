import numpy as np
import pytest

from refq.errors import RangeError, ShapeError, UnsupportedError
from refq.numerics.element_types import cast, element_type, integer_limits, is_integer, is_real
from refq.numerics.linear import dequantize_linear, quantize_linear, spread

FLOATS = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn")
# exponent bits, mantissa bits, bias, and the largest finite value, from the formats' definitions (OCP FP8 and MX, FNUZ)
FORMATS = {
    "float8_e4m3fn": (4, 3, 7, 448.0),
    "float8_e4m3fnuz": (4, 3, 8, 240.0),
    "float8_e5m2": (5, 2, 15, 57344.0),
    "float8_e5m2fnuz": (5, 2, 16, 57344.0),
    "float4_e2m1fn": (2, 1, 1, 6.0),
}


@pytest.fixture(autouse=True)
def _needs_ml_dtypes():
    pytest.importorskip("ml_dtypes")


def decode(name: str, code: int) -> float:
    """The value of a finite code, from the format's definition."""
    exponent_bits, mantissa_bits, bias, _ = FORMATS[name]
    mantissa = code & ((1 << mantissa_bits) - 1)
    exponent = (code >> mantissa_bits) & ((1 << exponent_bits) - 1)
    sign = -1.0 if code >> (exponent_bits + mantissa_bits) else 1.0
    if exponent == 0:
        return sign * mantissa * 2.0 ** (1 - bias - mantissa_bits)
    return sign * (1 + mantissa * 2.0**-mantissa_bits) * 2.0 ** (exponent - bias)


def values_of(name: str) -> np.ndarray:
    """All finite positive values in order; their index is the code."""
    found, largest = [], FORMATS[name][3]
    while not found or found[-1] < largest:
        found.append(decode(name, len(found)))
    return np.array(found)


@pytest.mark.parametrize("name", FLOATS)
def test_cast_to_small_floats_takes_the_nearest_value_and_the_even_code_on_ties(name):
    values = values_of(name)
    middle = (values[1:] + values[:-1]) / 2
    x = np.concatenate([values, middle, np.nextafter(middle, 0), np.nextafter(middle, 1e9)])
    expected = np.concatenate(
        [
            values,
            [values[i + (i & 1)] for i in range(len(middle))],
            values[:-1],
            values[1:],
        ]
    )
    for signed in (1, -1):
        y = cast(signed * x, element_type(name)).astype(np.float64)
        np.testing.assert_array_equal(y, signed * expected)


@pytest.mark.parametrize("name", FLOATS)
def test_saturating_casts_end_at_the_largest_finite_value(name):
    largest = FORMATS[name][3]
    y = cast(np.array([1e9, -1e9, np.inf, -np.inf], np.float32), element_type(name)).astype(np.float32)
    assert y.tolist() == [largest, -largest, largest, -largest]


def test_casts_that_do_not_saturate_give_infinity_or_nan():
    x = np.array([1e9, np.inf], np.float32)
    assert np.all(np.isinf(cast(x, element_type("float8_e5m2"), saturate=False).astype(np.float32)))
    for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2fnuz"):
        assert np.all(np.isnan(cast(x, element_type(name), saturate=False).astype(np.float32)))


def test_casts_to_integers_drop_the_fraction_and_keep_the_low_bits():
    x = np.array([-9.7, -8.2, 7.9, 8.0, 15.0], np.float32)
    assert cast(x, element_type("int4")).astype(int).tolist() == [7, -8, 7, -8, -1]
    assert cast(x, element_type("uint4")).astype(int).tolist() == [7, 8, 7, 8, 15]
    assert cast(np.array([300, -1]), np.dtype(np.uint8)).tolist() == [44, 255]


@pytest.mark.parametrize(
    ("mode", "expected"), [("up", [0.5, 1, 2, 2]), ("down", [0.5, 0.5, 1, 1]), ("nearest", [0.5, 1, 1, 2])]
)
def test_power_of_two_format_rounds_as_told(mode, expected):
    x = np.array([0.5, 0.75, 1.25, 1.75], np.float32)
    assert cast(x, element_type("float8_e8m0fnu"), round_mode=mode).astype(np.float32).tolist() == expected


def test_a_type_is_found_by_its_own_name():
    for name in (*FLOATS, "bfloat16", "float8_e8m0fnu", "int4", "uint4", "int2", "uint2", "int8", "float16", "bool"):
        assert element_type(name).name == name
        assert is_real(element_type(name)) == ("float" in name)
        assert is_integer(element_type(name)) == name.lstrip("u").startswith("int")
    assert integer_limits(element_type("int2")) == (-2, 1)
    with pytest.raises(UnsupportedError, match="'int5' is unknown"):
        element_type("int5")


def test_huge_quotients_saturate_instead_of_wrapping():
    x = np.array([1e30, -1e30, np.inf, -np.inf, np.nan], np.float32)
    y = quantize_linear(x, np.float32(1e-3), np.uint8(7), np.uint8)
    assert y.tolist() == [255, 0, 255, 0, 7]


def test_zero_point_is_added_after_rounding():
    y = quantize_linear(np.array([-3.5, -2.5], np.float32), np.float32(1), np.int8(1), np.int8)
    assert y.tolist() == [-3, -1]  # round to -4 and -2 first


def test_bad_scales_and_shapes_are_refused():
    x = np.zeros((2, 4), np.float32)
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(RangeError, match="must be positive and finite"):
            quantize_linear(x, np.array(bad, np.float32), None, np.int8)
        with pytest.raises(RangeError, match="must be positive and finite"):
            dequantize_linear(x.astype(np.int8), np.array(bad, np.float32), None, np.float32)
    with pytest.raises(ShapeError, match=r"scale shape \(3,\) fits neither"):
        spread(np.ones(3), (2, 4), 1)
    with pytest.raises(ShapeError, match="blocks of 3 along axis 1"):
        spread(np.ones((2, 3)), (2, 4), 1, 3)
    with pytest.raises(RangeError, match="axis=2 does not exist"):
        spread(np.ones(4), (2, 4), 2)
