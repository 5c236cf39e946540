"""Popcount products of quantized tensors equal the real products of what the codes stand for."""

import numpy as np
import pytest

from refq.errors import CalibrationError, ShapeError, UnsupportedError
from refq.quantizers.abc_net import ABCActivations, ABCWeights
from refq.quantizers.binary import Binary
from refq.quantizers.binary_code import BinaryCode
from refq.quantizers.horq import HORQ
from refq.quantizers.levels import Levels
from refq.quantizers.lq_nets import LQNets
from refq.quantizers.sign import Sign
from refq.quantizers.sign_products import SignPlanes, sign_matmul
from refq.quantizers.ternary import Ternary
from refq.quantizers.ternary_activation import TernaryActivation
from refq.quantizers.trained_ternary import TrainedTernary
from refq.quantizers.xnor import input_scales, xnor_convolution

RNG = np.random.default_rng(6)
PAIRS = [
    ("xnor", Binary(), Binary()),
    ("binary connect", Sign(), Sign(alpha=0.5)),
    ("horq", HORQ(order=2), Binary()),
    ("horq of order 4", HORQ(order=4), Binary()),
    ("tbn", TernaryActivation(), Binary()),
    ("twn", Ternary(), Ternary()),
    ("ttq", Binary(), TrainedTernary()),
    ("abc-net", ABCActivations.spread_over(3), ABCWeights(bits=5)),
    ("lq-nets", LQNets(bits=2, signed=False), LQNets(bits=3)),
    ("binary codes", BinaryCode(bits=2), BinaryCode(bits=3, method="greedy")),
]


@pytest.mark.parametrize(("name", "inputs", "weights"), PAIRS, ids=[pair[0] for pair in PAIRS])
@pytest.mark.parametrize("block", [(0, 0), (1, 0)])
@pytest.mark.parametrize("depth", [1, 63, 130])
def test_the_popcount_product_is_the_product_of_the_quantized_tensors(name, inputs, weights, block, depth):
    x, w = np.abs(RNG.normal(size=(5, depth))), RNG.normal(size=(4, depth))
    x = x if name in ("abc-net", "lq-nets") else x * RNG.choice([-1, 1], x.shape)
    a, b = inputs.fit(x, block), weights.fit(w, block)
    x_q, w_q = a.quantize(x), b.quantize(w)
    y = sign_matmul(SignPlanes.of(a, x_q), SignPlanes.of(b, w_q))
    wanted = a.dequantize(x_q).astype(float) @ b.dequantize(w_q).astype(float).T
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


def test_integers_are_exact_where_scales_are_one():
    grid = Levels(levels=[-1, 0, 1])
    a, b = RNG.integers(0, 3, (7, 200)), RNG.integers(0, 3, (3, 200))
    y = sign_matmul(SignPlanes.of(grid, a), SignPlanes.of(grid, b), threads=2)
    np.testing.assert_array_equal(y, (a - 1) @ (b - 1).T)


def test_tensors_that_are_no_planes_of_signs_are_refused():
    with pytest.raises(UnsupportedError, match="4 levels"):
        SignPlanes.of(Levels(levels=[0, 1, 2, 3]), [[0]])
    with pytest.raises(UnsupportedError, match="3 levels"):
        SignPlanes.of(Levels(levels=[0, 1, 2]), [[0]])
    with pytest.raises(ShapeError, match="must be a matrix"):
        SignPlanes.of(Levels(levels=[0, 1]), [0])
    with pytest.raises(ShapeError, match="must be a matrix"):
        SignPlanes.of(Levels(levels=np.array([[[0, 1], [0, 1]]]), block=(0, 1)), [[0, 1]])


def naive_xnor(x, w, strides, before, out):
    """Loops over Python numbers: mean |w|, the map K, and sums of signs."""
    (n, height, width, channels), (o, fy, fx, _) = x.shape, w.shape
    y = np.zeros((n, *out, o))
    for b, oy, ox, k in np.ndindex(y.shape):
        total, scale = 0, 0.0
        for i in range(fy):
            for j in range(fx):
                row, column = oy * strides[0] + i - before[0], ox * strides[1] + j - before[1]
                if 0 <= row < height and 0 <= column < width:
                    scale += sum(abs(float(x[b, row, column, c])) for c in range(channels)) / channels / (fy * fx)
                    total += sum(
                        (1 if x[b, row, column, c] >= 0 else -1) * (1 if w[k, i, j, c] >= 0 else -1)
                        for c in range(channels)
                    )
        alpha = sum(abs(float(v)) for v in w[k].ravel()) / w[k].size
        y[b, oy, ox, k] = total * scale * alpha
    return y


@pytest.mark.parametrize(
    ("strides", "before", "out"),
    [((1, 1), (0, 0), (4, 5)), ((2, 1), (1, 1), (3, 7)), ((2, 3), (1, 0), (4, 3)), ((1, 1), (2, 2), (8, 9))],
)
def test_the_xnor_convolution_is_its_definition(strides, before, out):
    x, w = RNG.normal(size=(2, 6, 7, 3)), RNG.normal(size=(2, 3, 3, 3))
    y = xnor_convolution(x, w, strides=strides, before=before, out=out)
    np.testing.assert_allclose(y, naive_xnor(x, w, strides, before, out), rtol=1e-5, atol=1e-6)


def test_a_kernel_of_one_position_scales_by_the_mean_over_channels():
    x = RNG.normal(size=(1, 3, 3, 8))
    np.testing.assert_allclose(input_scales(x, kernel=(1, 1)), np.abs(x).mean(axis=3))
    assert xnor_convolution(x, RNG.normal(size=(5, 2, 2, 8))).shape == (1, 2, 2, 5)


def test_a_constant_input_has_an_exact_xnor_convolution():
    x, w = np.full((1, 5, 5, 4), 0.5), np.full((3, 2, 2, 4), -0.25)
    np.testing.assert_allclose(xnor_convolution(x, w), np.full((1, 4, 4, 3), 16 * 0.5 * -0.25))


def test_operands_that_do_not_fit_are_refused():
    x, w = np.ones((1, 3, 3, 2)), np.ones((1, 2, 2, 2))
    with pytest.raises(ShapeError, match="must be"):
        xnor_convolution(x, np.ones((1, 2, 2, 3)))
    with pytest.raises(ShapeError, match="must be"):
        input_scales(np.ones((3, 3)), kernel=(1, 1))
    with pytest.raises(ShapeError, match="does not fit"):
        xnor_convolution(x, np.ones((1, 4, 4, 2)))
    with pytest.raises(CalibrationError, match="no finite values"):
        xnor_convolution(x * np.nan, w)
