"""CornerVector: named operands and the result they must give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class CornerVector:
    """One transaction of an operation, or a batch of them that share parameters.

    Parameters
    ----------
    op : str
    name : str                    which corner
    inputs : name -> integer array (float32 for reals)
    parameters : name -> int, float or str, one for the whole vector
    expected : integer array
    labels : str, one an element of a batch, or none
    """

    op: str
    name: str
    inputs: dict[str, NDArray[Any]]
    parameters: dict[str, Any]
    expected: NDArray[Any]
    labels: tuple[str, ...] = ()
