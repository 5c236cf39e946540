"""What a layer is, and the integer paths that are derived instead of written.

A layer states its shape rule, float forward, gradient and loop nest. From there:

- `fake` is the float forward between quantize-dequantize steps; the executor does that, no layer writes it;
- `MacLayer.integer` = requantize(product(codes - zero points) + bias): the same product as the float path, run in a
  type in which it is exact;
- `MoveLayer.integer` moves codes as the float path moves reals, and rescales where grids differ;
- `TableLayer.integer` reads a table with one entry a code (or 513 entries, for int16), made from the float function.

Layout: activations NHWC, weights OHWI. The leading axis is the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import UnsupportedError
from refq.graph import Codebook, LoopNest, QParams
from refq.numerics import Accumulator, Arithmetic, Requantizer, exact_type, magnitude
from refq.numerics.bit_planes import is_binary
from refq.numerics.lookup import code_table, interpolate, interpolation_table

Shape = tuple[int, ...]
Array = NDArray[Any]


def elements(shape: Shape | None) -> int:
    """Number of elements; 0 for an absent operand."""
    return 0 if shape is None else prod(shape)


@dataclass(frozen=True, slots=True)
class FixedGrid:
    """An output grid that follows from the function's range, whatever the data (softmax: scale 1/256 on int8)."""

    low: float
    high: float

    def qparams(self, bits: int, signed: bool) -> QParams:
        """2**bits equal steps from `low` up to, not including, `high`; above 8 signed bits around zero point 0.

        Notes
        -----
        LiteRT's 16-bit kernels know zero point 0 only: [0, 1) takes half of the codes, in steps of 2**-15.
        """
        if signed and bits > 8:
            return QParams(scale=max(-self.low, self.high) / (1 << (bits - 1)), bits=bits)
        scale = (self.high - self.low) / (1 << bits)
        lowest = -(1 << (bits - 1)) if signed else 0
        return QParams(scale=scale, zero_point=lowest - round(self.low / scale), bits=bits, signed=signed)


class Layer:
    """One operation; a subclass is a frozen dataclass made by `@layer("Name")`, its fields are the node's attributes.

    Class attributes
    ----------------
    operands : names of the inputs in order; "b?" may be absent; a leading "*" takes any number
    parameters : the operands that are weights, fixed after training
    output_grid : "own" (calibrated), "same" (that of the first input), "none" (integers, bools) or a FixedGrid
    has_integer : whether the integer path exists
    """

    op: ClassVar[str]
    operands: ClassVar[tuple[str, ...]] = ("x",)
    parameters: ClassVar[frozenset[str]] = frozenset()
    output_grid: ClassVar[Literal["own", "same", "none"] | FixedGrid] = "own"
    has_integer: ClassVar[bool] = True

    def infer_shape(self, *shapes: Any) -> Shape:
        """Output shape from input shapes; None for an absent optional input. ShapeError names both shapes."""
        raise NotImplementedError

    def forward(self, *arrays: Any) -> Any:
        """Real outputs from real inputs, in their floating type; None for an absent optional input."""
        raise NotImplementedError

    def fake(self, arrays: Sequence[Any], grids: Sequence[Any], out: Any) -> Any:
        """Real outputs on the fake path: `forward`, but for layers whose hardware keeps an inner state on a grid."""
        return self.forward(*arrays)

    def inner(self, *arrays: Any) -> dict[str, Array]:
        """Real inner states that calibration must see, by name; most layers have none."""
        return {}

    def inner_attrs(self, limits: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
        """Attributes that give the inner states their grids, from the (low, high) that calibration saw."""
        return {}

    def grad(self, dy: Array, *arrays: Any) -> tuple[Array | None, ...]:
        """Gradient with respect to every input, None where there is none (indices, absent inputs)."""
        raise NotImplementedError

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Any:
        """Codes of the output as wide integers, zero point added, not yet clamped; the executor clamps and casts.

        Parameters
        ----------
        codes : one an operand; None where absent
        grids : their QParams; None for absent operands, indices, and reals a layer prepares into integers itself
        out : QParams of the output, None if it holds plain integers (indices); a tuple of these for several outputs
        arithmetic : the profile

        Returns
        -------
        one array, or a tuple for several outputs
        """
        raise UnsupportedError(f"{self.op} has no integer path; run it on path 'float' or 'fake'")

    def nest(self, *shapes: Any) -> LoopNest:
        """Loop bounds and operand sizes for an accelerator model."""
        raise NotImplementedError


def rescale(codes: Array, grid: QParams, out: QParams, requantizer: Requantizer) -> Array:
    """Codes of one grid as codes of another, not clamped; unchanged where the grids are equal."""
    if grid == out:
        return codes.astype(np.int64)
    return requantizer.rescale(codes.astype(np.int64) - grid.zero_point, grid.scale, over=out.scale) + out.zero_point


class MacLayer(Layer):
    """Sums of products plus bias: y = product(x, w) + b, output channels on the last axis.

    A subclass writes `product`, `weight_grad` and `input_grad`; forward, grad, accumulate and integer follow.
    """

    operands = ("x", "w", "b?")
    parameters = frozenset({"w", "b"})
    weight_axis: ClassVar[int] = 0
    """The axis of w that runs over output channels; per-channel scales lie along it."""

    codebook: ClassVar[Codebook | None] = None
    """How the weights are held, on a layer made by `holding`; sums are then formed as its multiplier forms them."""

    def holding(self, codebook: Codebook | None) -> MacLayer:
        """This layer with weights that are codes into tables."""
        if codebook is None:
            return self
        layer = copy(self)
        object.__setattr__(layer, "codebook", codebook)
        return layer

    def coded_product(self, x: Array, w: Codebook) -> NDArray[np.int64] | None:
        """`product` of integers with coded weights, padding 0; None where a layer decodes and multiplies."""
        return None

    def product(self, x: Array, w: Array) -> Array:
        """The sum of products, in the common type of x and w; padding contributes zero."""
        raise NotImplementedError

    def weight_grad(self, dy: Array, x: Array, w: Array) -> Array:
        """Gradient of `product` with respect to w."""
        raise NotImplementedError

    def input_grad(self, dy: Array, x: Array, w: Array) -> Array:
        """Gradient of `product` with respect to x."""
        raise NotImplementedError

    def forward(self, x: Array, w: Array, b: Array | None = None) -> Array:
        y = self.product(x, w)
        return y if b is None else y + b

    def grad(self, dy: Array, x: Array, w: Array, b: Array | None = None) -> tuple[Array | None, ...]:
        return self.input_grad(dy, x, w), *self.parameter_grads(dy, x, w, b)

    def parameter_grads(self, dy: Array, x: Array, w: Array, b: Array | None = None) -> tuple[Array | None, ...]:
        """Gradients with respect to w and b."""
        rows = dy.reshape(-1, dy.shape[-1])
        db = None if b is None else np.ones(len(rows), dy.dtype) @ rows  # BLAS sums faster
        return self.weight_grad(dy, x, w), db

    def binary_product(self, x: Array, w: Array) -> NDArray[np.int32] | None:
        """`product` of integers -1 and 1 from bits, padding 0; None where a layer has no such form."""
        return None

    def terms(self, x: Array, w: Array) -> Iterator[Array]:
        """The summands of `product` one by one, each of the output's shape, in the stated order: fy, fx, c."""
        raise UnsupportedError(f"{self.op} states no order of summation; use an accumulator of order 'end'")

    def registers(self, x: Array, w: Array, start: Array, accumulator: Accumulator) -> NDArray[np.int64] | None:
        """What `terms` add up to in a register, from a kernel; None where a layer or a register has none."""
        return None

    def _centred(self, x_q: Array, w_q: Array, x_zero: Any, w_zero: Any) -> tuple[Array, Array, int]:
        """x_q - x_zero, w_q - w_zero, and a bound of the magnitude of every partial sum of their products."""
        x = x_q.astype(np.int64) - x_zero
        shape = [1] * w_q.ndim
        shape[self.weight_axis] = -1
        w = w_q.astype(np.int64) - (np.reshape(w_zero, shape) if np.ndim(w_zero) else w_zero)
        others = tuple(axis for axis in range(w.ndim) if axis != self.weight_axis % w.ndim)
        largest_sum = int(np.abs(w).sum(axis=others).max()) if w.size else 0
        return x, w, magnitude(x) * largest_sum

    def accumulate(self, x_q: Array, w_q: Array, b_q: Array | None, x_zero: Any, w_zero: Any = 0) -> NDArray[np.int64]:
        """Exact accumulators: product(x_q - x_zero, w_q - w_zero) + b_q.

        Parameters
        ----------
        x_q, w_q : integer codes, shapes as in `forward`
        b_q : int32 or int64 codes, or None
        x_zero : zero point of x; w_zero : zero point of w, a scalar or one an output channel

        Returns
        -------
        int64, shape of the output; the caller fits them into the profile's accumulator
        """
        x, w, bound = self._centred(x_q, w_q, x_zero, w_zero)
        y = None
        if self.codebook is not None and not np.any(w_zero):
            y = self.coded_product(x, self.codebook)
        elif is_binary(w) and is_binary(x):
            y = self.binary_product(x, w)
        if y is None:
            dtype = exact_type(bound)
            y = self.product(x.astype(dtype), w.astype(dtype))
        y = y.astype(np.int64)
        return y if b_q is None else y + b_q.astype(np.int64)

    def register(self, codes: Sequence[Any], x_zero: Any, w_zero: Any, accumulator: Accumulator) -> NDArray[np.int64]:
        """What the accumulator holds after the sum: `codes` are x_q, w_q and, where there is one, b_q."""
        b_q = codes[2] if len(codes) > 2 else None
        if accumulator.order == "sequential":
            x, w, bound = self._centred(codes[0], codes[1], x_zero, w_zero)
            start = np.zeros(1, np.int64) if b_q is None else b_q.astype(np.int64)
            if accumulator.follows_terms(bound + magnitude(start)):
                found = self.registers(x, w, start, accumulator)
                return accumulator.add_up(start, self.terms(x, w)) if found is None else found
        return accumulator.fit(self.accumulate(codes[0], codes[1], b_q, x_zero, w_zero))

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: QParams, arithmetic: Arithmetic) -> Array:
        """Notes: a bias of at most 32 bits beside wider activations asks for 32-bit sums and their requantizer.

        Coded weights of more than 8 bits sum in the accumulator of 16-bit activations, unless such a bias stands by.
        """
        x_grid, w_grid, b_grid = grids[0], grids[1], grids[2] if len(grids) > 2 else None
        widest = x_grid.bits if self.codebook is None else max(x_grid.bits, w_grid.bits)
        bits = widest if b_grid is None or b_grid.bits > 32 else min(widest, 8)
        acc = self.register(codes, x_grid.zero_point, w_grid.zero_point, arithmetic.accumulator_for(bits))
        requantizer = arithmetic.requantizer(self.op, bits)
        return requantizer.rescale(acc, x_grid.scale, w_grid.scale, over=out.scale) + out.zero_point


class MoveLayer(Layer):
    """Elements change place, not value: y = move(x, fill)."""

    output_grid = "same"
    fill: ClassVar[float] = 0.0

    def move(self, x: Array, fill: Any) -> Array:
        """Move elements of any type; `fill` is what new places hold."""
        raise NotImplementedError

    def forward(self, x: Array) -> Array:
        return self.move(x, 0)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: QParams, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        moved = self.move(codes[0], codes[0].dtype.type(grid.zero_point))
        return rescale(moved, grid, out, arithmetic.requantizer(self.op, grid.bits))

    def nest(self, *shapes: Any) -> LoopNest:
        return LoopNest(kind="move", inputs=(prod(shapes[0]),), outputs=prod(self.infer_shape(*shapes)))


def is_symmetric_int16(grid: QParams) -> bool:
    """Whether codes are int16 with zero point 0, the only 16-bit grids LiteRT has kernels for."""
    return grid.bits == 16 and grid.signed and grid.axis is None and grid.is_symmetric


class TableLayer(Layer):
    """A function of one element: y = function(x).

    is_interpolated : int16 codes with zero point 0 read 513 entries with linear interpolation, where LiteRT has such a
        kernel; other codes have an entry each
    """

    is_interpolated: ClassVar[bool] = False

    def function(self, x: Array) -> Array:
        """The real function, elementwise, in the type of x."""
        raise NotImplementedError

    def derivative(self, x: Array) -> Array:
        """Its derivative, elementwise."""
        raise NotImplementedError

    def infer_shape(self, *shapes: Any) -> Shape:
        return shapes[0]

    def forward(self, x: Array) -> Array:
        return self.function(x)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (dy * self.derivative(x),)

    def entries(self, x: Array, out: QParams) -> Array:
        """What table entries stand for at reals x: the function, but where it has no value."""
        return self.function(x)

    def table(self, grid: QParams, out: QParams) -> NDArray[np.int64]:
        """One output code for every input code, lowest first, not clamped to the node's limits."""
        return code_table(lambda x: self.entries(x, out), grid, out)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: QParams, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        if grid.bits > 16:
            raise UnsupportedError(f"{self.op}: a table of 2**{grid.bits} entries is too large; 16 bits at most")
        if self.is_interpolated and is_symmetric_int16(grid) and is_symmetric_int16(out):
            table = interpolation_table(lambda x: self.entries(x, out), grid.scale, 0, out.scale)
            return interpolate(table, codes[0])
        return self.table(grid, out)[codes[0].astype(np.int64) - grid.qmin]

    def nest(self, *shapes: Any) -> LoopNest:
        size = prod(shapes[0])
        return LoopNest(kind="lookup", inputs=(size,), outputs=size, operations=size)


class ExplicitLayer(Layer):
    """An operation on arrays of stated types, the same on every path: y = forward(x).

    What ONNX computes between integers it names itself (QuantizeLinear, MatMulInteger, Cast ...): tensors have the
    file's types and no grid, and nothing is derived.
    """

    def grad(self, dy: Array, *arrays: Any) -> tuple[Array | None, ...]:
        raise UnsupportedError(f"{self.op} computes on integers and has no gradient")

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Any:
        return self.forward(*codes)


def unbroadcast(dy: Array, shape: Shape) -> Array:
    """Sum a gradient over the axes along which an operand of `shape` was broadcast."""
    extra = dy.ndim - len(shape)
    dy = dy.sum(axis=tuple(range(extra))) if extra else dy
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and dy.shape[axis] != 1)
    return dy.sum(axis=stretched, keepdims=True) if stretched else dy
