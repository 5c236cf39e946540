"""Converters of the multiply-accumulate operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import QParams
from refq.io.tflite.builder import Builder, Operand, Operation
from refq.io.tflite.converters import converts


def padding(op: Operation) -> str:
    """The padding's name as layers spell it."""
    return str(op.option("padding", "SAME")).lower()


def strides(op: Operation) -> tuple[int, int]:
    """(height, width)."""
    return op.option("stride_h", 0), op.option("stride_w", 0)


def dilation(op: Operation) -> tuple[int, int]:
    """(height, width)."""
    return op.option("dilation_h_factor", 1), op.option("dilation_w_factor", 1)


def bias(builder: Builder, op: Operation, position: int, x: Operand, w: Operand) -> Operand | None:
    """The bias operand; codes without a grid get the one their use implies, scale s_x * s_w.

    Notes
    -----
    A bias of one number a channel is flat whatever axes the file writes. Beside 16-bit activations the type of the bias
    is also that of the sums; where there is none, `quantized_bias_type` says so, and zeros of that type stand in.
    """
    b = op.optional(position)
    if b is None and x.qparams is not None and x.qparams.bits > 8 and op.option("quantized_bias_type", "") == "INT32":
        b = builder.constant(f"{op.name}/bias", np.zeros(w.shape[0], np.int32))
    if b is None:
        return None
    if b.data is None:
        return b
    flat = b.data.reshape(-1)
    grid = b.qparams
    if flat.dtype.kind == "i" and x.qparams is not None and w.qparams is not None and grid is None:
        bits = 8 * flat.dtype.itemsize
        scale = x.qparams.scale * w.qparams.scale
        grid = QParams(scale=scale, axis=None if w.qparams.axis is None else 0, bits=bits)
    return builder.constant(b.name, flat, grid)


def check_channels(op: Operation, w: Operand, axis: int) -> None:
    """Scales of a weight tensor must run along its output channels."""
    if w.qparams is not None and w.qparams.axis not in (None, axis):
        raise ShapeError(
            f"{op.kind} {op.name!r}: weights {w.name!r} have scales along axis {w.qparams.axis}, "
            f"output channels are axis {axis}"
        )


@converts("CONV_2D")
def conv_2d(builder: Builder, op: Operation) -> None:
    op.takes(2, 3)
    x, w = op.x, op.input(1)
    check_channels(op, w, 0)
    groups = _groups(op, x.shape, w.shape)
    builder.emit(
        "Conv2D",
        op,
        [x, w, bias(builder, op, 2, x, w)],
        clamp=op.clamp,
        strides=strides(op),
        padding=padding(op),
        dilation=dilation(op),
        groups=groups,
    )


def _groups(op: Operation, x: tuple[int, ...], w: tuple[int, ...]) -> int:
    """Groups follow from the channels: the file does not state them."""
    if len(x) != 4 or len(w) != 4 or w[3] == 0 or x[3] % w[3]:
        raise ShapeError(f"{op.kind} {op.name!r}: weight shape {w} does not fit input shape {x}")
    return x[3] // w[3]


@converts("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(builder: Builder, op: Operation) -> None:
    op.takes(2, 3)
    x, w = op.x, op.input(1)
    check_channels(op, w, 3)
    builder.emit(
        "DepthwiseConv2D",
        op,
        [x, w, bias(builder, op, 2, x, w)],
        clamp=op.clamp,
        strides=strides(op),
        padding=padding(op),
        dilation=dilation(op),
    )


@converts("TRANSPOSE_CONV")
def transpose_conv(builder: Builder, op: Operation) -> None:
    """Operands: output shape, weights, x, bias. The output's size is stated, the cut follows from it."""
    op.takes(3, 4)
    w, x = op.input(1), op.input(2)
    check_channels(op, w, 0)
    size = op.integers(0)
    if len(size) != 4 or len(x.shape) != 4 or len(w.shape) != 4:
        raise ShapeError(f"{op.kind} {op.name!r}: output {size}, input {x.shape}, weights {w.shape}; four axes each")
    step, cuts = strides(op), []
    for axis in (0, 1):
        full = (x.shape[1 + axis] - 1) * step[axis] + w.shape[1 + axis]
        before = _front(padding(op), size[1 + axis], x.shape[1 + axis], step[axis], w.shape[1 + axis])
        cuts.append((before, full - before - size[1 + axis]))
    attrs: dict[str, Any] = {"strides": step, "padding": tuple((max(a, 0), max(b, 0)) for a, b in cuts)}
    if any(after < 0 for _, after in cuts):
        attrs["output_padding"] = tuple(max(-after, 0) for _, after in cuts)
    builder.emit("Conv2DTranspose", op, [x, w, bias(builder, op, 3, x, w)], clamp=op.clamp, **attrs)


def _front(padding: str, out: int, size: int, stride: int, kernel: int) -> int:
    """Rows cut at the front: the front padding of the convolution that leads from the output back to the input."""
    steps = -(-out // stride) if padding == "same" else (out - kernel + stride) // stride
    return max((steps - 1) * stride + kernel - out, 0) // 2


@converts("FULLY_CONNECTED")
def fully_connected(builder: Builder, op: Operation) -> None:
    """The input is seen as rows of the weights' width, unless keep_num_dims."""
    op.takes(2, 3)
    x, w = op.x, op.input(1)
    check_channels(op, w, 0)
    if op.option("weights_format", "DEFAULT") != "DEFAULT":
        raise op.refuse("shuffled weights have no rule")
    if len(w.shape) != 2:
        raise ShapeError(f"{op.kind} {op.name!r}: weight shape {w.shape} must be (outputs, inputs)")
    if (len(x.shape) != 2 or x.shape[1] != w.shape[1]) and not op.option("keep_num_dims", False):
        rows = builder.tensor(f"{op.y.name}/rows", x.qparams, x.dtype)
        x = builder.emit("Reshape", op, [x], rows, name=f"{op.name}/rows", shape=(-1, w.shape[1]))
    builder.emit("Dense", op, [x, w, bias(builder, op, 2, op.x, w)], clamp=op.clamp)


@converts("BATCH_MATMUL")
def batch_matmul(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit(
        "BatchMatMul",
        op,
        [op.x, op.input(1)],
        adj_a=bool(op.option("adj_x", False)),
        adj_b=bool(op.option("adj_y", False)),
    )
