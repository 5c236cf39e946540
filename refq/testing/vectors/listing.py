"""Which operations have corner vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from refq.errors import RangeError
from refq.testing.laws.rounding import MODES
from refq.testing.oracles import ORACLES
from refq.testing.vectors.corner import CornerVector
from refq.testing.vectors.products import binary_dot, conv2d, matmul
from refq.testing.vectors.scalars import accumulate, pack, quantize, requantize

_SOURCES: dict[str, Callable[[], Iterator[CornerVector]]] = {
    **{f"quantize-{mode}": partial(quantize, mode) for mode in MODES},
    **{f"requantize-{rule}": partial(requantize, rule) for rule in ORACLES},
    "accumulate-wrap": partial(accumulate, "wrap"),
    "accumulate-saturate": partial(accumulate, "saturate"),
    "matmul": matmul,
    "conv2d": conv2d,
    "binary-dot": binary_dot,
    **{f"pack-{bits}": partial(pack, bits) for bits in (1, 2, 4)},
}

CORNER_OPS = tuple(_SOURCES)
"""Names that `corner_vectors` knows."""


def corner_vectors(op: str) -> tuple[CornerVector, ...]:
    """The corners of an operation, always the same ones in the same order.

    Parameters
    ----------
    op : one of CORNER_OPS

    Returns
    -------
    CornerVector, whose results come from integers without width (`refq.testing.oracles`)

    Raises
    ------
    RangeError    an operation that has none

    >>> [vector.expected.tolist() for vector in corner_vectors("matmul")[:2]]
    [[[16384]], [[-16256]]]
    """
    if op not in _SOURCES:
        raise RangeError(f"op={op!r} has no corner vectors; operations are {', '.join(CORNER_OPS)}")
    return tuple(_SOURCES[op]())
