"""Blocks and granularities, against loops over indices."""

import itertools

import numpy as np
import pytest

from refq.errors import RangeError, ShapeError
from refq.graph import QParams
from refq.quantizers import (
    PerChannel,
    PerChannelGroup,
    PerGroup,
    PerTensor,
    Scheme,
    Uniform,
    dequantize_array,
    quantize_array,
)
from refq.quantizers.blocks import count_blocks, reduce_blocks, split, spread

SHAPES = [
    ((), ()),
    ((5,), (2,)),
    ((4, 10), (1, 3)),
    ((3, 7), (0, 7)),
    ((5, 4, 3), (2, 0, 2)),
    ((2, 3), (0, 0)),
    ((3, 2), (9, 1)),
]


def members(shape, block):
    """Block number -> the values of its elements, element n having value n; by loops."""
    found = {}
    counts = [1 if not b else -(-s // b) for s, b in zip(shape, block, strict=True)]
    for value, index in enumerate(itertools.product(*map(range, shape))):
        number = 0
        for i, b, n in zip(index, block, counts, strict=True):
            number = number * n + (i // b if b else 0)
        found.setdefault(number, []).append(value)
    return counts, found


@pytest.mark.parametrize(("shape", "block"), SHAPES)
def test_splitting_reducing_and_spreading_equal_loops_over_indices(shape, block):
    counts, found = members(shape, block)
    x = np.arange(int(np.prod(shape))).reshape(shape)
    assert count_blocks(shape, block) == tuple(counts)
    pieces = {int(n): row.tolist() for numbers, rows in split(x, block) for n, row in zip(numbers, rows, strict=True)}
    assert {n: sorted(row) for n, row in pieces.items()} == found
    largest = reduce_blocks(x, block, np.maximum)
    assert largest.reshape(-1).tolist() == [max(found[n]) for n in range(len(found))]
    over = np.broadcast_to(spread(largest, block, shape), shape).reshape(-1)
    for values in found.values():
        assert {int(over[v]) for v in values} == {max(values)}


def test_granularities_are_block_shapes():
    assert PerTensor().block(3) == (0, 0, 0)
    assert PerChannel(-1).block(3) == (0, 0, 1)
    assert PerChannelGroup(axis=0, size=4).block(2) == (4, 0)
    assert PerGroup(axis=-1, size=16).block(2) == (1, 16)
    assert PerGroup(axis=1, size=2, channel_axis=None).block(3) == (1, 2, 1)


@pytest.mark.parametrize("granularity", [PerChannelGroup(axis=1, size=2), PerGroup(size=3), PerGroup(size=99)])
@pytest.mark.parametrize("symmetric", [False, True])
def test_scales_of_blocks_equal_per_tensor_scales_of_each_block(granularity, symmetric):
    x = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32)
    scheme = Scheme(grid=Uniform(bits=5, symmetric=symmetric), granularity=granularity)
    fitted, codes = scheme.quantize(x)
    block = granularity.block(3)
    assert fitted.scale.shape == count_blocks(x.shape, block)
    alone = Scheme(grid=scheme.grid)
    pairs = zip(split(x, block), split(codes, block), split(dequantize_array(codes, fitted), block), strict=True)
    for (_, xs), (_, qs), (_, reals) in pairs:
        for row, code, real in zip(xs, qs, reals, strict=True):
            grid, expected = alone.quantize(row)
            np.testing.assert_array_equal(code, expected)
            np.testing.assert_array_equal(real, dequantize_array(expected, grid))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: PerGroup(size=0), "size=0 of a group"),
        (lambda: PerChannelGroup(size=-1), "size=-1 of a group"),
        (lambda: PerGroup(axis=0).block(2), "axis=0 and channel_axis=0 are one axis"),
        (lambda: PerChannel(2).block(2), "axis=2 does not exist"),
        (lambda: QParams(scale=[[1.0], [1.0]], block=(0, 1)), "does not count blocks"),
        (lambda: QParams(scale=[1.0], block=(1,), axis=0), "no axis"),
        (lambda: QParams(scale=[[1.0]], block=(1, 1)).along(np.ones(1), 2), "need the shape"),
    ],
)
def test_what_cannot_be_a_block_is_refused(make, text):
    with pytest.raises(RangeError, match=text):
        make()


def test_a_tensor_of_another_shape_is_refused():
    grid = Scheme(granularity=PerGroup(size=2)).fit(np.ones((2, 5), np.float32))
    with pytest.raises(ShapeError, match=r"\(2, 7\)"):
        quantize_array(np.ones((2, 7), np.float32), grid)
