"""The cost of scales, counted by hand; stochastic rounding in pieces."""

from itertools import pairwise

import numpy as np
import pytest

from refq.errors import RangeError, ShapeError
from refq.graph import QParams
from refq.quantizers import PerChannel, PerChannelGroup, PerGroup, PerTensor, quantize_array
from refq.quantizers.overhead import overhead


@pytest.mark.parametrize(
    ("granularity", "scales", "rescales"),
    [
        (PerTensor(), 1, 1),
        (PerChannelGroup(size=4), 2, 1),
        (PerChannel(0), 8, 1),
        (PerGroup(size=16), 32, 4),
        (PerGroup(size=60), 16, 2),
    ],
)
def test_scales_are_counted(granularity, scales, rescales):
    found = overhead((8, 64), granularity, bits=4, symmetric=False)
    assert (found.scales, found.scale_bytes, found.zero_point_bytes) == (scales, 4 * scales, scales)
    assert found.rescales_per_output == rescales
    assert found.bits_per_weight == 4 + 8 * 5 * scales / 512


def test_a_tensor_without_weights_is_refused():
    with pytest.raises(ShapeError, match="no weights"):
        overhead((0, 3), PerTensor())


def test_seeded_stochastic_rounding_depends_on_the_index_alone_and_is_unbiased():
    grid, x = QParams(scale=1.0), np.full(40_000, 2.3, np.float32)
    whole = quantize_array(x, grid, "stochastic", 7)
    cuts = [0, 1, 6, 4097, 40_000]
    pieces = [quantize_array(x[a:b], grid, "stochastic", 7, a) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert set(whole.tolist()) == {2, 3}
    assert abs(whole.mean() - 2.3) < 4 * np.sqrt(0.3 * 0.7 / x.size)
    with pytest.raises(RangeError, match="seed=-1"):
        quantize_array(x, grid, "stochastic", -1)
