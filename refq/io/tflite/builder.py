"""What a converter reads (Operation, Operand) and writes to (Builder)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import LoadError, ShapeError, UnsupportedError, blame
from refq.graph import Graph, Node, QParams, TensorSpec
from refq.layers import layer_for

LARGEST = 1 << 40
_CLAMPS = {"NONE": None, "RELU": (0.0, inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A tensor as an operator sees it.

    Parameters
    ----------
    name : unique in the graph
    shape, dtype : dtype in NumPy's words; int2 and int4 are int8
    qparams : its grid, None where the file gives none
    data : values or codes of a constant, int2 and int4 unpacked; None where it is computed
    is_variable : state that the file keeps between runs (LSTM, SVDF), zero at the start
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    qparams: QParams | None = None
    data: NDArray[Any] | None = None
    is_variable: bool = False

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def is_real(self) -> bool:
        """Whether it holds reals, not codes or plain integers."""
        return self.dtype.startswith("float")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operator of the file.

    Parameters
    ----------
    kind : CONV_2D ...; name : unique, the node's name
    inputs : None where the file says -1
    options : the schema's field names (stride_w, keep_num_dims ...); enums as their names
    intermediates : tensors whose grids describe values inside the operator (LSTM)
    """

    kind: str
    name: str
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    intermediates: tuple[Operand | None, ...] = ()

    def input(self, position: int) -> Operand:
        """An input that must be there."""
        found = self.optional(position)
        if found is None:
            raise LoadError(f"{self.kind} {self.name!r} has no input {position}; it has {len(self.inputs)}")
        return found

    def optional(self, position: int) -> Operand | None:
        """An input that may be absent."""
        return self.inputs[position] if position < len(self.inputs) else None

    @property
    def x(self) -> Operand:
        """The first input."""
        return self.input(0)

    @property
    def y(self) -> Operand:
        """The only output."""
        if len(self.outputs) != 1:
            raise LoadError(f"{self.kind} {self.name!r} has {len(self.outputs)} outputs, one was expected")
        return self.outputs[0]

    def takes(self, *counts: int) -> None:
        """LoadError unless the number of inputs is one of `counts`."""
        if len(self.inputs) not in counts:
            expected = " or ".join(map(str, counts))
            raise LoadError(f"{self.kind} {self.name!r} has {len(self.inputs)} inputs, expected {expected}")

    def option(self, name: str, default: Any) -> Any:
        """An option; `default` is the schema's, for files that left it out."""
        return self.options.get(name, default)

    def integers(self, position: int) -> tuple[int, ...]:
        """A constant operand of plain integers (axes, sizes, paddings), flattened."""
        return tuple(int(v) for v in self.constant(position).ravel())

    def constant(self, position: int) -> NDArray[Any]:
        """The values of a constant operand."""
        operand = self.input(position)
        if operand.data is None:
            raise UnsupportedError(
                f"{self.kind} {self.name!r} computes its operand {operand.name!r}; a constant is needed"
            )
        return operand.data

    @property
    def clamp(self) -> tuple[float, float] | None:
        """The fused activation as limits of the real output."""
        activation = self.option("fused_activation_function", "NONE")
        if activation not in _CLAMPS:
            raise UnsupportedError(f"{self.kind} {self.name!r} has the fused activation {activation}")
        return _CLAMPS[activation]

    def refuse(self, reason: str) -> UnsupportedError:
        """The error that says which operator is not supported, and why."""
        return UnsupportedError(f"{self.kind} {self.name!r}: {reason}")


class Builder:
    """Collects a graph."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, TensorSpec] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.inputs: list[str] = []
        self.reshaped: list[str] = []
        self._known: dict[str, Operand] = {}

    def input(self, operand: Operand) -> None:
        """Declare a graph input."""
        self._declare(operand, operand.shape)
        self.inputs.append(operand.name)

    def constant(self, name: str, values: Any, qparams: QParams | None = None) -> Operand:
        """A constant that the file does not hold in this form; codes where `qparams` is given."""
        values = np.asarray(values)
        return Operand(name=name, shape=values.shape, dtype=str(values.dtype), qparams=qparams, data=values)

    def tensor(self, name: str, qparams: QParams | None = None, dtype: str = "float32") -> Operand:
        """A value between two nodes of one operator; its shape is found by `emit`."""
        return Operand(name=name, shape=(), dtype=dtype, qparams=qparams)

    def emit(
        self,
        layer: str,
        op: Operation,
        inputs: Sequence[Operand | None],
        output: Operand | list[Operand] | None = None,
        *,
        name: str = "",
        clamp: tuple[float, float] | None = None,
        **attrs: Any,
    ) -> Any:
        """Add a node.

        Parameters
        ----------
        layer : a name in the layer registry; attrs : its fields
        output : what it writes, the operator's own outputs if left out
        name : the node's name, the operator's own if left out; needed where an operator becomes several nodes
        clamp : the fused activation

        Returns
        -------
        the output with its shape, or a list of them where there are several
        """
        outputs = list(op.outputs) if output is None else output if isinstance(output, list) else [output]
        for operand in inputs:
            if operand is not None:
                self._hold(op, operand)
        _check_grids(op, inputs, outputs)
        is_known = all(o is not None and o.data is not None and o.qparams is None and not o.is_real for o in inputs)
        node = Node(
            op=layer,
            name=name or op.name,
            inputs=tuple("" if operand is None else operand.name for operand in inputs),
            outputs=tuple(operand.name for operand in outputs),
            attrs=attrs,
            clamp=clamp,
        )
        with blame(node):
            value = layer_for(node)
            shapes: Any = value.infer_shape(*(None if o is None else self.tensors[o.name].shape for o in inputs))
            many = list(shapes) if shapes and isinstance(shapes[0], tuple) else [shapes]
            if len(many) != len(outputs):
                raise LoadError(f"{len(outputs)} outputs in the file, {layer} gives {len(many)}")
        if is_known:  # shapes and indices that follow from others: SHAPE, slices and packs of it
            values: Any = value.forward(*(None if o is None else o.data for o in inputs))
            for operand, made in zip(outputs, values if isinstance(values, tuple) else (values,), strict=True):
                self.define(operand, made)
        else:
            for operand, shape in zip(outputs, many, strict=True):
                self._declare(operand, shape)
            self.nodes.append(node)
        made = [self.current(operand) for operand in outputs]
        return made[0] if len(made) == 1 else made

    def define(self, operand: Operand, values: Any, qparams: QParams | None = None) -> None:
        """Give an output its value at load time, as a constant of the graph: it depends on constants only."""
        values = np.asarray(values)
        self._known[operand.name] = Operand(
            name=operand.name, shape=values.shape, dtype=str(values.dtype), qparams=qparams, data=values
        )
        self._declare(self._known[operand.name], values.shape)
        self.constants[operand.name] = values

    def assume(self, operand: Operand) -> None:
        """Take the file's word for a tensor whose operator is refused, to find what else is."""
        self.tensors[operand.name] = TensorSpec(name=operand.name, shape=operand.shape, qparams=operand.qparams)

    def knows(self, operand: Operand) -> bool:
        """Whether the operand has a value by now."""
        return operand.name in self.tensors or operand.name in self._known or operand.is_constant

    def current(self, operand: Operand) -> Operand:
        """The operand as the graph has it: shape and grid as found, value if it became a constant."""
        if operand.name in self._known:
            return self._known[operand.name]
        spec = self.tensors.get(operand.name)
        if spec is None or operand.data is not None:
            return operand
        return Operand(name=operand.name, shape=spec.shape, dtype=spec.dtype, qparams=spec.qparams)

    def hold_output(self, operand: Operand) -> None:
        """Make sure a graph output is in the graph, also where it is a constant."""
        operand = self.current(operand)
        if operand.name not in self.tensors and operand.data is None:
            raise LoadError(f"output {operand.name!r} is written by no operator")
        if operand.name not in self.tensors:
            self._declare(operand, operand.shape)
            self.constants[operand.name] = np.asarray(operand.data)

    def _hold(self, op: Operation, operand: Operand) -> None:
        """Store a constant when it is first read."""
        if operand.name in self.tensors:
            return
        if operand.data is None:
            raise LoadError(f"{op.kind} {op.name!r} reads {operand.name!r}, which nothing before it produces")
        self._declare(operand, operand.shape)
        self.constants[operand.name] = operand.data

    def _declare(self, operand: Operand, shape: tuple[int, ...]) -> None:
        if prod(shape) > LARGEST or any(size < 1 for size in shape):
            raise ShapeError(f"tensor {operand.name!r} has the unusable shape {shape}")
        if operand.shape not in ((), shape):
            self.reshaped.append(operand.name)
        self.tensors[operand.name] = TensorSpec(
            name=operand.name, shape=shape, dtype=operand.dtype, qparams=operand.qparams
        )

    def graph(self, name: str, outputs: tuple[str, ...], meta: dict[str, str]) -> Graph:
        """The finished graph."""
        return Graph(
            name=name,
            nodes=tuple(self.nodes),
            tensors=self.tensors,
            constants=self.constants,
            inputs=tuple(self.inputs),
            outputs=outputs,
            meta=meta,
        )


def _check_grids(op: Operation, inputs: Sequence[Operand | None], outputs: Sequence[Operand]) -> None:
    """An operator works on codes or on reals: codes need a grid, and reals do not mix with codes."""
    given = [operand for operand in inputs if operand is not None]
    if all(operand.qparams is None for operand in (*given, *outputs)):
        return
    for operand in (*given, *outputs):
        if operand.qparams is None and operand.dtype in ("int8", "uint8", "int16", "uint16"):
            raise LoadError(f"{op.kind} {op.name!r}: {operand.name!r} holds {operand.dtype} codes without a scale")
    reals = [operand.name for operand in given[1:] if operand.is_real and operand.qparams is None]
    if given and given[0].qparams is not None and reals:
        raise LoadError(
            f"{op.kind} {op.name!r}: {given[0].name!r} holds codes, {', '.join(map(repr, reals))} holds reals"
        )
