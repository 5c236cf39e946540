"""Limits of single layers that the laws do not reach."""

import numpy as np
import pytest

from refq.errors import RangeError
from refq.graph import QParams
from refq.layers.batch_normalization import BatchNormalization
from refq.layers.conv2d_transpose import Conv2DTranspose
from refq.numerics import LITERT


@pytest.mark.parametrize(
    ("attrs", "text"),
    [
        ({"strides": (0, 1)}, r"strides=\(0, 1\) and dilation=\(1, 1\) must all be at least 1"),
        ({"dilation": (1, 0)}, r"strides=\(1, 1\) and dilation=\(1, 0\) must all be at least 1"),
        ({"padding": ((-1, 0), (0, 0))}, r"padding=\(\(-1, 0\), \(0, 0\)\) must not be negative; use output_padding"),
        ({"padding": "full"}, "padding='full' is not 'valid', 'same' or"),
        ({"output_padding": (0, -1)}, r"output_padding=\(0, -1\) must not be negative"),
    ],
)
def test_a_transposed_convolution_refuses_what_has_no_meaning(attrs, text):
    with pytest.raises(RangeError, match=text):
        Conv2DTranspose(**attrs).infer_shape((1, 4, 4, 2), (3, 3, 3, 2))


@pytest.mark.parametrize("gamma", [0.03, 1e-6, 0.0, -0.5])
@pytest.mark.parametrize("beta", [1.0, -1.0, 40.0])
def test_16_bit_normalization_stays_within_a_step_of_the_formula_at_its_ends(gamma, beta):
    """An offset of a whole output range, beside a small factor, once wrapped from +1 to -1."""
    grid = QParams(scale=1 / 32767, bits=16)
    x = np.array([[-32767], [-1], [0], [12345], [32767]], np.int16)
    vectors = [np.array([v], np.float32) for v in (gamma, beta, 0.0, 1.0)]
    y = BatchNormalization().integer([x, *vectors], [grid, None, None, None, None], grid, LITERT)
    a = float(np.float32(gamma)) / np.sqrt(1.001)
    want = np.clip(np.rint(x * a + beta * 32767), grid.qmin, grid.qmax)
    assert np.abs(np.clip(y, grid.qmin, grid.qmax) - want).max() <= 1
