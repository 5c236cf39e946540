"""Float32 convolutions and their gradients: every order of summation is exact on small integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.graph import Node
from refq.kernels.cpu import features, has_instructions
from refq.layers import layer_for
from refq.numerics.float_convolution import float_convolution

needs_kernels = pytest.mark.skipif(
    not has_instructions() or "fma" not in features(), reason="the blocks are made of fused multiply-adds"
)


def conv(strides=(1, 1), padding="valid", groups=1):
    attrs = {"strides": strides, "padding": padding, "groups": groups}
    return layer_for(Node(op="Conv2D", name="conv", inputs=(), outputs=(), attrs=attrs))


def integers(rng, *shape):
    return rng.integers(-4, 5, shape).astype(np.float32)


def places(x, w, dy, strides, before):
    """Every (n, oy, ox, o), with the input and the weight element it multiplies."""
    share, channels = len(w) // (x.shape[3] // w.shape[3]), w.shape[3]
    for n, oy, ox, o in np.ndindex(dy.shape):
        for fy, fx, c in np.ndindex(w.shape[1:]):
            iy, ix = oy * strides[0] + fy - before[0], ox * strides[1] + fx - before[1]
            if 0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]:
                yield (n, oy, ox, o), (n, iy, ix, o // share * channels + c), (o, fy, fx, c)


@needs_kernels
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 6), st.integers(4, 13)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    channels=st.integers(1, 3),
    outputs=st.sampled_from([1, 5, 16, 17, 33]),
    groups=st.integers(1, 2),
)
def test_a_convolution_and_its_gradients_equal_loops(seed, size, kernel, strides, pads, channels, outputs, groups):
    rng = np.random.default_rng(seed)
    padding = (pads[:2], pads[2:])
    height, width = size[0] + kernel[0], size[1] * strides[1] + kernel[1]
    x, w = integers(rng, 2, height, width, channels * groups), integers(rng, outputs * groups, *kernel, channels)
    layer = conv(strides, padding, groups)
    dy = integers(rng, *layer.infer_shape(x.shape, w.shape))
    y, dx, dw = np.zeros_like(dy), np.zeros_like(x), np.zeros_like(w)
    for at_y, at_x, at_w in places(x, w, dy, strides, (pads[0], pads[2])):
        y[at_y] += x[at_x] * w[at_w]
        dx[at_x] += dy[at_y] * w[at_w]
        dw[at_w] += dy[at_y] * x[at_x]
    np.testing.assert_array_equal(layer.forward(x, w), y)
    found = layer.grad(dy, x, w)
    np.testing.assert_array_equal(found[0], dx)
    np.testing.assert_array_equal(found[1], dw)


@needs_kernels
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 1)])
def test_the_kernels_equal_the_products_of_numpy_in_every_bit_of_small_integers(strides, monkeypatch):
    rng = np.random.default_rng(0)
    x, w, layer = integers(rng, 3, 17, 19, 7), integers(rng, 40, 3, 5, 7), conv(strides, "same")
    dy = integers(rng, *layer.infer_shape(x.shape, w.shape))
    found = layer.forward(x, w), *layer.grad(dy, x, w)[:2]
    monkeypatch.setenv("REFQ_KERNELS", "numpy")
    for ours, numpys in zip(found, (layer.forward(x, w), *layer.grad(dy, x, w)[:2]), strict=True):
        np.testing.assert_array_equal(ours, numpys)


@needs_kernels
def test_an_image_gives_the_same_bits_in_any_batch(monkeypatch):
    monkeypatch.setenv("REFQ_KERNELS", "native")
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(5, 9, 9, 3)).astype(np.float32), rng.normal(size=(10, 3, 3, 3)).astype(np.float32)
    layer = conv(padding="same")
    together = layer.forward(x, w)
    for image, y in zip(x, together, strict=True):
        np.testing.assert_array_equal(layer.forward(image[None], w)[0], y)


@needs_kernels
def test_the_error_stays_that_of_single_precision():
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(4, 16, 16, 64)), rng.normal(size=(32, 3, 3, 64))
    layer, dy = conv(padding="same"), rng.normal(size=(4, 16, 16, 32))
    exact = layer.forward(x, w), *layer.grad(dy, x, w)[:2]
    x, w, dy = (array.astype(np.float32) for array in (x, w, dy))
    sums = 576, 288, 1024  # summands of an element of y, dx and dw
    for count, wanted, got in zip(sums, exact, (layer.forward(x, w), *layer.grad(dy, x, w)[:2]), strict=True):
        assert got.dtype == np.float32
        assert np.abs(got - wanted).max() <= count * np.finfo(np.float32).eps * np.sqrt(count)


@needs_kernels
def test_images_are_placed_and_cut_as_far_as_the_padded_image_reaches():
    from refq.kernels.float_convolution import place

    image = np.arange(1, 13, dtype=np.float32).reshape(3, 2, 2)
    for kernel in (place, place.py_func):
        padded = np.zeros((4, 4, 2), np.float32)
        kernel(image, 2, 3, padded)
        np.testing.assert_array_equal(padded[2:, 3:], image[:2, :1])
        padded[2:, 3:] = 0
        assert not padded.any()


def test_numpy_takes_what_the_kernels_leave(monkeypatch):
    geometry = {"strides": (1, 1), "before": (0, 0), "size": (4, 8), "out": (2, 6)}
    x, w = np.ones((1, 4, 8, 1), np.float32), np.ones((1, 3, 3, 1), np.float32)
    assert float_convolution(x.astype(np.float64), w, **geometry) is None
    assert float_convolution(x, w, **{**geometry, "out": (2, 3)}) is None
    monkeypatch.setenv("REFQ_KERNELS", "numpy")
    assert float_convolution(x, w, **geometry) is None
