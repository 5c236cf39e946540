"""Convolutions of bit planes against loops over Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import ShapeError
from refq.kernels import bit_patches
from refq.numerics.bit_convolution import bit_convolution
from refq.numerics.bit_planes import pack_bits
from tests.unit.kernels.test_popcount import GRIDS, draw

small = st.integers(1, 3)
pair = st.tuples(small, small)


def naive_convolution(x, w, strides, dilation, before, out):
    y = np.zeros((len(x), *out, len(w)), np.int64)
    for n, oy, ox, o in np.ndindex(*y.shape):
        for fy, fx, c in np.ndindex(*w.shape[1:]):
            iy = oy * strides[0] + fy * dilation[0] - before[0]
            ix = ox * strides[1] + fx * dilation[1] - before[1]
            if 0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]:
                y[n, oy, ox, o] += int(x[n, iy, ix, c]) * int(w[o, fy, fx, c])
    return y


@given(
    st.tuples(st.integers(0, 2), st.integers(1, 5), st.integers(1, 6), st.sampled_from([1, 3, 16, 21, 64, 70])),
    pair,
    pair,
    pair,
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    pair,
    st.sampled_from(GRIDS),
    st.sampled_from(GRIDS),
    st.integers(0, 99),
)
def test_convolution_is_the_naive_one(shape, kernel, strides, dilation, before, out, left, right, seed):
    x, w = draw(*left, shape, seed), draw(*right, (5, *kernel, shape[3]), seed + 1)
    y = bit_convolution(
        x,
        pack_bits(w.reshape(5, -1), *right),
        kernel=kernel,
        out=out,
        strides=strides,
        dilation=dilation,
        before=before,
        grid=left[0],
        bits=left[1],
    )
    assert np.array_equal(y, naive_convolution(x, w, strides, dilation, before, out))


@given(st.integers(0, 200), st.integers(0, 130), st.integers(0, 100), st.integers(0, 99))
def test_copied_bits_land_where_they_belong(start, count, place, seed):
    rng = np.random.default_rng(seed)
    source = rng.integers(0, 1 << 63, 6, np.uint64) * np.uint64(2) + rng.integers(0, 2, 6, np.uint64)
    whole = sum(int(word) << (64 * i) for i, word in enumerate(source))
    expected = ((whole >> start) & ((1 << count) - 1)) << place
    for kernel in (bit_patches.copy_bits, bit_patches.copy_bits.py_func):
        target = np.zeros(4, np.uint64)
        kernel(source, start, target, place, count)
        assert sum(int(word) << (64 * i) for i, word in enumerate(target)) == expected


def test_every_alignment_of_source_and_target():
    source = np.random.default_rng(0).integers(0, 1 << 63, 3, np.uint64) * np.uint64(2) + np.uint64(1)
    whole = sum(int(word) << (64 * i) for i, word in enumerate(source))
    for start, place in np.ndindex(64, 64):
        target = np.zeros(3, np.uint64)
        bit_patches.copy_bits(source, start, target, place, 100)
        expected = ((whole >> start) & ((1 << 100) - 1)) << place
        assert sum(int(word) << (64 * i) for i, word in enumerate(target)) == expected


def test_interpreted_patches_equal_the_compiled_ones():
    x = draw("ternary", 1, (2, 4, 5, 9), 0)
    image = pack_bits(x.reshape(8, 45), "ternary").planes[1]
    geometry = (4, 5, 9, (3, 2), (2, 1), (1, 2), (1, 1), (2, 5))
    compiled, interpreted = np.zeros((2, 20, 1), np.uint64), np.zeros((2, 20, 1), np.uint64)
    bit_patches.bit_patches(image, *geometry, compiled[0])
    bit_patches.bit_patches.py_func(image, *geometry, interpreted[0])
    assert compiled.any()
    assert np.array_equal(compiled, interpreted)


def test_weights_of_another_depth_are_refused():
    with pytest.raises(ShapeError, match="packed weights of depth 4 need"):
        bit_convolution(np.ones((1, 3, 3, 1), np.int8), pack_bits(np.ones((1, 4), np.int8)), kernel=(3, 3), out=(1, 1))
