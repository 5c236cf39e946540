"""Integers of fitted levels against the levels themselves."""

import numpy as np
import pytest

from refq.quantizers.apot import APoT
from refq.quantizers.apply import dequantize_array
from refq.quantizers.binary_code import BinaryCode
from refq.quantizers.kmeans_levels import KMeansLevels
from refq.quantizers.lq_nets import LQNets
from refq.quantizers.power_of_two import PowerOfTwo
from refq.quantizers.represent import represent
from refq.quantizers.trained_ternary import TrainedTernary

GRIDS = [PowerOfTwo(), APoT(), KMeansLevels(), BinaryCode(bits=2), BinaryCode(bits=3), LQNets(), TrainedTernary()]


@pytest.mark.parametrize("grid", GRIDS, ids=repr)
@pytest.mark.parametrize("block", [(0, 0), (1, 0)])
@pytest.mark.parametrize("level_bits", [8, 16])
def test_integers_times_scale_are_the_levels(grid: object, block: tuple[int, int], level_bits: int) -> None:
    w = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32)
    fitted = grid.fit(w, block)  # type: ignore[attr-defined]
    codes = fitted.quantize(w)
    q, integers, book = represent(fitted, codes, multiplier=grid.multiplier, level_bits=level_bits)  # type: ignore[attr-defined]
    assert np.array_equal(book.decode(), integers)
    error = np.abs(dequantize_array(integers, q) - fitted.dequantize(codes))
    is_exact = grid.multiplier in ("shift", "shift_add")  # type: ignore[attr-defined]
    bases = grid.bits if grid.multiplier == "bit_planes" else 1  # type: ignore[attr-defined]
    limit = 1e-5 if is_exact else 0.5 * bases * q.scale.max() + 1e-5
    assert error.max() <= limit
