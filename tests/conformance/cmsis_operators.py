"""CMSIS-NN operators, each computed with the package's own layers, requantizers and tables."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from refq.graph import QParams
from refq.layers.average_pool2d import AveragePool2D
from refq.layers.batch_mat_mul import BatchMatMul
from refq.layers.conv2d import Conv2D
from refq.layers.conv2d_transpose import Conv2DTranspose
from refq.layers.dense import Dense
from refq.layers.depthwise_conv2d import DepthwiseConv2D
from refq.layers.lstm_integer import LstmCodes, cmsis_rule
from refq.layers.max_pool2d import MaxPool2D
from refq.layers.maximum import Maximum
from refq.layers.minimum import Minimum
from refq.layers.pad import Pad
from refq.layers.svdf import Filters
from refq.layers.transpose import Transpose
from refq.numerics.softmax8 import integer_softmax
from refq.numerics.softmax16 import softmax16
from tests.conformance.cmsis_cases import CMSIS, Case, NotUnderstoodError

OPERATORS: dict[str, Callable[[Case], np.ndarray]] = {}


def operator(function):
    OPERATORS[function.__name__] = function
    return function


def finish(case: Case, op: str, acc: np.ndarray, bits: int, rule_bits: int | None = None) -> np.ndarray:
    """Accumulator width, requantizer, output offset, clamp; `rule_bits`: the requantizer of another width."""
    acc = CMSIS.accumulator_for(bits).fit(acc)
    requantizer = CMSIS.requantizer(op, rule_bits or bits)
    return case.clamp(requantizer(acc, case.output_factor()) + case["output_offset"])


def image(case: Case, channels: str = "in_ch", batch: str = "input_batches") -> np.ndarray:
    return case.input().reshape(case.numbers(batch, "input_h", "input_w", channels))


def margins(size: int, out: int, before: int, reach: int, stride: int) -> tuple[int, int]:
    """(before, after) such that `out` windows fit."""
    return before, max((out - 1) * stride + reach - size - before, 0)


def paddings(case: Case, x: np.ndarray, kernel: list[int], strides: list[int], dilation: list[int], pads: list[int]):
    out = case.numbers("output_h", "output_w")
    return tuple(
        margins(x.shape[1 + a], out[a], pads[a], (kernel[a] - 1) * dilation[a] + 1, strides[a]) for a in (0, 1)
    )


def window(case: Case, x: np.ndarray, kernel: list[int]) -> dict:
    strides, dilation = case.numbers("stride_y", "stride_x"), case.numbers("dilation_y", "dilation_x")
    padding = paddings(case, x, kernel, strides, dilation, case.numbers("pad_y", "pad_x"))
    return {"strides": tuple(strides), "dilation": tuple(dilation), "padding": padding}


@operator
def conv(case: Case) -> np.ndarray:
    x, kernel, bias = image(case), case.numbers("filter_y", "filter_x"), case.get("biases", "bias")
    channels = int(case.get("filter_ch", default=x.shape[3]))
    w = case.weights((int(case["out_ch"]), *kernel, channels))
    layer = Conv2D(groups=x.shape[3] // channels, **window(case, x, kernel))
    acc = layer.accumulate(x, w, bias, -int(case["input_offset"]), -int(case.get("filter_offset", default=0)))
    # An int32 bias beside int16 activations means 32-bit accumulators and their requantizer; the family says so by its
    # name even where the bias is absent.
    narrow = bias is not None and bias.dtype == np.int32
    narrow |= case.name.startswith("int16xint8xint32_")
    return finish(case, "Conv2D", acc, case.bits, rule_bits=8 if narrow else None)


@operator
def depthwise(case: Case) -> np.ndarray:
    x, kernel, outputs = image(case), case.numbers("filter_y", "filter_x"), int(case["out_ch"])
    if int(case.get("ch_mult", default=outputs // x.shape[3])) * x.shape[3] != outputs:
        raise NotUnderstoodError(f"depthwise {case.name!r}: ch_mult does not lead from {x.shape[3]} to {outputs}")
    layer = DepthwiseConv2D(**window(case, x, kernel))
    w = case.weights((1, *kernel, outputs))
    acc = layer.accumulate(x, w, case.get("biases", "bias"), -int(case["input_offset"]))
    return finish(case, "DepthwiseConv2D", acc, case.bits)


@operator
def fully_connected(case: Case) -> np.ndarray:
    depth, outputs = case.numbers("accumulation_depth", "out_ch")
    x, w = case.input().reshape(int(case["input_batches"]), depth), case.weights((outputs, depth))
    zeros = -int(case["input_offset"]), -int(case.get("filter_offset", default=0))
    return finish(case, "Dense", Dense().accumulate(x, w, case.get("biases", "bias"), *zeros), case.bits)


@operator
def transpose_conv(case: Case) -> np.ndarray:
    x, kernel, strides = image(case), case.numbers("filter_y", "filter_x"), case.numbers("stride_y", "stride_x")
    if case.numbers("dilation_y", "dilation_x") != [1, 1]:
        raise NotUnderstoodError(f"transpose_conv {case.name!r} is dilated")
    full = [(x.shape[1 + a] - 1) * strides[a] + kernel[a] for a in (0, 1)]
    before, out = case.numbers("pad_y", "pad_x"), case.numbers("output_h", "output_w")
    after = [max(full[a] - before[a] - out[a], 0) for a in (0, 1)]
    layer = Conv2DTranspose(
        strides=tuple(strides),
        padding=tuple(zip(before, after, strict=True)),
        output_padding=tuple(out[a] - full[a] + before[a] + after[a] for a in (0, 1)),
    )
    w = case.weights((int(case["out_ch"]), *kernel, x.shape[3]))
    acc = layer.accumulate(x, w, case.get("biases", "bias"), -int(case["input_offset"]))
    return finish(case, "Conv2DTranspose", acc, case.bits)


@operator
def add(case: Case) -> np.ndarray:
    requantize = CMSIS.requantizer("Add", 8 * case.input("input1").dtype.itemsize)
    total = 0
    for name in ("input1", "input2"):
        x = case[name].astype(np.int64) + case[f"{name}_offset"]
        total = total + requantize(x << case["left_shift"], case.factor(f"{name}_mult", f"{name}_shift"))
    return case.clamp(requantize(total, case.output_factor()) + case["output_offset"])


@operator
def mul(case: Case) -> np.ndarray:
    a, b = (case[name].astype(np.int64) + case[f"{name}_offset"] for name in ("input1", "input2"))
    bits = 8 * case["input1"].dtype.itemsize
    return case.clamp(CMSIS.requantizer("Multiply", bits)(a * b, case.output_factor()) + case["output_offset"])


def same_grid(case: Case) -> tuple[QParams, QParams]:
    grid = QParams(scale=1.0, bits=case.bits)
    return grid, grid


def pool(case: Case, kind: type) -> np.ndarray:
    x = image(case, "input_c", "batch_size")
    kernel, strides = case.numbers("filter_h", "filter_w"), case.numbers("stride_h", "stride_w")
    padding = paddings(case, x, kernel, strides, [1, 1], case.numbers("padding_h", "padding_w"))
    layer = kind(pool=tuple(kernel), strides=tuple(strides), padding=padding)
    grid, out = same_grid(case)
    return case.clamp(layer.integer([x], [grid], out, CMSIS))


@operator
def avgpool(case: Case) -> np.ndarray:
    return pool(case, AveragePool2D)


@operator
def maxpool(case: Case) -> np.ndarray:
    return pool(case, MaxPool2D)


@operator
def batch_matmul(case: Case) -> np.ndarray:
    layer = BatchMatMul(adj_a=bool(case["adj_x"]), adj_b=bool(case["adj_y"]))
    a, b = (
        case[f"{side}_input_tensor"].reshape(
            case.numbers(*(f"{side}_{k}" for k in ("batch", "height", "rows", "cols")))
        )
        for side in ("lhs", "rhs")
    )
    acc = layer.accumulate(a, b, -int(case["lhs_offset"]), -int(case["rhs_offset"]))
    return finish(case, "BatchMatMul", acc, 8 * a.dtype.itemsize)


@operator
def softmax(case: Case) -> np.ndarray:
    rows = case.input().reshape(case.numbers("num_rows", "row_size"))
    bits = 8 * case["output_ref", "output"].dtype.itemsize
    if case.bits == 16:
        case.get("diff_min")  # int16 inputs saturate in their table instead
        return softmax16(rows, case.factor("input_mult", "input_left_shift"))
    multiplier, left_shift = case.numbers("input_mult", "input_left_shift")
    return integer_softmax(rows, multiplier, left_shift, int(case["diff_min"]), bits)


@operator
def maxmin(case: Case) -> np.ndarray:
    kinds = {"maximum": Maximum, "minimum": Minimum}
    kind = case["layer_type"]
    if kind not in kinds:
        raise NotUnderstoodError(f"maxmin {case.name!r}: layer_type {kind!r}")
    axes = ("batch", "height", "width", "channel")
    a, b = (case[f"input_tensor_{i}"].reshape(case.numbers(*(f"{axis}_{i}" for axis in axes))) for i in (1, 2))
    case.read.update(("input_1_offset", "input_2_offset", "output_offset", "output_multiplier", "output_shift"))
    grid = QParams(scale=1.0, bits=8 * a.dtype.itemsize)
    return case.clamp(kinds[kind]().integer([a, b], [grid, grid], grid, CMSIS))


@operator
def pad(case: Case) -> np.ndarray:
    x = case.input().reshape(case.numbers("input_n", "input_h", "input_w", "input_c"))
    layer = Pad(paddings=tuple(tuple(case.numbers(f"pre_pad_{axis}", f"post_pad_{axis}")) for axis in "nhwc"))
    return layer.move(x, x.dtype.type(case["pad_value"]))


@operator
def transpose(case: Case) -> np.ndarray:
    rank = int(case["perm_size"])
    layer = Transpose(perm=tuple(int(axis) for axis in case["perm"][:rank]))
    return layer.move(case.input().reshape([int(size) for size in case["in_dim"][:rank]]), 0)


LAYER_KINDS = "conv_2d|depthwise_conv_2d|average_pool_2d|fully_connected|softmax"


@operator
def network(case: Case) -> np.ndarray:
    """A chain of numbered layers; a layer's kind and number stand in the names of its attributes."""
    found = {match[2]: match[1] for name in case.attrs if (match := re.match(rf"({LAYER_KINDS})_(\d+)_", name))}
    x = case.input()
    for number, kind in sorted((int(number), kind) for number, kind in found.items()):
        part = case.layer(kind, number)
        part.arrays[f"{part.prefix}input"] = x.astype(case.input().dtype).ravel()
        x = NETWORK_LAYERS[kind](part)
        case.read.update(name for name in case.attrs if name.startswith(part.prefix))
    return x


def network_pool(part: Case) -> np.ndarray:
    x, kernel, strides = image(part), part.numbers("filter_h", "filter_w"), part.numbers("stride_h", "stride_w")
    padding = paddings(part, x, kernel, strides, [1, 1], part.numbers("pad_h", "pad_w"))
    grid, out = same_grid(part)
    layer = AveragePool2D(pool=tuple(kernel), strides=tuple(strides), padding=padding)
    return part.clamp(layer.integer([x], [grid], out, CMSIS))


def network_dense(part: Case) -> np.ndarray:
    """in_ch and out_ch are swapped in these networks; the weights' rows are counted by the bias."""
    bias = part["bias"]
    x = part.input().reshape(int(part["input_batches"]), -1)
    acc = Dense().accumulate(x, part["weights"].reshape(bias.size, -1), bias, -int(part["input_offset"]))
    return finish(part, "Dense", acc, part.bits)


def network_softmax(part: Case) -> np.ndarray:
    rows = part.input().reshape(part.numbers("num_rows", "row_size"))
    return integer_softmax(rows, *part.numbers("mult", "shift", "diff_min"))


NETWORK_LAYERS: dict[str, Callable[[Case], np.ndarray]] = {
    "conv_2d": conv,
    "depthwise_conv_2d": depthwise,
    "average_pool_2d": network_pool,
    "fully_connected": network_dense,
    "softmax": network_softmax,
}


@operator
def svdf(case: Case) -> np.ndarray:
    """input_offset is the true zero point here."""
    steps, features, memory = case["input_sequence"], *case.numbers("feature_batches", "time_batches")
    batch, rank = case.numbers("input_batches", "rank")
    # (time, batch, input): the layer has the batch first.
    x = steps.reshape(-1, batch, int(case["input_size"])).swapaxes(0, 1).astype(np.int64) - case["input_offset"]
    bias = case.get("biases", "bias")
    filters = Filters(
        w=case["weights_feature"].reshape(features, -1).astype(np.int64),
        u=case["weights_time"].reshape(features, memory).astype(np.int64),
        b=None if bias is None else bias.astype(np.int64),
        rank=rank,
    )
    requantize, fit = CMSIS.requantizer("Svdf", 8), CMSIS.accumulator_for(8).fit
    low, high = case.numbers("in_activation_min", "in_activation_max")
    into, leave = case.factor("multiplier_in", "shift_1"), case.factor("multiplier_out", "shift_2")
    y, _ = filters.run(
        x,
        case["state"].reshape(batch, features, memory).astype(np.int64),
        lambda acc: np.clip(requantize(fit(acc), into), low, high),
        lambda acc: case.clamp(requantize(fit(acc), leave) + case["output_offset"]),
    )
    return y[:, -1]


@operator
def lstm(case: Case) -> np.ndarray:
    """input_zero_point is negated, output_zero_point is the true one."""
    x, gates = case.input(), ("input", "forget", "cell", "output")
    batch, time, width, size = case.numbers("batch_size", "time_steps", "input_size", "hidden_size")
    x = x.reshape(time, batch, width) if case["time_major"] else x.reshape(batch, time, width).swapaxes(0, 1)

    def stacked(suffix: str, columns: int) -> np.ndarray:
        return np.concatenate([case[f"{g}_gate_{suffix}"].reshape(size, columns) for g in gates]).astype(np.int64)

    def factors(kind: str) -> np.ndarray:
        return np.repeat([case.factor(f"{g}_gate_{kind}_multiplier", f"{g}_gate_{kind}_shift") for g in gates], size)

    limits = np.iinfo(x.dtype)
    codes = LstmCodes(
        w=stacked("input_weights", width),
        u=stacked("hidden_weights", size),
        b=stacked("bias", 1)[:, 0],
        input_factor=factors("input"),
        hidden_factor=factors("hidden"),
        forget_to_cell=case.factor("forget_to_cell_multiplier", "forget_to_cell_shift"),
        input_to_cell=case.factor("input_to_cell_multiplier", "input_to_cell_shift"),
        to_output=case.factor("output_multiplier", "output_shift"),
        power=int(case["cell_scale_power"]),
        cell_clip=int(case["cell_clip"]),
        h_zero=int(case["output_zero_point"]),
        h_limits=(int(limits.min), int(limits.max)),
    )
    steps = (x[t].astype(np.int64) + case["input_zero_point"] for t in range(time))
    h = np.stack(codes.run(steps, cmsis_rule(CMSIS, case.bits), batch))
    return h if case["time_major"] else h.swapaxes(0, 1)
