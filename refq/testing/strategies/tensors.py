"""Tensors of codes and of reals."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from refq.graph import QParams
from refq.testing.corners import integer_corners, real_corners

Shapes = tuple[int, ...] | SearchStrategy[tuple[int, ...]]


def _shape(shape: Shapes) -> SearchStrategy[tuple[int, ...]]:
    return st.just(shape) if isinstance(shape, tuple) else shape


def code_tensors(low: int, high: int, shape: Shapes, dtype: Any = np.int64) -> SearchStrategy[NDArray[Any]]:
    """Integers in [low, high], biased to {min, min + 1, -1, 0, 1, max - 1, max}.

    Parameters
    ----------
    low, high : int
    shape : tuple, or a strategy of tuples
    dtype : of the array
    """
    corners = sorted(integer_corners(low, high), key=abs)
    element = st.one_of(st.integers(0, len(corners) - 1).map(corners.__getitem__), st.integers(low, high))
    return _filled(shape, element, dtype)


def _filled(shape: Shapes, element: SearchStrategy[Any], dtype: Any) -> SearchStrategy[NDArray[Any]]:
    def build(size: tuple[int, ...]) -> SearchStrategy[NDArray[Any]]:
        count = int(np.prod(size))
        return st.lists(element, min_size=count, max_size=count).map(lambda v: np.array(v, dtype).reshape(size))

    return _shape(shape).flatmap(build)


def reals_of(levels: Any, shape: Shapes | None = None) -> SearchStrategy[NDArray[np.float32]]:
    """float32 tensors around a grid's levels: levels, ties, their neighbours, the ends, and any number in between.

    Parameters
    ----------
    levels : real, shape (levels,)
    shape : tuple, or a strategy of tuples; default 1..12 elements
    """
    table = np.asarray(levels, np.float64)
    corners = real_corners(table)
    corners = corners[np.argsort(np.abs(corners), kind="stable")]
    span = float(max(table.max() - table.min(), np.finfo(np.float32).tiny))
    limit = float(np.finfo(np.float32).max)
    low, high = (float(np.float32(np.clip(v, -limit, limit))) for v in (table.min() - span, table.max() + span))
    element = st.one_of(st.integers(0, len(corners) - 1).map(corners.__getitem__), st.floats(low, high, width=32))
    return _filled(st.tuples(st.integers(1, 12)) if shape is None else shape, element, np.float32)


def real_tensors(grid: QParams, shape: Shapes | None = None) -> SearchStrategy[NDArray[np.float32]]:
    """`reals_of` the levels of a grid with one scale."""
    steps = np.arange(grid.qmin, grid.qmax + 1, dtype=np.float64) - int(grid.zero_point)
    return reals_of(steps * float(grid.scale), shape)
