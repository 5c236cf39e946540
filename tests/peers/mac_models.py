"""Random one-operator models of multiply-accumulate layers, drawn from a seed, for the live peers.

Every function returns (model bytes, input arrays). A third of the models have power-of-two scales: their sums hit exact
ties of both signs, which is where requantizers differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.peers.litert import Tensor, single

Model = tuple[bytes, list[Any]]
ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")
_RANGE = {"int2": (-2, 2), "int4": (-7, 8), "int8": (-127, 128), "uint8": (0, 256), "int16": (-32768, 32768)}


class Draw:
    """A seeded source of scales, codes and tensors."""

    def __init__(self, seed: int, dtype: str, scales: tuple[float, float] = (0.01, 0.2)) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype, self.scales = dtype, scales
        self.has_ties = self.rng.random() < 0.35

    def pick(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def size(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def scale(self, low: float, high: float, shape: Any = None) -> Any:
        drawn = np.exp(self.rng.uniform(np.log(low), np.log(high), shape))
        return np.float32(2.0 ** np.rint(np.log2(drawn)) if self.has_ties else drawn)

    def codes(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        low, high = _RANGE[dtype or self.dtype]
        low -= int(dtype is None and self.dtype == "int8")
        drawn = self.rng.integers(low, high, shape)
        if self.has_ties and self.rng.random() < 0.5:  # small numbers: sums near zero
            drawn = drawn // self.pick(8, 32)
        return drawn.astype("int8" if dtype in ("int2", "int4") else dtype or self.dtype)

    def activation(self, name: str, shape: tuple[int, ...], scale: Any = None) -> Tensor:
        zero = {"int16": 0, "int8": self.size(-128, 127), "uint8": self.size(0, 255)}[self.dtype]
        scale = self.scale(*self.scales) if scale is None else scale
        return Tensor(name, shape, self.dtype, scale=scale, zero_point=zero)

    def weights(self, shape: tuple[int, ...], axis: int, dtype: str, per_channel: bool, zero_point: int = 0) -> Tensor:
        scale = self.scale(0.002, 0.05, shape[axis] if per_channel else None)
        return Tensor("w", shape, dtype, scale=scale, zero_point=zero_point, axis=axis, data=self.codes(shape, dtype))

    def bias(self, x: Tensor, w: Tensor, channels: int, bits: int) -> Tensor:
        scale = np.float32(x.scale) * np.asarray(w.scale, np.float32)
        limit = {32: 1 << 12, 64: 1 << 22}[bits]
        return Tensor("b", (channels,), f"int{bits}", scale=scale, data=self.rng.integers(-limit, limit, channels))

    def output(self, shape: tuple[int, ...], x: Tensor, w_scale: Any, terms: int, w_steps: float = 60.0) -> Tensor:
        """An output grid that most sums fall into, and some leave; weights are of the order of `w_steps`."""
        steps, fill = (16000.0, 16384) if self.dtype == "int16" else (60.0, 128)
        spread = np.sqrt(terms) * w_steps * steps * float(np.max(w_scale)) * float(x.scale)
        return self.activation("y", shape, self.scale(spread / (2 * fill), spread / (fill / 4)))


def conv(seed: int, dtype: str = "int8", weights: str = "int8", bias_bits: int | None = None, zero: int = 0) -> Model:
    """CONV_2D: strides, dilation, groups, paddings, per channel and per tensor; LiteRT demands a bias."""
    draw = Draw(seed, dtype, (1e-4, 1e-3) if dtype == "int16" else (0.01, 0.2))
    groups = draw.pick(1, 1, 1, 2, 3)
    channels, outputs = groups * draw.size(1, 5), groups * draw.size(1, 4)
    kernel, stride = (draw.size(1, 4), draw.size(1, 3)), (draw.size(1, 3), draw.size(1, 3))
    dilation = (draw.pick(1, 1, 2), draw.pick(1, 1, 3)) if groups == 1 else (1, 1)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = (reach[0] + draw.size(0, 5), reach[1] + draw.size(0, 5))
    padding = draw.pick("SAME", "VALID")
    out = _windows(size, reach, stride, padding)
    x = draw.activation("x", (draw.size(1, 2), *size, channels))
    shape = (outputs, *kernel, channels // groups)
    w = draw.weights(shape, 0, weights, bool(draw.pick(True, True, False)) and not zero, zero)
    y = draw.output((x.shape[0], *out, outputs), x, w.scale, int(np.prod(shape[1:])))
    bits = bias_bits or (64 if dtype == "int16" else 32)
    b = draw.bias(x, w, outputs, bits)
    options = {
        "padding": padding,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
        "fused_activation_function": draw.pick(*ACTIVATIONS),
        **_bias_type(bias_bits),
    }
    return single("CONV_2D", [x, w, b], [y], options), [draw.codes(x.shape)]


def depthwise(seed: int, dtype: str = "int8", weights: str = "int8", bias_bits: int | None = None) -> Model:
    """DEPTHWISE_CONV_2D with a depth multiplier."""
    draw = Draw(seed, dtype, (1e-4, 1e-3) if dtype == "int16" else (0.01, 0.2))
    channels, multiplier = draw.size(1, 6), draw.pick(1, 1, 2, 3)
    kernel, stride = (draw.size(1, 4), draw.size(1, 4)), draw.size(1, 3)
    dilation = (draw.pick(1, 1, 2), draw.pick(1, 1, 3)) if stride == 1 else (1, 1)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = (reach[0] + draw.size(0, 6), reach[1] + draw.size(0, 6))
    padding = draw.pick("SAME", "VALID")
    x = draw.activation("x", (draw.size(1, 2), *size, channels))
    outputs = channels * multiplier
    w = draw.weights((1, *kernel, outputs), 3, weights, bool(draw.pick(True, True, False)))
    shape = (x.shape[0], *_windows(size, reach, (stride, stride), padding), outputs)
    y = draw.output(shape, x, w.scale, kernel[0] * kernel[1])
    bits = bias_bits or (64 if dtype == "int16" else 32)
    b = draw.bias(x, w, outputs, bits) if draw.pick(True, True, False) else None
    options = {
        "padding": padding,
        "stride_h": stride,
        "stride_w": stride,
        "depth_multiplier": multiplier,
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
        "fused_activation_function": draw.pick(*ACTIVATIONS),
    }
    return single("DEPTHWISE_CONV_2D", [x, w, *([b] if b is not None else [])], [y], options), [draw.codes(x.shape)]


def transpose_conv(seed: int, dtype: str = "int8", bias_bits: int | None = None) -> Model:
    """TRANSPOSE_CONV; the stated output may be larger than what the input reaches."""
    draw = Draw(seed, dtype, (1e-4, 1e-3) if dtype == "int16" else (0.01, 0.2))
    channels, outputs = draw.size(1, 5), draw.size(1, 4)
    kernel, stride = (draw.size(1, 4), draw.size(1, 4)), (draw.size(1, 3), draw.size(1, 3))
    size, padding = (draw.size(1, 5), draw.size(1, 5)), draw.pick("SAME", "VALID")
    if padding == "SAME":
        out = [s * n - draw.size(0, s - 1) for s, n in zip(stride, size, strict=True)]
    else:
        out = [(n - 1) * s + k + draw.size(0, s - 1) for s, n, k in zip(stride, size, kernel, strict=True)]
    x = draw.activation("x", (draw.size(1, 2), *size, channels))
    w = draw.weights((outputs, *kernel, channels), 0, "int8", bool(draw.pick(True, True, False)))
    y = draw.output((x.shape[0], *out, outputs), x, w.scale, kernel[0] * kernel[1] * channels)
    shape = Tensor("shape", (4,), "int32", data=y.shape)
    bits = bias_bits or (64 if dtype == "int16" else 32)
    b = draw.bias(x, w, outputs, bits) if draw.pick(True, True, False) else None
    options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], **_bias_type(bias_bits)}
    operands = [shape, w, x, *([b] if b is not None else [])]
    version = 3 if b is not None else 1
    return single("TRANSPOSE_CONV", operands, [y], options, version=version), [draw.codes(x.shape)]


def dense(seed: int, dtype: str = "int8", weights: str = "int8", bias_bits: int | None = None, zero: int = 0) -> Model:
    """FULLY_CONNECTED: two and more axes, with and without keep_num_dims."""
    draw = Draw(seed, dtype, (1e-4, 1e-3) if dtype == "int16" else (0.01, 0.2))
    width, outputs = draw.size(1, 40), draw.size(1, 12)
    lead = draw.pick((draw.size(1, 6),), (2, draw.size(1, 3)), (1, 2, draw.size(1, 3)))
    keep = bool(draw.pick(True, False))
    x = draw.activation("x", (*lead, width))
    w = draw.weights((outputs, width), 0, weights, bool(draw.pick(True, False)) and not zero, zero)
    y = draw.output((*lead, outputs) if keep else (int(np.prod(lead)), outputs), x, w.scale, width)
    bits = bias_bits or (64 if dtype == "int16" else 32)
    b = draw.bias(x, w, outputs, bits) if draw.pick(True, True, False) else None
    options = {
        "keep_num_dims": keep,
        "fused_activation_function": draw.pick(*ACTIVATIONS),
        **_bias_type(bias_bits),
    }
    return single("FULLY_CONNECTED", [x, w, b], [y], options), [draw.codes(x.shape)]


def batch_matmul(seed: int, dtype: str = "int8", constant: bool = False) -> Model:
    """BATCH_MATMUL: adjoint operands, broadcast leading axes, a constant right side."""
    draw = Draw(seed, dtype, (1e-4, 1e-3) if dtype == "int16" else (0.01, 0.2))
    m, k, n = draw.size(1, 6), draw.size(1, 20), draw.size(1, 6)
    leads = draw.pick(((2,), (2,)), ((2, 3), (2, 3)), ((2, 1), (2, 3)), ((1, 3), (1, 1)), ((2, 2, 1), (2, 1, 3)))
    if constant:
        leads = draw.pick(((2,), ()), ((1,), (3,)), ((2, 1), (1, 3)), ((3,), (1,)))
    adj_x, adj_y = bool(draw.pick(True, False)), bool(draw.pick(True, False))
    a = draw.activation("a", (*leads[0], *((k, m) if adj_x else (m, k))))
    shape = (*leads[1], *((n, k) if adj_y else (k, n)))
    data = draw.codes(shape) if constant else None
    like = draw.activation("b", shape)
    b = Tensor("b", shape, dtype, scale=like.scale, zero_point=like.zero_point, data=data)
    y = draw.output((*np.broadcast_shapes(*leads), m, n), a, b.scale, k, 16000.0 if dtype == "int16" else 60.0)
    model = single("BATCH_MATMUL", [a, b], [y], {"adj_x": adj_x, "adj_y": adj_y})
    return model, [draw.codes(a.shape), *([] if constant else [draw.codes(shape)])]


def _windows(size: Any, reach: Any, stride: Any, padding: str) -> tuple[int, int]:
    found = [-(-n // s) if padding == "SAME" else (n - r) // s + 1 for n, r, s in zip(size, reach, stride, strict=True)]
    return found[0], found[1]


def _bias_type(bits: int | None) -> dict[str, Any]:
    """The option by which int16 kernels are told that they sum in 32 bits."""
    return {} if bits is None else {"quantized_bias_type": f"INT{bits}"}
