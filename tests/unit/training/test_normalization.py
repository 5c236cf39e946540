"""The passes of batch normalization: compiled, interpreted, and by the formula."""

import numpy as np
import pytest

from refq.kernels import normalization as kernels
from refq.layers.relu import Relu
from refq.training.normalization import normalize_batch


@pytest.mark.parametrize("shape", [(3, 5, 7, 6), (4, 16), (2, 3, 300), (1, 1, 1)])
@pytest.mark.parametrize("route", ["native", "numpy"])
def test_a_normalized_batch_and_its_gradients_equal_the_formula(shape, route, monkeypatch):
    monkeypatch.setenv("REFQ_KERNELS", route)
    rng = np.random.default_rng(0)
    x, dy = 3 + 2 * rng.normal(size=shape), rng.normal(size=shape)
    gamma, beta = rng.normal(size=(2, shape[-1]))
    axes = tuple(range(len(shape) - 1))
    mean, variance = x.mean(axis=axes), x.var(axis=axes)
    hat = (x - mean) / np.sqrt(variance + 1e-3)
    rest = dy - dy.mean(axis=axes) - hat * (dy * hat).mean(axis=axes)
    y, mu, square, pull = normalize_batch(x, gamma, beta, -1, 1e-3)
    expected = (gamma * hat + beta, mean, variance)
    for ours, wanted in zip((y, mu, square), expected, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-10, atol=1e-10)
    expected = (gamma / np.sqrt(variance + 1e-3) * rest, (dy * hat).sum(axis=axes), dy.sum(axis=axes))
    for ours, wanted in zip(pull(dy), expected, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-9)


def test_single_precision_stays_single_and_close():
    rng = np.random.default_rng(1)
    x, dy = 10 + rng.normal(size=(64, 32, 32, 16)), rng.normal(size=(64, 32, 32, 16))
    vectors = rng.normal(size=(2, 16))
    wide = normalize_batch(x, *vectors, -1, 1e-3)
    single = normalize_batch(x.astype(np.float32), *vectors.astype(np.float32), -1, 1e-3)
    wide, single = (*wide[:3], *wide[3](dy)), (*single[:3], *single[3](dy.astype(np.float32)))
    for ours, wanted in zip(single, wide, strict=True):
        assert ours.dtype == np.float32
        assert np.abs(ours - wanted).max() <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("interpreted", [False, True])
def test_every_pass_equals_its_formula(interpreted):
    rng = np.random.default_rng(2)
    x, dy = rng.normal(size=(2, 9, 8))
    mean, a, b, c = rng.normal(size=(4, 8))

    def kernel(name):
        compiled = getattr(kernels, name)
        return compiled.py_func if interpreted else compiled

    total, along, out = np.ones(8), np.ones(8), np.empty((9, 8))
    kernel("add_rows")(x, total)
    np.testing.assert_allclose(total, 1 + x.sum(axis=0))
    kernel("add_squares")(x, mean, along)
    np.testing.assert_allclose(along, 1 + ((x - mean) ** 2).sum(axis=0))
    kernel("scale")(x, mean, a, b, out)
    np.testing.assert_allclose(out, (x - mean) * a + b)
    total[:], along[:] = 0, 0
    kernel("add_slopes")(dy, x, mean, total, along)
    np.testing.assert_allclose(total, dy.sum(axis=0))
    np.testing.assert_allclose(along, (dy * (x - mean)).sum(axis=0))
    kernel("combine")(dy, x, mean, a, b, c, out)
    np.testing.assert_allclose(out, dy * a + (x - mean) * b + c)
    flat, slopes, found = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan]), np.arange(1.0, 7.0), np.empty(6)
    kernel("pass_between")(slopes, flat, 0.0, 1.0, found)
    assert found.tolist() == [0, 2, 3, 0, 0, 0]


@pytest.mark.parametrize("limit", [None, 1.5])
def test_the_rectifier_passes_gradients_as_its_derivative_says(limit):
    layer = Relu(max_value=limit)
    x = np.array([[-1.0, -0.0], [0.0, 0.25], [1.5, 3.0]], np.float32).repeat(5, axis=1)[:, ::3]
    dy = np.arange(x.size, dtype=np.float32).reshape(x.shape) + 1
    (dx,) = layer.grad(dy, x)
    assert dx.dtype == np.float32
    np.testing.assert_array_equal(dx, dy * layer.derivative(x))
