"""Arithmetic on two or more tensors, with broadcasting."""

from __future__ import annotations

from math import prod

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts

_BINARY = {"Add": "Add", "Sub": "Subtract", "Mul": "Multiply", "Div": "Divide"}
_CHAINS = {"Sum": "Add", "Max": "Maximum", "Min": "Minimum"}


def aligned(b: Builder, x: Tensor, y: Tensor) -> list[Tensor]:
    """Two operands in one order of axes, constants moved to where the activation stands."""
    if x.value is not None and y.value is not None:
        return [b.file_order(x), b.file_order(y)]
    if y.value is not None and y.rank <= x.rank:
        return [x, b.beside(x, y)]
    if x.value is not None and x.rank <= y.rank:
        return [b.beside(y, x), y]
    if x.rank == y.rank and x.rank >= 3 and (x.is_nhwc or y.is_nhwc) and x.value is None and y.value is None:
        return [b.channels_last(x), b.channels_last(y)]
    return [b.file_order(x), b.file_order(y)]


def binary(b: Builder, call: Call, op: str, x: Tensor, y: Tensor) -> Tensor:
    """Emit a layer of two operands."""
    inputs = aligned(b, x, y)
    return b.emit(op, call, list(inputs))


@converts(*_BINARY)
def _binary(b: Builder, call: Call) -> Tensor:
    x, y = call.x, call.input(1)
    if call.op == "Div" and "float" not in x.dtype:
        raise UnsupportedError(f"a division of {x.dtype} while the model runs; only reals are divided")
    if call.op == "Div" and y.value is not None and b.grid(x) is None and y.grid is None and np.all(y.real):
        reciprocal = (1 / y.real.astype(np.float64)).astype(np.float32)
        if np.all(reciprocal * y.real.astype(np.float64) == 1):  # exact: powers of two
            made = Tensor(name=b.unique(f"{y.name}/reciprocal"), shape=y.shape, value=reciprocal)
            return binary(b, call, "Multiply", x, made)
    return binary(b, call, _BINARY[call.op], x, y)


@converts(*_CHAINS)
def _chain(b: Builder, call: Call) -> Tensor:
    found = [tensor for tensor in call.inputs if tensor is not None]
    if len(found) == 1:
        return b.identity(call, found[0])
    total = found[0]
    for tensor in found[1:-1]:
        inputs = aligned(b, total, tensor)
        nhwc = any(t.is_nhwc for t in inputs)
        total = b.step(_CHAINS[call.op], b.unique(f"{call.outputs[0]}/part"), list(inputs), is_nhwc=nhwc)
    return binary(b, call, _CHAINS[call.op], total, found[-1])


@converts("Pow")
def _power(b: Builder, call: Call) -> Tensor:
    exponent = call.constant(1)
    value = None if exponent is None or exponent.size != 1 else float(exponent.reshape(-1)[0])
    op = {2.0: "Square", 0.5: "Sqrt", -0.5: "Rsqrt"}.get(value or 0.0)
    if value == 1.0:
        return b.identity(call, call.x)
    if value == 3.0:
        square = b.step("Square", b.unique(f"{call.outputs[0]}/square"), [call.x], is_nhwc=call.x.is_nhwc)
        return b.emit("Multiply", call, [square, call.x])
    if op is None:
        raise UnsupportedError(f"exponent {value}: 1, 2, 3, 0.5 and -0.5 are supported")
    return b.emit(op, call, [call.x])


@converts("Reciprocal")
def _reciprocal(b: Builder, call: Call) -> Tensor:
    one = Tensor(name=b.unique(f"{call.outputs[0]}/one"), shape=(), value=np.asarray(1, np.float32))
    return b.emit("Divide", call, [one, call.x])


@converts("Expand")
def _expand(b: Builder, call: Call) -> Tensor:
    target = call.constant(1)
    x = b.file_order(call.x)
    asked = x.shape if target is None else tuple(int(size) for size in target)
    try:
        shape = np.broadcast_shapes(x.shape, asked)
    except ValueError:
        raise ShapeError(f"input shape {x.shape} does not expand to {asked}") from None
    if len(shape) > x.rank:
        whole = (1,) * (len(shape) - x.rank) + x.shape
        x = b.step("Reshape", b.unique(f"{call.outputs[0]}/axes"), [x], shape=whole)
    multiples = tuple(want // size for want, size in zip(shape, x.shape, strict=True))
    return b.emit("Identity", call, [x]) if prod(multiples) == 1 else b.emit("Tile", call, [x], multiples=multiples)
