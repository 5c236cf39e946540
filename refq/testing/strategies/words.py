"""Rows of narrow codes, as long as packed words are not."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from refq.testing.strategies.tensors import code_tensors

TAILS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)
"""Lengths that leave words full, one short and one over."""


def code_rows(bits: int, signed: bool = True, most: int = 129) -> SearchStrategy[NDArray[Any]]:
    """Rows of codes of 1..16 bits whose lengths leave every kind of tail in a word."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return _lengths(most).flatmap(lambda n: code_tensors(low, high, (min(n, 61),)).map(lambda v: np.resize(v, n)))


def signs(most: int = 129) -> SearchStrategy[tuple[NDArray[Any], NDArray[Any]]]:
    """Pairs of rows of -1 and +1 of one length."""

    def pair(n: int) -> SearchStrategy[Any]:
        bits = st.integers(0, (1 << n) - 1).map(lambda v: 2 * (np.array([v >> i & 1 for i in range(n)])) - 1)
        return st.tuples(bits, bits)

    return _lengths(most).flatmap(pair)


def _lengths(most: int) -> SearchStrategy[int]:
    return st.one_of(st.sampled_from([n for n in TAILS if n <= most]), st.integers(1, most))
