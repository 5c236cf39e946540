"""Multiply-accumulate operators in every integer width, read from a file and held to LiteRT's reference kernels."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

from tests.peers.agreement import agree
from tests.peers.litert import Tensor, single

FORMATS = ["int8", "int4", "int16", "float32"]  # of the weights, or of the activations where int16 or float32


class Maker:
    """Tensors of one number format with fresh data."""

    def __init__(self, kind, seed):
        self.kind, self.rng = kind, np.random.default_rng(seed)
        self.is_real, self.is_wide = kind == "float32", kind == "int16"
        self.dtype = kind if kind in ("float32", "int16") else "int8"

    def activation(self, name, shape, scale, zero=0):
        if self.is_real:
            return Tensor(name, shape, "float32")
        scale = scale / 256 if self.is_wide else scale
        return Tensor(name, shape, self.dtype, scale=scale, zero_point=0 if self.is_wide else zero)

    def weights(self, shape, axis=0, per_channel=True, zero=0):
        if self.is_real:
            return Tensor("w", shape, "float32", data=self.rng.normal(size=shape))
        limit = 7 if self.kind == "int4" else 127
        scale = self.rng.uniform(0.1, 0.3, shape[axis] if per_channel else 1) / limit
        dtype = "int4" if self.kind == "int4" else "int8"
        data = self.rng.integers(-limit, limit + 1, shape)
        return Tensor("w", shape, dtype, scale=scale, zero_point=zero, axis=axis, data=data)

    def bias(self, x, w, outputs):
        if self.is_real:
            return Tensor("b", (outputs,), "float32", data=self.rng.normal(size=outputs))
        scale = np.float32(x.scale) * np.asarray(w.scale, np.float32)
        data = self.rng.integers(-1000, 1000, outputs) * (256 if self.is_wide else 1)
        return Tensor("b", (outputs,), "int64" if self.is_wide else "int32", scale=scale, data=data)

    def feed(self, x):
        if self.is_real:
            return self.rng.normal(size=x.shape).astype(np.float32)
        info = np.iinfo(self.dtype)
        return self.rng.integers(info.min, info.max + 1, x.shape).astype(self.dtype)


def output_size(size, kernel, stride, dilation, padding):
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == "SAME" else (size - reach) // stride + 1


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize(("stride", "dilation", "groups"), [(1, 1, 1), (2, 1, 2), (1, 2, 1)])
def test_conv_2d(tmp_path, kind, padding, activation, stride, dilation, groups):
    make = Maker(kind, seed=stride + dilation)
    x = make.activation("x", (1, 9, 8, 4), 0.05, 7)
    w = make.weights((6, 3, 2, 4 // groups))
    size = [output_size(n, k, stride, dilation, padding) for n, k in ((9, 3), (8, 2))]
    y = make.activation("y", (1, *size, 6), 0.04, -5)
    options = {
        "padding": padding,
        "stride_w": stride,
        "stride_h": stride,
        "dilation_w_factor": dilation,
        "dilation_h_factor": dilation,
        "fused_activation_function": activation,
    }
    agree(tmp_path, single("CONV_2D", [x, w, make.bias(x, w, 6)], [y], options), [make.feed(x)])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_depthwise_conv_2d(tmp_path, kind, multiplier, stride, dilation, has_bias):
    make = Maker(kind, seed=multiplier)
    x = make.activation("x", (1, 9, 8, 4), 0.05, 7)
    w = make.weights((1, 3, 2, 4 * multiplier), axis=3)
    size = [output_size(n, k, stride, dilation, "SAME") for n, k in ((9, 3), (8, 2))]
    y = make.activation("y", (1, *size, 4 * multiplier), 0.02, -5)
    options = {
        "padding": "SAME",
        "stride_w": stride,
        "stride_h": stride,
        "depth_multiplier": multiplier,
        "dilation_w_factor": dilation,
        "dilation_h_factor": dilation,
        "fused_activation_function": "RELU",
    }
    b = [make.bias(x, w, 4 * multiplier)] if has_bias else []
    agree(tmp_path, single("DEPTHWISE_CONV_2D", [x, w, *b], [y], options), [make.feed(x)])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("has_bias", [True, False])
def test_fully_connected(tmp_path, kind, keep, per_channel, has_bias):
    make = Maker(kind, seed=9)
    x = make.activation("x", (2, 3, 10), 0.05, 7)
    w = make.weights((5, 10), per_channel=per_channel)
    y = make.activation("y", (2, 3, 5) if keep else (6, 5), 0.02, -5)
    b = make.bias(x, w, 5) if has_bias else None
    agree(tmp_path, single("FULLY_CONNECTED", [x, w, b], [y], {"keep_num_dims": keep}), [make.feed(x)])


def test_fully_connected_with_asymmetric_weights(tmp_path):
    make = Maker("int8", seed=2)
    x, w = make.activation("x", (2, 10), 0.05, 7), make.weights((5, 10), per_channel=False, zero=-9)
    agree(tmp_path, single("FULLY_CONNECTED", [x, w], [make.activation("y", (2, 5), 0.02, -5)]), [make.feed(x)])


@pytest.mark.parametrize("kind", ["int8", "int16", "float32"])
@pytest.mark.parametrize("stride", [1, 2])
def test_transpose_conv_with_bias(tmp_path, kind, stride):
    make = Maker(kind, seed=5)
    x, w = make.activation("x", (1, 4, 5, 3), 0.05, 4), make.weights((2, 3, 3, 3))
    y = make.activation("y", (1, 4 * stride, 5 * stride, 2), 0.05, -6)
    shape = Tensor("s", (4,), "int32", data=y.shape)
    options = {"padding": "SAME", "stride_h": stride, "stride_w": stride}
    model = single("TRANSPOSE_CONV", [shape, w, x, make.bias(x, w, 2)], [y], options, version=3)
    agree(tmp_path, model, [make.feed(x)])


def uint8(name, shape, scale, zero, data=None):
    return Tensor(name, shape, "uint8", scale=scale, zero_point=zero, data=data)


@pytest.mark.parametrize("code", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_legacy_uint8_with_asymmetric_weights(tmp_path, code):
    rng = np.random.default_rng(8)
    shapes = {
        "CONV_2D": ((1, 6, 6, 3), (4, 3, 3, 3), (1, 6, 6, 4)),
        "DEPTHWISE_CONV_2D": ((1, 6, 6, 4), (1, 3, 3, 4), (1, 6, 6, 4)),
        "FULLY_CONNECTED": ((2, 20), (4, 20), (2, 4)),
    }
    x_shape, w_shape, y_shape = shapes[code]
    x, y = uint8("x", x_shape, 0.02, 117), uint8("y", y_shape, 0.03, 99)
    w = uint8("w", w_shape, 0.01, 131, rng.integers(0, 256, w_shape))
    b = Tensor("b", (4,), "int32", scale=np.float32(0.02) * np.float32(0.01), data=rng.integers(-500, 500, 4))
    options = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "depth_multiplier": 1}
    if code == "FULLY_CONNECTED":
        options = {}
    elif code == "CONV_2D":
        del options["depth_multiplier"]
    model = single(code, [x, w, b], [y], {**options, "fused_activation_function": "RELU"})
    agree(tmp_path, model, [rng.integers(0, 256, x_shape).astype(np.uint8)])


def test_a_bias_without_a_grid_means_the_product_of_the_scales(tmp_path):
    make = Maker("int8", seed=1)
    x, w = make.activation("x", (2, 10), 0.05, 7), make.weights((5, 10))
    b = Tensor("b", (5,), "int32", data=make.rng.integers(-1000, 1000, 5))
    model = single("FULLY_CONNECTED", [x, w, b], [make.activation("y", (2, 5), 0.02, -5)])
    graph = agree(tmp_path, model, [make.feed(x)])
    grid = graph.tensors["b"].qparams
    assert np.array_equal(grid.scale, np.float32(x.scale) * np.asarray(w.scale, np.float32))
