"""Figures of merit of every quantizer on one tensor."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import CalibrationError, RangeError, ShapeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import dequantize_array
from refq.quantizers.bases import Bases
from refq.quantizers.catalog import quantizer_methods
from refq.quantizers.granularity import Granularity, PerTensor
from refq.quantizers.levels import Levels
from refq.quantizers.scheme import Scheme
from refq.quantizers.vectors import Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One quantizer on one tensor.

    bits : stored bits a weight, tables left out
    entropy : bits a weight that an ideal code of the codes needs
    metadata_bytes : scales, zero points, levels, centroids
    sqnr_db, mse, max_error : of the reals that codes stand for
    reals : they themselves
    code_counts : how often every code occurs, those that do not left out
    """

    name: str
    grid: Any
    bits: float
    sqnr_db: float
    mse: float
    max_error: float
    entropy: float
    metadata_bytes: int
    reals: NDArray[np.float32]
    code_counts: NDArray[np.int64]


def figures_of(grid: Any, x: Any, granularity: Granularity | None = None) -> Figures:
    """Quantize a tensor with a grid and measure.

        SQNR = 10 log10(sum x**2 / sum (x - FQ(x))**2),   entropy = -sum_c p_c log2 p_c, per weight

    Parameters
    ----------
    grid : Uniform, or any other grid
    x : real, finite
    granularity : default PerTensor; codebooks of vectors take none

    Raises
    ------
    CalibrationError, ShapeError    as the grid's `fit`
    """
    array = np.asarray(x, np.float32)
    if isinstance(grid, Vectors):
        fitted: Any = grid.fit(array)
        codes = fitted.quantize(array)
        reals = fitted.dequantize(codes)
    else:
        fitted, codes = Scheme(grid=grid, granularity=granularity or PerTensor()).quantize(array)
        reals = dequantize_array(codes, fitted)
    error = array.astype(np.float64) - reals
    noise, power = float(np.square(error).sum()), float(np.square(array.astype(np.float64)).sum())
    occurring = np.unique(codes, return_counts=True)[1]
    counts = occurring / codes.size
    share = codes.size / array.size
    return Figures(
        name=type(grid).__name__,
        grid=grid,
        bits=fitted.bits * share,
        sqnr_db=inf if noise == 0 else (-inf if power == 0 else 10 * log10(power / noise)),
        mse=noise / array.size,
        max_error=float(np.abs(error).max()),
        entropy=abs(float(-(counts * np.log2(counts)).sum())) * share,
        metadata_bytes=_metadata_bytes(fitted),
        reals=reals,
        code_counts=occurring,
    )


def compare_quantizers(x: Any, bits: int = 4, granularity: Granularity | None = None) -> tuple[Figures, ...]:
    """Every quantizer on one tensor, the best SQNR first.

    Parameters
    ----------
    x : real, finite
    bits : of grids that have widths; grids that do not allow it, or need more than data (levels of one's own), are left
        out. Codebooks of vectors keep their own width, 8 bits for 4 weights
    granularity : default PerTensor

    Raises
    ------
    CalibrationError    data that is empty or not finite

    >>> rows = compare_quantizers(np.linspace(-1, 1, 64).reshape(8, 8), bits=4)
    >>> [row.bits for row in rows if row.name == "Uniform"]
    [4.0]
    """
    array = np.asarray(x, np.float32)
    if not array.size or not np.isfinite(array).all():
        raise CalibrationError(f"an array of shape {array.shape} has no finite values to compare quantizers on")
    rows: list[Figures] = []
    for method in quantizer_methods():
        has_width = "bits" in {field.name for field in fields(method.kind)} and method.kind is not Vectors
        options: dict[str, Any] = {"bits": bits} if has_width else {}
        try:
            rows.append(figures_of(method.kind(**options), array, granularity))
        except (RangeError, ShapeError, TypeError):
            continue
    return tuple(sorted(rows, key=lambda row: -row.sqnr_db))


def _metadata_bytes(fitted: Any) -> int:
    if isinstance(fitted, QParams):
        return fitted.scale.nbytes + (0 if fitted.is_symmetric else fitted.zero_point.nbytes)
    if isinstance(fitted, Levels):
        return fitted.levels.nbytes
    if isinstance(fitted, Bases):
        return fitted.alphas.nbytes + (fitted.offset.nbytes if np.any(fitted.offset) else 0)
    return int(fitted.centroids.nbytes)
