"""ABC-Net: several binary bases whose signs depend on the value alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.bases import Bases
from refq.quantizers.blocks import count_blocks
from refq.quantizers.means import block_rows, finite_data

Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ABCWeights:
    """Weights as a combination of shifted binarizations.

        W ~ sum_i alpha_i B_i,   B_i = sign(W - mean(W) + u_i std(W)),   u_i = -1 + 2 (i - 1) / (M - 1)
        alpha = argmin |W - sum_i alpha_i B_i|**2

    Parameters
    ----------
    bits : int in 1..8      M, the number of bases; u = 0 for one

    Notes
    -----
    Lin, Zhao, Pan 2017, eq. (1)-(5). Signs depend on thresholds, not on alpha, so that a code need not name the
    nearest sum and quantizing twice may change a value. Only M + 1 of the 2**M codes occur. Hardware makes one
    xnor-popcount product a basis.
    """

    multiplier: ClassVar[str] = "bit_planes"
    bits: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise RangeError(f"bits={self.bits} of bases is outside 1..8")

    def fit(self, x: Any, block: tuple[int, ...]) -> Bases:
        """Thresholds and least-squares alphas of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        shifts = np.linspace(-1, 1, self.bits) if self.bits > 1 else np.zeros(1)
        data = finite_data(x)
        limits = [row.mean() - shifts * row.std() for row in block_rows(data, block)]
        return _bases(data, block, limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class ABCActivations:
    """Activations as a combination of shifted, clipped binarizations.

        R ~ sum_n beta_n A_n,   A_n = 2 [clip(R + v_n, 0, 1) >= 1/2] - 1
        beta = argmin |R - sum_n beta_n A_n|**2

    Parameters
    ----------
    shifts : tuple of 1..8 floats, the v_n; the paper learns them and the betas

    Notes
    -----
    Lin, Zhao, Pan 2017, eq. (7)-(9). `ABCActivations.spread_over(n)` has n thresholds 1/2 - v_n equally spaced in
    (0, 1).
    """

    multiplier: ClassVar[str] = "bit_planes"
    shifts: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        if not 1 <= len(self.shifts) <= 8 or not np.all(np.isfinite(self.shifts)):
            raise RangeError(f"shifts={self.shifts} must be 1..8 finite numbers")

    @classmethod
    def spread_over(cls, bases: int) -> ABCActivations:
        """Shifts of thresholds k / (bases + 1), k = 1..bases."""
        return cls(shifts=tuple(0.5 - k / (bases + 1) for k in range(1, bases + 1)))

    @property
    def bits(self) -> int:
        """Width of a code: one bit a basis."""
        return len(self.shifts)

    def fit(self, x: Any, block: tuple[int, ...]) -> Bases:
        """Least-squares betas of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        data = finite_data(x)
        limits = 0.5 - np.array(self.shifts, np.float64)
        return _bases(data, block, [limits] * int(np.prod(count_blocks(data.shape, block))))


def _bases(data: Row, block: tuple[int, ...], limits: list[Row]) -> Bases:
    counts = count_blocks(data.shape, block)
    alphas: list[Row] = []
    thresholds = np.array(limits).astype(np.float32)
    for row, limit in zip(block_rows(data, block), thresholds, strict=True):
        signs = np.where(row.astype(np.float32)[:, None] >= limit, 1.0, -1.0)
        largest = float(np.abs(row).max()) or 1.0
        alphas.append(np.asarray(np.linalg.lstsq(signs, row / largest, rcond=None)[0] * largest, np.float64))
    return Bases(alphas=np.array(alphas).reshape(*counts, -1), thresholds=thresholds.reshape(*counts, -1), block=block)
