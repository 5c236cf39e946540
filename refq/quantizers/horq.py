"""HORQ: high-order residual binarization of activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from refq.errors import RangeError
from refq.quantizers.bases import Bases
from refq.quantizers.binary_code import BinaryCode


@dataclass(frozen=True, slots=True, kw_only=True)
class HORQ:
    """Binary planes of what the planes before leave over.

        x ~ sum_i beta_i H_i;   R_0 = x,  H_i = sign(R_i),  beta_i = mean |R_i|,  R_i+1 = R_i - beta_i H_i

    Parameters
    ----------
    order : int in 1..8      planes; 1 is the binarization of XNOR-Net

    Notes
    -----
    Li et al. 2017, eq. (9)-(14), order 2 in the paper; there every column of the unfolded input has its own betas,
    which is a block of one row here. It is the greedy binary code, of activations. The product with binary weights is
    `sign_matmul`: one xnor-popcount product a plane.

    >>> HORQ(order=2).fit([[4.0, -2.0]], (1, 0)).alphas.tolist()
    [[[3.0, 1.0]]]
    """

    multiplier: ClassVar[str] = "bit_planes"
    order: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.order <= 8:
            raise RangeError(f"order={self.order} is outside 1..8")

    @property
    def bits(self) -> int:
        """Width of a code: one bit a plane."""
        return self.order

    def fit(self, x: Any, block: tuple[int, ...]) -> Bases:
        """The betas of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        return BinaryCode(bits=self.order, method="greedy").fit(x, block)
