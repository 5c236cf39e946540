"""Element types: the number formats a tensor may be stored in, from 2-bit integers to 8-bit floats, and casts to them.

Integers of 2 and 4 bits, the 8-bit floats and the 4-bit float are NumPy types of the package ml_dtypes, imported on
first use; the rest is NumPy's own.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, UnsupportedError

_SMALL_FLOATS = (
    "bfloat16",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float4_e2m1fn",
)
_SMALL_INTEGERS = ("int4", "uint4", "int2", "uint2")
_E8M0_BIAS = 127


def element_type(name: str) -> np.dtype[Any]:
    """The NumPy type of a name: "int8", "float16", "bool", "int4", "uint2", "float8_e4m3fn", "float4_e2m1fn" ...

    Raises
    ------
    UnsupportedError    no type of that name, or ml_dtypes is needed and not installed
    """
    if name not in (*_SMALL_FLOATS, *_SMALL_INTEGERS):
        try:
            return np.dtype(name)
        except TypeError:
            raise UnsupportedError(f"element type {name!r} is unknown") from None
    try:
        types = import_module("ml_dtypes")
    except ImportError:
        raise UnsupportedError(f"element type {name!r} needs ml_dtypes; pip install 'refq[onnx]'") from None
    return np.dtype(getattr(types, name))


def is_real(dtype: Any) -> bool:
    """Whether an element type holds fractions (any width of float)."""
    name = np.dtype(dtype).name
    return name in _SMALL_FLOATS or np.dtype(dtype).kind == "f"


def is_integer(dtype: Any) -> bool:
    """Whether an element type holds integers (any width; not bool)."""
    return np.dtype(dtype).name in _SMALL_INTEGERS or np.dtype(dtype).kind in "iu"


def integer_limits(dtype: Any) -> tuple[int, int]:
    """Lowest and highest value of an integer type.

    >>> integer_limits(np.uint16)
    (0, 65535)
    """
    name = np.dtype(dtype).name
    if not is_integer(dtype):
        raise RangeError(f"{name} is no integer type")
    bits = int(name.lstrip("uint"))
    return (0, (1 << bits) - 1) if name.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def largest_finite(dtype: Any) -> float:
    """The largest finite value of a floating type."""
    if np.dtype(dtype).name in _SMALL_FLOATS:
        return float(import_module("ml_dtypes").finfo(dtype).max)
    return float(np.finfo(dtype).max)


def cast(x: NDArray[Any], to: Any, *, saturate: bool = True, round_mode: str = "up") -> NDArray[Any]:
    """Convert an array to another element type as ONNX Cast does.

    Parameters
    ----------
    x : array of any element type
    to : NumPy type
    saturate : for 8-bit floats, whether what lies beyond the largest finite value becomes that value, infinities
        included; else it becomes an infinity, or NaN in a format without one
    round_mode : "up", "down" or "nearest": to which power of two float8_e8m0fnu goes

    Raises
    ------
    RangeError    unknown round_mode

    Notes
    -----
    ONNX operator specification, Cast, versions 19 to 25. Reals to floats round half to even. Reals to integers drop the
    fraction; values outside an integer type keep their low bits, as two's complement hardware does (the specification
    leaves them open). float4_e2m1fn always saturates.
    """
    to = np.dtype(to)
    if not is_real(to):
        if to.kind == "b":
            return _wide(x) != 0 if is_real(x.dtype) else x.astype(np.int64) != 0
        return _to_integer(x, to)
    name = to.name
    values = _wide(x) if is_real(x.dtype) else x.astype(np.float64 if x.dtype.kind in "iu" else np.float32)
    if name == "float8_e8m0fnu":
        return _to_power_of_two(values, to, saturate, round_mode)
    if name.startswith(("float8", "float4")) and (saturate or name == "float4_e2m1fn"):
        values = np.clip(values, -largest_finite(to), largest_finite(to))
    with np.errstate(over="ignore", invalid="ignore"):
        return (_sticky_float32(values) if name in _SMALL_FLOATS else values).astype(to)


def _sticky_float32(x: NDArray[Any]) -> NDArray[np.float32]:
    """float32 towards zero, the last bit set where anything was lost: rounding it again to fewer bits is then exact.

    ml_dtypes converts through float32; rounding twice would send a float64 just beside a tie to the wrong side.
    """
    near = x.astype(np.float32)
    if x.dtype == np.float32:
        return near
    lost = (near != x) & np.isfinite(near)
    bits = near.view(np.uint32) - (np.abs(near) > np.abs(x))
    return np.where(lost, bits | np.uint32(1), near.view(np.uint32)).astype(np.uint32).view(np.float32)


def _wide(x: NDArray[Any]) -> NDArray[Any]:
    """A floating array in a type NumPy computes with."""
    return x if x.dtype.kind == "f" and x.dtype.itemsize >= 4 else x.astype(np.float32)


def _to_integer(x: NDArray[Any], to: np.dtype[Any]) -> NDArray[Any]:
    if is_real(x.dtype):
        whole = np.nan_to_num(np.trunc(_wide(x).astype(np.float64)), nan=0.0, posinf=2.0**62, neginf=-(2.0**62))
        x = np.clip(whole, -(2.0**62), 2.0**62).astype(np.int64)
    if to.name not in _SMALL_INTEGERS:
        return x.astype(to)
    low, high = integer_limits(to)
    span = high - low + 1
    return ((x.astype(np.int64) - low) % span + low).astype(to)


def _to_power_of_two(x: NDArray[Any], to: np.dtype[Any], saturate: bool, round_mode: str) -> NDArray[Any]:
    """float8_e8m0fnu holds 2**(code - 127), code 255 is NaN; no sign, no zero."""
    if round_mode not in ("up", "down", "nearest"):
        raise RangeError(f"round_mode={round_mode!r} is not up, down or nearest")
    magnitude = np.abs(x.astype(np.float64))
    mantissa, exponent = np.frexp(magnitude)  # magnitude = mantissa * 2**exponent, mantissa in [1/2, 1)
    code = exponent.astype(np.int64) - 1 + _E8M0_BIAS
    rises = {"up": mantissa > 0.5, "down": np.zeros(x.shape, bool), "nearest": mantissa >= 0.75}[round_mode]
    code = np.where(magnitude == 0, 0, code + rises)
    beyond = (code > 254) | np.isinf(magnitude)
    code = np.where(beyond, 254 if saturate else 255, np.maximum(code, 0))
    return np.where(np.isnan(magnitude), 255, code).astype(np.uint8).view(to)
