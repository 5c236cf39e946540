"""Matrix products: with a constant right operand the fully connected layer, else a product of two activations."""

from __future__ import annotations

import numpy as np

from refq.errors import ShapeError
from refq.io.damage import made
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts
from refq.io.onnx.elementwise_ops import aligned
from refq.io.onnx.quantized_operands import bias_of


def is_matrix(tensor: Tensor) -> bool:
    """Whether a tensor is a constant that a fully connected layer takes as its weight."""
    return tensor.value is not None and tensor.rank == 2


def product(b: Builder, call: Call, x: Tensor, y: Tensor) -> Tensor:
    """x @ y, as NumPy's matmul."""
    if is_matrix(y) and x.value is None:
        rows = b.file_order(x)
        if rows.shape[-1] != y.shape[0]:
            raise ShapeError(f"shapes {x.shape} and {y.shape} do not multiply")
        return b.emit("Dense", call, [rows, b.permuted_constant(y, (1, 0))], is_nhwc=False)
    if x.rank >= 2 and y.rank >= 2:
        return b.emit("BatchMatMul", call, [b.file_order(x), b.file_order(y)], is_nhwc=False)
    if not x.rank or not y.rank or x.shape[-1] != y.shape[max(y.rank - 2, 0)]:
        raise ShapeError(f"shapes {x.shape} and {y.shape} do not multiply")
    out = (*x.shape[:-1], *y.shape[:-2], *y.shape[-1:]) if y.rank > 1 else x.shape[:-1]
    left, right = b.file_order(x), b.file_order(y)
    if x.rank == 1:
        left = b.step("Reshape", b.unique(f"{x.name}/row"), [left], shape=(1, x.shape[0]))
    if y.rank == 1:
        right = b.step("Reshape", b.unique(f"{y.name}/column"), [right], shape=(y.shape[0], 1))
    whole = b.step("BatchMatMul", b.unique(f"{call.outputs[0]}/matrix"), [left, right])
    y_flat = b.emit("Reshape", call, [whole], shape=out)
    b.link(whole, y_flat)
    return y_flat


@converts("MatMul")
def _matmul(b: Builder, call: Call) -> Tensor:
    return product(b, call, call.x, call.input(1))


@converts("Gemm")
def _gemm(b: Builder, call: Call) -> Tensor:
    a, w, c = call.x, call.input(1), call.inputs[2] if call.has(2) else None
    alpha, beta = float(call.attrs.get("alpha", 1.0)), float(call.attrs.get("beta", 1.0))
    if a.rank != 2 or w.rank != 2:
        raise ShapeError(f"Gemm multiplies matrices, got shapes {a.shape} and {w.shape}")
    if call.attrs.get("transA", 0):
        a = b.step("Transpose", b.unique(f"{a.name}/turned"), [b.file_order(a)], perm=(1, 0))
    width = w.shape[0] if call.attrs.get("transB", 0) else w.shape[1]
    if is_matrix(w) and (alpha == 1 or w.grid is None):
        weight = w if alpha == 1 else _scaled(b, w, alpha)
        order = (0, 1) if call.attrs.get("transB", 0) else (1, 0)
        held = b.permuted_constant(weight, order)
        if c is None:
            return b.emit("Dense", call, [a, held])
        if c.value is not None and c.shape in ((width,), (1, width), (), (1,), (1, 1)):
            vector = c if c.shape == (width,) else _vector(c, width)
            vector = vector if beta == 1 else _scaled(b, vector, beta)
            return b.emit("Dense", call, [a, held, bias_of(b, call, a, w, vector, axis=1 - order[1])])
        y = b.step("Dense", b.unique(f"{call.outputs[0]}/product"), [a, held])
    else:
        right = b.file_order(w)
        y = b.step(
            "BatchMatMul", b.unique(f"{call.outputs[0]}/product"), [a, right], adj_b=bool(call.attrs.get("transB", 0))
        )
        if alpha != 1:
            y = b.step("Multiply", b.unique(f"{call.outputs[0]}/scaled"), [y, _number(b, call, alpha)])
        if c is None:
            return b.emit("Identity", call, [y])
    if beta != 1:
        c = b.step("Multiply", b.unique(f"{call.outputs[0]}/addend"), [b.file_order(c), _number(b, call, beta)])
    return b.emit("Add", call, list(aligned(b, y, c)))


def _scaled(b: Builder, tensor: Tensor, factor: float) -> Tensor:
    values = (tensor.real * np.float32(factor)).astype(np.float32)
    return Tensor(name=b.unique(f"{tensor.name}/scaled"), shape=tensor.shape, value=values)


def _vector(tensor: Tensor, width: int) -> Tensor:
    """A bias of another shape as one number an output; a bias of codes has one scale, or keeps its axis."""
    values = tensor.real  # codes without a grid are as good as reals here; with one, they get the layer's
    return Tensor(name=tensor.name, shape=(width,), value=np.broadcast_to(np.reshape(values, -1), made(width)))


def _number(b: Builder, call: Call, value: float) -> Tensor:
    made = Tensor(name=b.unique(f"{call.outputs[0]}/factor"), shape=(), value=np.asarray(value, np.float32))
    return b.file_order(made)
