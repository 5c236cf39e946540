"""WRPN: a uniform grid over a fixed range, in a network of wider layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.means import finite_data


@dataclass(frozen=True, slots=True, kw_only=True)
class WRPN:
    """Weights in [-1, 1], activations in [0, 1].

        weights:      w_q = round((2**(bits - 1) - 1) * clip(w, -1, 1)) / (2**(bits - 1) - 1)
        activations:  a_q = round((2**bits - 1) * clip(a, 0, 1)) / (2**bits - 1)

    Parameters
    ----------
    bits : int in 2..16 (1..16 unsigned)
    signed : bool      True for weights, False for activations
    width : int >= 1   how many times as many filters the layer has as the network it stands for

    Notes
    -----
    Mishra et al. 2018, section 3: narrower codes, paid for with wider layers. Products are those of uniform codes.
    """

    multiplier: ClassVar[str] = "multiply"
    bits: int = 4
    signed: bool = True
    width: int = 2

    def __post_init__(self) -> None:
        if not 1 + int(self.signed) <= self.bits <= 16:
            raise RangeError(f"bits={self.bits} is outside {1 + int(self.signed)}..16")
        if self.width < 1:
            raise RangeError(f"width={self.width} must be at least 1")

    def fit(self, x: Any, block: tuple[int, ...]) -> QParams:
        """The grid, which does not depend on the data: one scale for the tensor.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        finite_data(x)
        steps = (1 << (self.bits - int(self.signed))) - 1
        return QParams(scale=1 / steps, bits=self.bits, signed=self.signed, narrow=self.signed)

    def filters(self, count: int) -> int:
        """Filters of the widened layer."""
        return self.width * count
