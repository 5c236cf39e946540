"""Building the graph: what a converter receives, and what it emits into."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError, UnsupportedError, blame
from refq.graph import Graph, Node, QParams, TensorSpec
from refq.io.onnx.layout import Shape, permuted, same_elements, to_first, to_last
from refq.layers import layer_class, layer_for

_LARGEST = 1 << 40
_NO_CLAMP: Any = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """A tensor of the graph under construction.

    name : in the graph; shape : in the file's order of axes; dtype : the file's element type
    is_nhwc : held channels-last, so that the graph's shape is another order of `shape`
    value : a constant's array in the file's order and type; it enters the graph when a node reads it
    grid : the grid of a constant whose value are codes, its axis in the file's order
    """

    name: str
    shape: Shape
    dtype: str = "float32"
    is_nhwc: bool = False
    value: NDArray[Any] | None = None
    grid: QParams | None = None

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def held(self) -> Shape:
        """The shape in the graph."""
        return permuted(self.shape, to_last(self.rank)) if self.is_nhwc else self.shape

    @property
    def real(self) -> NDArray[Any]:
        """A constant's values as numbers: codes are dequantized."""
        if self.value is None:
            raise UnsupportedError(f"{self.name!r} must be a constant")
        if self.grid is None:
            return self.value
        steps = self.value.astype(np.int64) - self.grid.along(self.grid.zero_point, self.rank)
        return (steps * self.grid.along(self.grid.scale, self.rank).astype(np.float64)).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a converter sees of one node of the file.

    name : unique; outputs : the file's names, "" = not wanted; opset : version of the operator's domain
    """

    op: str
    domain: str
    name: str
    opset: int
    inputs: list[Tensor | None]
    outputs: list[str]
    attrs: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.input(0)

    def has(self, position: int) -> bool:
        """Whether an optional input is given."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def input(self, position: int) -> Tensor:
        """An input that must be there."""
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None:
            raise ShapeError(f"{self.op} {self.name!r} lacks input {position}")
        return tensor

    def constant(self, position: int, attribute: str | None = None) -> NDArray[Any] | None:
        """An input that must be known while reading, or the attribute that older operator sets had in its place.

        Returns
        -------
        array, or None where neither is given
        """
        if self.has(position):
            tensor = self.input(position)
            if tensor.value is None:
                raise UnsupportedError(
                    f"{self.op} {self.name!r}: input {position} ({tensor.name!r}) must be a constant, "
                    "and is computed while the model runs"
                )
            return tensor.real
        if attribute is not None and attribute in self.attrs:
            return np.asarray(self.attrs[attribute])
        return None


class Builder:
    """Collects a graph; every `emit` infers the output's shape, so a contradiction is found at its node."""

    def __init__(self, taken: set[str], outputs: set[str], readers: dict[str, list[Any]]) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, TensorSpec] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.inputs: list[str] = []
        self.meta: dict[str, str] = {}
        self.outputs, self.readers = outputs, readers
        self.inherited: set[str] = set()
        self.file_names: dict[str, str] = {}
        self._taken, self._node_names = set(taken), set[str]()
        self._turned: dict[tuple[str, bool], Tensor] = {}
        self._constants: dict[tuple[str, bool], Tensor] = {}
        self._nhwc: set[str] = set()
        self._same: dict[str, set[str]] = {}

    def unique(self, name: str) -> str:
        """A tensor name that neither the file nor the graph has."""
        found, count = name, 1
        while found in self._taken:
            found, count = f"{name}:{count}", count + 1
        self._taken.add(found)
        return found

    def input(self, name: str, shape: Shape, dtype: str) -> Tensor:
        """Declare a graph input."""
        self._check_size(name, shape)
        self.tensors[name] = TensorSpec(name=name, shape=shape, dtype=dtype)
        self.inputs.append(name)
        return Tensor(name=name, shape=shape, dtype=dtype)

    def grid(self, tensor: Tensor) -> QParams | None:
        """The grid of a tensor, constant or not."""
        return tensor.grid if tensor.value is not None else self.tensors[tensor.name].qparams

    def give(self, tensor: Tensor, grid: QParams) -> None:
        """Put an activation on a grid, together with what is the same tensor in another shape or order."""
        for name in self._same.get(tensor.name, {tensor.name}):
            self.tensors[name] = replace(self.tensors[name], qparams=grid)
            self.inherited.discard(name)

    def link(self, *tensors: Tensor) -> None:
        """Declare tensors to be parts or forms of one tensor of the file: they share a grid."""
        names = set[str]().union(*(self._same.get(tensor.name, {tensor.name}) for tensor in tensors))
        self._same.update(dict.fromkeys(names, names))

    def add_constant(self, name: str, values: Any, grid: QParams | None = None) -> Tensor:
        """A constant of the graph, under `name` or one like it if that is taken by other values."""
        values = np.asarray(values, order="C")
        if grid is not None and values.dtype.kind not in "f":
            values = values.astype(grid.dtype)
        elif values.dtype.kind in "fV":
            values = values.astype(np.float32)
        spec = TensorSpec(name=name, shape=values.shape, dtype=str(values.dtype), qparams=grid)
        known = self.tensors.get(name)
        if known == spec and name in self.constants and np.array_equal(self.constants[name], values, equal_nan=True):
            return Tensor(name=name, shape=values.shape, dtype=spec.dtype)
        if known is not None:
            name = self.unique(name)
        self.constants[name] = values
        self.tensors[name] = replace(spec, name=name)
        return Tensor(name=name, shape=values.shape, dtype=spec.dtype)

    def permuted_constant(self, tensor: Tensor, order: tuple[int, ...], shape: Shape | None = None) -> Tensor:
        """A constant with its axes in another order; its grid follows."""
        if tensor.value is None:
            raise UnsupportedError(f"{tensor.name!r} must be a constant")
        grid = tensor.grid
        if grid is not None and grid.axis is not None:
            grid = replace_axis(grid, order.index(grid.axis % tensor.rank))
        values = tensor.value.transpose(order)
        return self.add_constant(tensor.name, values if shape is None else values.reshape(shape), grid)

    def as_image(self, tensor: Tensor) -> Tensor:
        """A constant weight of one spatial axis with a height of 1."""
        if tensor.rank != 3 or tensor.value is None:
            return tensor
        grid, value = tensor.grid, np.expand_dims(tensor.value, 2)
        if grid is not None and grid.axis is not None and grid.axis % 3 == 2:
            grid = replace_axis(grid, 3)
        return replace(tensor, value=value, shape=value.shape, grid=grid)

    def part(self, tensor: Tensor, axis: int, begin: int, end: int) -> Tensor:
        """Some places of a constant along an axis, as a constant of its own."""
        if tensor.value is None:
            raise UnsupportedError(f"{tensor.name!r} must be a constant")
        value = np.take(tensor.value, range(begin, end), axis=axis)
        return replace(tensor, name=self.unique(f"{tensor.name}/{begin}"), value=value, shape=value.shape)

    def file_order(self, tensor: Tensor) -> Tensor:
        """The tensor with its axes as the file has them."""
        return self._in_order(tensor, False)

    def channels_last(self, tensor: Tensor) -> Tensor:
        """The tensor held channels-last; it needs at least three axes."""
        if tensor.rank < 3:
            raise ShapeError(f"{tensor.name!r} of shape {tensor.shape} has no channels and places to reorder")
        return self._in_order(tensor, True)

    def beside(self, x: Tensor, constant: Tensor) -> Tensor:
        """A constant of lower or equal rank in the order `x` is held in, to broadcast against it."""
        if constant.value is None:
            raise UnsupportedError(f"{constant.name!r} must be a constant")
        if not x.is_nhwc or constant.rank == 0:
            return self.file_order(constant)
        shape = (1,) * (x.rank - constant.rank) + constant.shape
        grid = constant.grid
        if grid is not None and grid.axis is not None:
            grid = replace_axis(grid, x.rank - constant.rank + grid.axis % constant.rank)
        whole = replace(constant, value=constant.value.reshape(shape), shape=shape, grid=grid)
        return self.permuted_constant(whole, to_last(x.rank))

    def _in_order(self, tensor: Tensor, nhwc: bool) -> Tensor:
        key = (tensor.name, nhwc)
        if tensor.value is not None:
            if key not in self._constants:
                order = to_last(tensor.rank) if nhwc else tuple(range(tensor.rank))
                made = self.permuted_constant(tensor, order)
                self._constants[key] = replace(made, shape=tensor.shape, is_nhwc=nhwc)
            return self._constants[key]
        if tensor.is_nhwc == nhwc:
            return tensor
        if key not in self._turned:
            name = self.unique(f"{tensor.name}/{'nhwc' if nhwc else 'nchw'}")
            self._turned[key] = self._turn(tensor, name)
        return self._turned[key]

    def _turn(self, tensor: Tensor, name: str) -> Tensor:
        order = to_first(tensor.rank) if tensor.is_nhwc else to_last(tensor.rank)
        if same_elements(tensor.shape):
            attrs: dict[str, Any] = {"shape": (0, *permuted(tensor.held, order)[1:])}
            return self._add("Reshape", name, [tensor], name, not tensor.is_nhwc, tensor.dtype, attrs)
        return self._add("Transpose", name, [tensor], name, not tensor.is_nhwc, tensor.dtype, {"perm": order})

    def emit(
        self,
        op: str,
        call: Call,
        inputs: list[Tensor | None],
        *,
        is_nhwc: bool | None = None,
        dtype: str | None = None,
        clamp: tuple[float, float] | None = _NO_CLAMP,
        **attrs: Any,
    ) -> Tensor:
        """Add the node that writes the call's first output.

        Parameters
        ----------
        op : layer name
        inputs : tensors as the layer reads them: constants enter in the file's order unless they were put in another
            with `channels_last` or `permuted_constant` before
        is_nhwc : whether the result is channels-last; as the first input if left out
        dtype : element type of the result; that of the first input if left out
        clamp : limits fused into the node
        attrs : the layer's fields
        """
        held = [self.file_order(t) if t is not None and t.value is not None else t for t in inputs]
        activations = (t for t in held if t is not None and t.name not in self.constants)
        first = next(activations, held[0])
        if first is None:
            raise UnsupportedError(f"{op} without a first input")
        output = call.outputs[0]
        nhwc = first.is_nhwc if is_nhwc is None else is_nhwc
        dtype = first.dtype if dtype is None else dtype
        if nhwc and output in self.outputs:  # the file's order leaves the graph under the file's name
            inner = self._add(op, call.name, held, self.unique(f"{output}/nhwc"), True, dtype, attrs, clamp)
            turned = self._turned[inner.name, False] = self._turn(inner, output)
            self.link(inner, turned)
            return inner
        return self._add(op, call.name, held, output, nhwc, dtype, attrs, clamp)

    def exact(self, tensor: Tensor) -> Tensor:
        """A constant in the file's own element type, for explicit layers; activations in the file's order."""
        if tensor.value is None:
            return self.file_order(tensor)
        name, value = self.unique(f"{tensor.name}/exact"), np.asarray(tensor.value, order="C")
        self.constants[name] = value
        self.tensors[name] = TensorSpec(name=name, shape=value.shape, dtype=value.dtype.name)
        return Tensor(name=name, shape=value.shape, dtype=value.dtype.name)

    def emit_outputs(
        self, op: str, call: Call, inputs: list[Tensor | None], dtypes: tuple[str, ...], **attrs: Any
    ) -> list[Tensor]:
        """Add a node with several outputs, all in the file's order; outputs the file leaves unnamed get a name."""
        names = tuple((*call.outputs, *("",) * len(dtypes))[: len(dtypes)])
        names = tuple(name or self.unique(f"{call.name}/{i}") for i, name in enumerate(names))
        held = tuple("" if tensor is None else tensor.name for tensor in inputs)
        node = Node(op=op, name=call.name, inputs=held, outputs=names, attrs=attrs)
        with blame(node):
            shapes: Any = layer_for(node).infer_shape(*(None if t is None else t.held for t in inputs))
        self._node_names.add(call.name)
        self.nodes.append(node)
        made = [Tensor(name=n, shape=s, dtype=d) for n, s, d in zip(names, shapes, dtypes, strict=True)]
        self.tensors.update({t.name: TensorSpec(name=t.name, shape=t.shape, dtype=t.dtype) for t in made})
        return made

    def step(self, op: str, name: str, inputs: list[Tensor | None], is_nhwc: bool = False, **attrs: Any) -> Tensor:
        """Add a node that writes a tensor the file does not have; its name comes from `unique`."""
        held = [self.file_order(t) if t is not None and t.value is not None else t for t in inputs]
        dtype = next(t.dtype for t in held if t is not None)
        return self._add(op, name, held, name, is_nhwc, dtype, attrs)

    def _add(
        self,
        op: str,
        name: str,
        inputs: list[Tensor | None],
        output: str,
        nhwc: bool,
        dtype: str,
        attrs: dict[str, Any],
        clamp: tuple[float, float] | None = None,
    ) -> Tensor:
        while name in self._node_names:
            name = f"{name}/{op}"
        self._node_names.add(name)
        names = tuple("" if tensor is None else tensor.name for tensor in inputs)
        node = Node(op=op, name=name, inputs=names, outputs=(output,), attrs=attrs, clamp=clamp)
        with blame(node):
            held = layer_for(node).infer_shape(*(None if tensor is None else tensor.held for tensor in inputs))
        self._check_size(output, held)
        self.nodes.append(node)
        grid = None
        if layer_class(op).output_grid == "same" and names[0]:
            grid = self.tensors[names[0]].qparams
            grid = grid if grid is None or grid.axis is None else None
        if grid is not None:
            self.inherited.add(output)
        self.tensors[output] = TensorSpec(name=output, shape=held, dtype=dtype, qparams=grid)
        if nhwc:
            self._nhwc.add(output)
        shape = permuted(held, to_first(len(held))) if nhwc else held
        return Tensor(name=output, shape=shape, dtype=dtype, is_nhwc=nhwc)

    def identity(self, call: Call, tensor: Tensor, **attrs: Any) -> Tensor:
        """The same tensor under the call's output name; constants stay constants."""
        if tensor.value is not None:
            return replace(tensor, name=call.outputs[0])
        return self.emit("Identity", call, [tensor], **attrs)

    def graph(self, name: str, outputs: list[Tensor], meta: dict[str, str]) -> Graph:
        """The finished graph; nodes that reach no output are dropped."""
        names = tuple(self.file_order(tensor).name for tensor in outputs)
        needed = set(names)
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if needed & set(node.outputs):
                kept.append(node)
                needed.update(node.inputs)
        live = {*needed, *self.inputs, *(o for node in kept for o in node.outputs)}
        nhwc = sorted(self._nhwc & live)
        return Graph(
            name=name,
            nodes=tuple(reversed(kept)),
            tensors={k: v for k, v in self.tensors.items() if k in live},
            constants={k: v for k, v in self.constants.items() if k in needed},
            inputs=tuple(self.inputs),
            outputs=names,
            meta={**meta, **self.meta, **({"nhwc": json.dumps(nhwc)} if nhwc else {})},
        )

    @staticmethod
    def _check_size(name: str, shape: Shape) -> None:
        if prod(shape) > _LARGEST or any(size < 1 for size in shape):
            raise ShapeError(f"tensor {name!r} has the unusable shape {shape}")


def replace_axis(grid: QParams, axis: int | None) -> QParams:
    """The same grid along another axis."""
    return QParams(
        scale=grid.scale,
        zero_point=grid.zero_point,
        axis=axis,
        bits=grid.bits,
        signed=grid.signed,
        narrow=grid.narrow,
    )
