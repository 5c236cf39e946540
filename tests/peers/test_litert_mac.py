"""Random multiply-accumulate models against LiteRT's reference kernels: no element may differ."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

import refq
from tests.peers import mac_models as models
from tests.peers.litert import Tensor, run, single

FORMATS = {
    "conv int8": lambda seed: models.conv(seed),
    "conv int8, int4 weights": lambda seed: models.conv(seed, weights="int4"),
    "conv int16": lambda seed: models.conv(seed, "int16"),
    "conv int16, int4 weights": lambda seed: models.conv(seed, "int16", "int4"),
    "conv int16, 32-bit sums": lambda seed: models.conv(seed, "int16", bias_bits=32),
    "conv uint8, asymmetric weights": lambda seed: models.conv(seed, "uint8", "uint8", zero=117),
    "depthwise int8": lambda seed: models.depthwise(seed),
    "depthwise int8, int4 weights": lambda seed: models.depthwise(seed, weights="int4"),
    "depthwise int16": lambda seed: models.depthwise(seed, "int16"),
    "transpose conv int8": lambda seed: models.transpose_conv(seed),
    "transpose conv int16": lambda seed: models.transpose_conv(seed, "int16"),
    "transpose conv int16, 32-bit sums": lambda seed: models.transpose_conv(seed, "int16", bias_bits=32),
    "dense int8": lambda seed: models.dense(seed),
    "dense int8, int4 weights": lambda seed: models.dense(seed, weights="int4"),
    "dense int8, int2 weights": lambda seed: models.dense(seed, weights="int2"),
    "dense int8, asymmetric weights": lambda seed: models.dense(seed, zero=seed % 37 - 18),
    "dense int16": lambda seed: models.dense(seed, "int16"),
    "dense int16, int4 weights": lambda seed: models.dense(seed, "int16", "int4"),
    "dense int16, asymmetric weights": lambda seed: models.dense(seed, "int16", zero=seed % 37 - 18),
    "dense int16, 32-bit sums": lambda seed: models.dense(seed, "int16", bias_bits=32),
    "dense uint8, asymmetric weights": lambda seed: models.dense(seed, "uint8", "uint8", zero=117),
    "batch matmul int8": lambda seed: models.batch_matmul(seed),
    "batch matmul int8, constant": lambda seed: models.batch_matmul(seed, constant=True),
    "batch matmul int16": lambda seed: models.batch_matmul(seed, "int16"),
}


def both(tmp_path, model, inputs, resolver="reference", arithmetic="litert"):
    """(ours, LiteRT's), outputs of a model of one output."""
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    given = inputs if len(inputs) > 1 else inputs[0]
    return refq.run(refq.load(path), given, path="integer", arithmetic=arithmetic), run(model, inputs, resolver)[0]


@pytest.mark.parametrize("name", FORMATS)
def test_random_models_equal_the_reference_kernels(tmp_path, name):
    varied = 0
    for seed in range(200):
        ours, theirs = both(tmp_path, *FORMATS[name](seed))
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal(ours, theirs, err_msg=f"{name}, seed {seed}")
        varied += len(np.unique(theirs)) > 2
    assert varied > 100  # the outputs are not all clamped


def one_sum(dtype, weight, s_x, s_w, s_y, code="CONV_2D"):
    """A 1x1 convolution or dense layer of one product, over every interesting input code."""
    info = np.iinfo(dtype)
    x_q = np.unique(np.r_[info.min, info.max, np.arange(-127, 128), np.linspace(info.min, info.max, 99).astype(int)])
    is_dense = code == "FULLY_CONNECTED"
    shape = (len(x_q), 1) if is_dense else (1, len(x_q), 1, 1)
    x, y = Tensor("x", shape, dtype, scale=s_x), Tensor("y", shape, dtype, scale=s_y)
    w = Tensor("w", (1, 1) if is_dense else (1, 1, 1, 1), "int8", scale=s_w, data=weight)
    b = Tensor("b", (1,), "int64" if dtype == "int16" else "int32", scale=np.float32(s_x) * np.float32(s_w), data=0)
    options = {} if is_dense else {"padding": "VALID", "stride_w": 1, "stride_h": 1}
    return single(code, [x, w, b], [y], options), [x_q.reshape(shape).astype(dtype)]


@pytest.mark.parametrize("code", ["CONV_2D", "FULLY_CONNECTED"])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("exponent", [-40, -33, -32, -31, -20, -8, -2, -1, 0, 1, 3, 7])
def test_every_shift_of_the_requantizer(tmp_path, code, dtype, exponent):
    """Multipliers from below 2**-32, which vanish, through exact ties, to left shifts."""
    for mantissa in (1.0, 1.37, 1.99999):
        model, inputs = one_sum(dtype, 127, 0.5, mantissa * 2.0**exponent, 0.5, code)
        ours, theirs = both(tmp_path, model, inputs)
        np.testing.assert_array_equal(ours, theirs)


def test_int16_dense_sums_beyond_32_bits(tmp_path):
    """70,000 products of extreme codes reach 2**38; LiteRT multiplies them in float64."""
    width = 70_000
    rng = np.random.default_rng(4)
    x = Tensor("x", (4, width), "int16", scale=1e-4)
    w = Tensor("w", (2, width), "int8", scale=0.01, data=np.r_[[np.full(width, 127), rng.integers(100, 128, width)]])
    y = Tensor("y", (4, 2), "int16", scale=np.float32(127 * 32767 * width * 1e-6 / 30000))
    x_q = np.r_[np.full((1, width), 32767), np.full((1, width), -32768), rng.integers(-32768, 32768, (2, width))]
    ours, theirs = both(tmp_path, single("FULLY_CONNECTED", [x, w, None], [y]), [x_q.astype(np.int16)])
    assert np.abs(theirs.astype(int)).max() > 25_000
    np.testing.assert_array_equal(ours, theirs)
