"""Registers that saturate at every addition: compiled kernels, interpreted ones, and loops over Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.kernels import registers
from refq.kernels.cpu import has_instructions
from refq.kernels.requantize import fit_rows
from refq.layers.conv2d import Conv2D
from refq.layers.dense import Dense
from refq.numerics import Accumulator
from refq.numerics.register_sums import sum_images, sum_rows

needs_compiler = pytest.mark.skipif(
    not has_instructions(), reason="NUMBA_DISABLE_JIT: the block is made of instructions"
)


def clip(value, bits):
    return min(max(value, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)


@needs_compiler
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.integers(8, 62),
    rows=st.integers(0, 19),
    depth=st.integers(1, 20),
    outputs=st.integers(1, 35),
    width=st.sampled_from([4, 8, 16]),
)
def test_rows_add_up_as_python_integers_do(seed, bits, rows, depth, outputs, width):
    """Wide registers are reached by a bias near an end."""
    rng = np.random.default_rng(seed)
    end = 1 << (bits - 1)
    x = rng.integers(-(1 << width), 1 << width, (rows, depth))
    w = rng.integers(-128, 128, (outputs, depth))
    start = rng.choice([-end + 100, end - 100, 3], outputs)
    y = sum_rows(x, w, start, Accumulator(bits=bits, overflow="saturate", order="sequential"))
    assert y is not None
    assert y.shape == (rows, outputs)
    for n, o in np.ndindex(rows, outputs):
        value = clip(int(start[o]), bits)
        for k in range(depth):
            value = clip(value + int(x[n, k]) * int(w[o, k]), bits)
        assert y[n, o] == value


@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.integers(8, 20),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_channels_add_up_as_python_integers_do(seed, bits, strides, dilation):
    rng = np.random.default_rng(seed)
    w, start = rng.integers(-128, 128, (2, 3, 5)).astype(np.int32), rng.integers(-100, 100, 5).astype(np.int32)
    height, width = 2 * strides[0] + dilation[0] + 1, strides[1] + 2 * dilation[1] + 1
    x = rng.integers(-255, 256, (height, width, 5)).astype(np.int32)
    low, high = np.int32(-(1 << (bits - 1))), np.int32((1 << (bits - 1)) - 1)
    want = np.zeros((3, 2, 5), np.int32)
    for oy, ox, c in np.ndindex(want.shape):
        value = int(start[c])
        for fy, fx in np.ndindex(2, 3):
            seen = x[oy * strides[0] + fy * dilation[0], ox * strides[1] + fx * dilation[1], c]
            value = clip(value + int(seen) * int(w[fy, fx, c]), bits)
        want[oy, ox, c] = value
    for kernel in (registers.sum_channels_in_order, registers.sum_channels_in_order.py_func):
        y = np.zeros_like(want)
        kernel(x, w, start, (*strides, *dilation), low, high, y)
        np.testing.assert_array_equal(y, want)


def test_images_are_placed_with_the_zero_point_off():
    image = np.arange(-6, 6).reshape(2, 6).astype(np.int8)
    for kernel in (registers.place_centred, registers.place_centred.py_func):
        padded = np.zeros((4, 9), np.int32)
        kernel(image, -128, 1, 2, padded)
        assert padded[1:3, 2:8].tolist() == (image.astype(int) + 128).tolist()
        padded[1:3, 2:8] = 0
        assert not padded.any()


@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.integers(8, 31),
    saturates=st.booleans(),
)
def test_sums_are_fitted_with_their_bias(seed, bits, saturates):
    rng = np.random.default_rng(seed)
    acc = rng.integers(-(2**30), 2**30, (3, 5)).astype(np.int32)
    bias = rng.integers(-(2**30), 2**30, 9).astype(np.int32)
    kept = acc.copy()
    with np.errstate(over="ignore"):
        getattr(fit_rows, "py_func", fit_rows)(acc, 3, 5, bias, 2, (32 - bits, saturates))
    register = Accumulator(bits=bits, overflow="saturate" if saturates else "wrap")
    want = register.fit(kept.astype(np.int64) + bias[2:7])
    assert (((acc.astype(np.int64) + bias[2:7]) - want) % (1 << 32) == 0).all()


@needs_compiler
def test_kernels_are_asked_only_where_they_hold_the_register(monkeypatch):
    x, w = np.ones((1, 3), np.int64), np.ones((2, 3), np.int64)
    saturating = Accumulator(bits=8, overflow="saturate", order="sequential")
    assert sum_rows(x, w, 0, saturating) is not None
    assert sum_rows(x, w, 0, Accumulator(bits=8, overflow="raise", order="sequential")) is None
    monkeypatch.setenv("REFQ_KERNELS", "numpy")
    assert sum_rows(x, w, 0, saturating) is None
    assert Dense().register([x, w], 0, 0, saturating).tolist() == [[3, 3]]


@needs_compiler
@pytest.mark.parametrize("images", [0, 1])
def test_no_image_and_no_channel_give_empty_sums(images):
    register = Accumulator(bits=8, overflow="saturate", order="sequential")
    y = sum_images(
        np.ones((images, 3, 3, 2), int), np.ones((4, 2, 2, 2), int), 0, register,
        taps=[(0, 0), (0, 1), (1, 0), (1, 1)], out=(2, 2),
    )  # fmt: skip
    assert y is not None
    assert y.shape == (images, 2, 2, 4)
    assert (y == 8).all()


@needs_compiler
def test_a_convolution_of_wide_codes_takes_wide_words():
    rng = np.random.default_rng(0)
    x, w = rng.integers(-(2**15), 2**15, (1, 4, 5, 3)), rng.integers(-128, 128, (4, 2, 2, 3))
    register = Accumulator(bits=40, overflow="saturate", order="sequential")
    end = np.full(4, (1 << 39) - 1000)
    layer = Conv2D()
    y = layer.registers(x, w, end, register)
    np.testing.assert_array_equal(y, register.add_up(end, layer.terms(x, w)))
