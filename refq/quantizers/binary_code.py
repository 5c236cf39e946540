"""BinaryCode: sums of scaled signs, fitted greedily or by alternating least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.bases import Bases, code_signs
from refq.quantizers.blocks import count_blocks
from refq.quantizers.means import block_rows, finite_data

Row = NDArray[np.float64]
Method = Literal["greedy", "refined", "alternating"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryCode:
    """Binary-code quantization.

        x ~ sum_i alpha_i b_i,   b_i in {-1, +1}
        greedy:       r_0 = x;  b_i = sign(r_i),  alpha_i = mean |r_i|,  r_i+1 = r_i - alpha_i b_i
        refined:      as greedy, but all alphas are least-squares ones after every new basis
        alternating:  from greedy: least-squares alphas for fixed signs, nearest signs for fixed alphas, in turn

    Parameters
    ----------
    bits : int in 1..8      bases
    method : greedy, refined or alternating
    iterations : int >= 0   of alternating; fewer when nothing changes any more

    Notes
    -----
    Guo et al. 2017 (network sketching), algorithms 1 and 2; Xu et al. 2018, algorithms 1 and 2. greedy keeps the signs
    of its recursion, the others take the nearest sum. alphas of the others are sorted and positive: that renames codes
    and changes no sum. Hardware makes one xnor-popcount product a basis.
    """

    multiplier: ClassVar[str] = "bit_planes"
    bits: int = 3
    method: Method = "alternating"
    iterations: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise RangeError(f"bits={self.bits} of a binary code is outside 1..8")
        if self.method not in ("greedy", "refined", "alternating"):
            raise RangeError(f"method={self.method!r} is none of 'greedy', 'refined' and 'alternating'")
        if self.iterations < 0:
            raise RangeError(f"iterations={self.iterations} must not be negative")

    def fit(self, x: Any, block: tuple[int, ...]) -> Bases:
        """The bases of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        data = finite_data(x)
        rows = [self._alphas(row) for row in block_rows(data, block)]
        alphas = np.array(rows).reshape(*count_blocks(data.shape, block), self.bits)
        return Bases(alphas=alphas, block=block, greedy=self.method == "greedy")

    def _alphas(self, row: Row) -> Row:
        if self.method == "refined":
            return canonical(refined_alphas(row, self.bits))
        alphas = greedy_alphas(row, self.bits)
        if self.method == "greedy":
            return alphas
        units = code_signs(np.arange(1 << self.bits), self.bits).astype(np.float64)
        return canonical(alternate(row, units, alphas, self.iterations))


def greedy_alphas(row: Row, bits: int) -> Row:
    """alpha_i = mean |r_i| of what the signs before leave over."""
    left, alphas = row, list[float]()
    for _ in range(bits):
        alphas.append(float(np.abs(left).mean()))
        left = np.asarray(left - np.where(left >= 0, alphas[-1], -alphas[-1]), np.float64)
    return np.array(alphas)


def refined_alphas(row: Row, bits: int) -> Row:
    """Signs of what is left over, all alphas fitted anew after each."""
    signs: Row = np.empty((len(row), 0))
    left, alphas = row, np.empty(0)
    for _ in range(bits):
        signs = np.column_stack([signs, np.where(left >= 0, 1.0, -1.0)])
        alphas = np.asarray(np.linalg.lstsq(signs, row, rcond=None)[0], np.float64)
        left = row - signs @ alphas
    return alphas


def alternate(row: Row, units: Row, basis: Row, iterations: int) -> Row:
    """A least-squares basis for the nearest codes, again and again while the squared error falls.

    Parameters
    ----------
    row : data, shape (n,)
    units : what a code takes of every vector of the basis, shape (codes, bits)
    basis : the start, shape (bits,)

    Notes
    -----
    Only counts and sums of the data of each code enter: a turn costs a sorted search and a fit of 2**bits rows.
    """
    ordered = np.sort(row)
    largest = float(max(-ordered[0], ordered[-1]))
    if largest == 0:
        return np.asarray(0.0 * basis, np.float64)
    ordered = ordered / largest
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    basis, best, error = basis / largest, basis / largest, np.inf
    for _ in range(iterations + 1):
        table = units @ basis
        order = np.argsort(table, kind="stable")
        ranked = table[order]
        ends = np.concatenate([[0], np.searchsorted(ordered, 0.5 * (ranked[1:] + ranked[:-1])), [len(ordered)]])
        counts, totals = np.diff(ends), np.diff(sums[ends])
        trial = float((counts * ranked**2 - 2 * totals * ranked).sum())
        if trial >= error:
            break
        best, error = basis, trial
        weight = np.sqrt(counts)
        found = np.linalg.lstsq(weight[:, None] * units[order], totals / np.maximum(weight, 1), rcond=None)[0]
        basis = np.asarray(found, np.float64)
    return np.asarray(best * largest, np.float64)


def canonical(alphas: Row) -> Row:
    """Positive and descending."""
    return np.asarray(np.sort(np.abs(alphas))[::-1])
