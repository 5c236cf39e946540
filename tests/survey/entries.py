"""What a row of the table of methods is, and how the rows of grids and ranges come about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from refq.quantizers import PerTensor, Scheme, Uniform, dequantize_array, fake_quantize
from refq.quantizers.vectors import Vectors
from refq.testing import subject_of
from tests.property.builtin_grids import range_observer

LAWS = "property/test_laws_of_builtin_quantizers.py::"
UNIT = "unit/quantizers/test_"


@dataclass(frozen=True, kw_only=True)
class Number:
    """A measured value, and how it is printed."""

    value: float
    text: str

    def __str__(self) -> str:
        return self.text.format(self.value)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A method.

    section : of Gholami et al. 2021
    module : where it is
    subjects : what the laws are tried on
    measure : the number
    tests : "folder/file.py::function" below tests/, besides the laws
    """

    section: str
    method: str
    module: str
    subjects: Callable[[], tuple[Any, ...]]
    measure: Callable[[], Number]
    tests: tuple[str, ...]


@cache
def weights() -> Any:
    """64 filters of 144 Gaussian weights, each filter a little wider than the one before."""
    rows = np.random.default_rng(0).standard_normal((64, 144)) * np.geomspace(0.5, 2, 64)[:, None]
    return rows.astype(np.float32)


@cache
def activations() -> Any:
    """The same after ReLU."""
    return np.maximum(weights(), 0)


def sqnr(x: Any, y: Any, text: str = "{:.1f} dB", importance: Any = 1.0) -> Number:
    """10 log10(sum x**2 / sum (x - y)**2), weighted by importance."""
    wide = np.asarray(x, np.float64)
    value = 10 * np.log10((importance * wide**2).sum() / (importance * (wide - y) ** 2).sum())
    return Number(value=float(value), text=text)


def at_bits(bits: float) -> str:
    """How a ratio at a width is printed."""
    return f"{{:.1f}} dB at {bits:g} bit{'' if bits == 1 else 's'}"


def scheme(section: str, method: str, chosen: Scheme, *tests: str, data: Any = weights, module: str = "") -> Entry:
    """A row of a grid on one tensor, by default named after the grid's module."""
    grid = chosen.grid

    def measure() -> Number:
        fitted, codes = chosen.quantize(data(), 0 if chosen.rounding == "stochastic" else None)
        return sqnr(data(), dequantize_array(codes, fitted), at_bits(fitted.bits))

    def subjects() -> tuple[Any, ...]:
        if isinstance(chosen.granularity, PerTensor):
            return (subject_of(chosen.fit(data()), rounding=chosen.rounding),)
        part = data()[:6, :20]
        return (subject_of(chosen.fit(part), rounding=chosen.rounding, shape=part.shape),)

    return Entry(
        section=section,
        method=method,
        module=module or type(grid).__module__,
        subjects=subjects,
        measure=measure,
        tests=tests,
    )


def grid(section: str, method: str, chosen: Any, *tests: str, data: Any = weights) -> Entry:
    """A row of a grid with one scale for the tensor."""
    return scheme(section, method, Scheme(grid=chosen), *tests, data=data)


def vectors(method: str, chosen: Vectors, *tests: str) -> Entry:
    """A row of a codebook of vectors."""

    def measure() -> Number:
        fitted = chosen.fit(weights())
        return sqnr(weights(), fitted.dequantize(fitted.quantize(weights())), at_bits(fitted.bits_per_weight))

    return Entry(
        section="IV-F",
        method=method,
        module=type(chosen).__module__,
        subjects=lambda: (chosen.fit(weights()[:, :16]),),
        measure=measure,
        tests=tests,
    )


def range_of(section: str, method: str, chosen: Any, *tests: str, data: Any = weights) -> Entry:
    """A row of a way to choose the interval, 4 bits, symmetric for weights; data comes in eight batches."""
    uniform = Uniform(bits=4, symmetric=data is weights)

    def fit() -> Any:
        state = None
        for batch in np.split(data(), 8, axis=1):
            state = chosen.observe(state, batch.reshape(1, -1))
        low, high = chosen.limits(state, uniform)
        return uniform.qparams(low[0], high[0])

    return Entry(
        section=section,
        method=method,
        module=type(chosen).__module__,
        subjects=lambda: (range_observer(chosen, uniform), fit()),
        measure=lambda: sqnr(data(), fake_quantize(data(), fit()), "{:.1f} dB at 4 bits"),
        tests=(LAWS + "test_observed_ranges_scale_and_merge", *tests),
    )
