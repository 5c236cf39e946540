"""Products of tensors made of scaled planes of -1, 0 and 1: integers in, scales last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError, UnsupportedError
from refq.numerics.bit_planes import PackedBits, pack_bits
from refq.numerics.bit_products import packed_matmul
from refq.quantizers.bases import Bases
from refq.quantizers.levels import Levels, read_codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignPlanes:
    """A matrix as a sum of planes, each row of a plane with a scale of its own.

        x[m, k] = sum_i scales[i, m] * planes[i][m, k],   planes in {-1, 0, 1}

    Parameters
    ----------
    scales : float64, shape (planes, rows)
    planes : packed matrices of rows x depth, binary or ternary
    """

    scales: NDArray[np.float64]
    planes: tuple[PackedBits, ...]

    @classmethod
    def of(cls, fitted: Bases | Levels, codes: Any) -> SignPlanes:
        """The planes of a quantized matrix.

        Parameters
        ----------
        fitted : Bases; or Levels of two levels, or of three around 0. One block, or one a row
        codes : shape (rows, depth)

        Raises
        ------
        ShapeError          codes that are no matrix, blocks that cut rows
        UnsupportedError    levels that are no sum of few planes
        """
        if isinstance(fitted, Bases):
            table, count = fitted.alphas, 1 << fitted.bits
        else:
            table, count = fitted.levels, fitted.count
        numbers = read_codes(codes, count)
        blocks = int(np.prod(table.shape[:-1]))
        whole = fitted.block is None or not any(fitted.block)
        if numbers.ndim != 2 or not (whole or (fitted.block == (1, 0) and blocks == len(numbers))):
            raise ShapeError(
                f"codes of shape {numbers.shape} with blocks {fitted.block} must be a matrix with one block, or one "
                "a row (block (1, 0))"
            )

        def along(values: NDArray[Any]) -> NDArray[np.float64]:
            return np.broadcast_to(values.reshape(-1).astype(np.float64), len(numbers))

        if isinstance(fitted, Bases):
            signs = fitted.signs(numbers)
            parts = [(along(fitted.alphas[..., i]), signs[..., i]) for i in range(fitted.bits)]
            return cls.summed(parts, along(fitted.offset), numbers.shape)
        levels = fitted.levels.astype(np.float64)
        if count == 2:
            half, middle = (levels[..., 1] - levels[..., 0]) / 2, (levels[..., 1] + levels[..., 0]) / 2
            return cls.summed([(along(half), 2 * numbers - 1)], along(middle), numbers.shape)
        if count == 3 and not np.any(levels[..., 1]):
            trits = numbers - 1
            even, odd = (levels[..., 2] - levels[..., 0]) / 2, (levels[..., 2] + levels[..., 0]) / 2
            parts = [(along(even), trits)] + ([(along(odd), np.abs(trits))] if np.any(odd) else [])
            return cls.summed(parts, along(np.zeros(blocks)), numbers.shape)
        raise UnsupportedError(
            f"{count} levels are no sum of planes of signs; use Bases, two levels, or three around 0"
        )

    @classmethod
    def summed(
        cls, parts: list[tuple[NDArray[np.float64], NDArray[Any]]], offset: NDArray[np.float64], shape: tuple[int, ...]
    ) -> SignPlanes:
        """Planes with their scales; an offset is a plane of ones."""
        if np.any(offset):
            parts = [*parts, (offset, np.ones(shape, np.int8))]
        planes = tuple(pack_bits(p.astype(np.int8), "ternary" if np.any(p == 0) else "binary") for _, p in parts)
        return cls(scales=np.stack([scale for scale, _ in parts]), planes=planes)


def sign_matmul(a: SignPlanes, b: SignPlanes, threads: int = 1) -> NDArray[np.float64]:
    """The product of two quantized matrices: one popcount product a pair of planes, then their scales.

        y[m, n] = sum_i sum_j a.scales[i, m] * b.scales[j, n] * sum_k a.planes[i][m, k] * b.planes[j][n, k]

    Parameters
    ----------
    a : SignPlanes of shape (M, K)
    b : SignPlanes of shape (N, K), the right operand transposed
    threads : int >= 1

    Returns
    -------
    float64, shape (M, N): the inner sums are exact integers

    Raises
    ------
    ShapeError, RangeError    as `packed_matmul`

    Notes
    -----
    Binary times binary: Rastegari et al. 2016 (XNOR-Net), eq. (11). Residual planes times binary: Li et al. 2017
    (HORQ), eq. (19). Ternary times binary: Wan et al. 2018 (TBN), section 3.3. Several bases on both sides: Lin et al.
    2017 (ABC-Net), eq. (10), and Zhang et al. 2018 (LQ-Nets), eq. (8).
    """
    y = np.zeros((a.scales.shape[1], b.scales.shape[1]))
    for i, left in enumerate(a.planes):
        for j, right in enumerate(b.planes):
            y += packed_matmul(left, right, threads) * a.scales[i][:, None] * b.scales[j]
    return y
