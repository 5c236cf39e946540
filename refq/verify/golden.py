"""The integer path as hardware sees it: every value of a layer, and its sums in the order an array gives them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError
from refq.execute import trace
from refq.graph import Graph, Node, QParams
from refq.interpret import code_limits, constant_value
from refq.layers import MacLayer, layer_for
from refq.layers.windows import Window
from refq.numerics import Arithmetic, Requantizer, find_arithmetic
from refq.verify.arrays import events
from refq.verify.records import LayerRecord, Tensor, Transaction
from refq.verify.stages import as_bits, factor_names, stages
from refq.verify.streams import ArrayOrder


@dataclass
class Golden:
    """A quantized graph under one arithmetic, layer by layer.

    Parameters
    ----------
    graph : quantized Graph
    arithmetic : profile

    Raises
    ------
    GraphError    the graph is not quantized

    >>> golden = Golden(q, "litert")                                                          # doctest: +SKIP
    >>> [t.value for t in golden.step("conv2d", x, ArrayOrder(rows=8, cols=8))][:4]           # doctest: +SKIP
    """

    graph: Graph
    arithmetic: str | Arithmetic = "litert"
    _profile: Arithmetic = field(init=False)

    def __post_init__(self) -> None:
        if not self.graph.is_quantized:
            raise GraphError(f"{self.graph.name!r} is not quantized; call refq.quantize first")
        self._profile = find_arithmetic(self.arithmetic)

    @property
    def profile(self) -> Arithmetic:
        """The arithmetic, resolved."""
        return self._profile

    def records(self, x: Any, layers: tuple[str, ...] | None = None) -> Iterator[LayerRecord]:
        """Every node of a run in execution order, or those named.

        Raises
        ------
        GraphError    a name that no node has
        """
        known = {node.name for node in self.graph.nodes}
        for name in layers or ():
            if name not in known:
                raise GraphError(f"{self.graph.name!r} has no node {name!r}; nodes are {', '.join(sorted(known))}")
        values = trace(self.graph, x, "integer", self._profile)
        for node in self.graph.nodes:
            if layers is None or node.name in layers:
                yield self._record(node, values)

    def step(self, layer: str, x: Any, order: ArrayOrder | None = None) -> Iterator[Transaction]:
        """What hardware gives for a layer, in its order.

        Parameters
        ----------
        layer : name of a node
        x : input of the graph
        order : the array whose sums are expected, before bias and requantizer; None for the layer's output codes in
            (n, h, w, c) order, the number of the output before it where there are several

        Raises
        ------
        GraphError    no such node, or an order for a layer that is no matrix product
        """
        (record,) = self.records(x, (layer,))
        if order is None:
            named = {name: tensor.values for name, tensor in record.tensors.items() if name[0] == "y"}
            several = len(named) > 1
            places = ((i, where, v) for i, y in enumerate(named.values()) for where, v in np.ndenumerate(y))
            for t, (i, where, value) in enumerate(places):
                yield Transaction(t=t, coordinates=(i, *where) if several else where, value=int(value))
            return
        product = record.product()
        if product is None:
            raise GraphError(f"{record.node.op} {layer!r} is not one matrix product; step it without an array order")
        a, b = product
        places = order.coordinates(len(a), b.shape[1], len(b))
        for t, (row, where) in enumerate(zip(events(record, order), places, strict=True)):
            for value, place in zip(row.tolist(), where.tolist(), strict=True):
                yield Transaction(t=t, coordinates=tuple(place), value=value)

    def _record(self, node: Node, values: dict[str, NDArray[Any]]) -> LayerRecord:
        layer = layer_for(node)
        grids = {name: self.graph.tensors[name].qparams for name in (*node.inputs, *node.outputs) if name}
        operands = [self._operand(name, values) for name in node.inputs if name]
        if isinstance(layer, MacLayer) and all(grid is not None for grid in grids.values()):
            layer = layer.holding(self.graph.tensors[node.inputs[1]].codebook)
            record = self._mac(node, layer, operands, values[node.outputs[0]])
            if _ends_in_its_output(record):
                return record
        # An operator whose steps are its own, or those of a profile that replaces the layer's: operands and results.
        tensors: dict[str, Tensor] = {}
        parameters: dict[str, int] = {}
        for i, (name, codes) in enumerate(zip(filter(None, node.inputs), operands, strict=True)):
            label = "x" if len(operands) == 1 else f"x{i}"
            tensors[label] = _tensor(codes, grids[name])
            parameters |= _zero(label, grids[name])
        for i, name in enumerate(node.outputs):
            label = "y" if len(node.outputs) == 1 else f"y{i}"
            tensors[label] = _tensor(values[name], grids[name])
            parameters |= _limits(label, node, grids[name])
        return LayerRecord(node=node, tensors=tensors, parameters=parameters)

    def _operand(self, name: str, values: dict[str, NDArray[Any]]) -> NDArray[Any]:
        return values[name] if name in values else constant_value(self.graph, name, "integer")

    def _mac(self, node: Node, layer: MacLayer, operands: list[NDArray[Any]], y: NDArray[Any]) -> LayerRecord:
        grids: list[Any] = [self.graph.tensors[name].qparams for name in node.inputs if name]
        out: Any = self.graph.tensors[node.outputs[0]].qparams
        x_grid, w_grid = grids[0], grids[1]
        bias_grid = grids[2] if len(grids) > 2 else None
        widest = x_grid.bits if layer.codebook is None else max(x_grid.bits, w_grid.bits)
        bits = widest if bias_grid is None or bias_grid.bits > 32 else min(widest, 8)
        accumulator = self._profile.accumulator_for(bits)
        acc = layer.register(operands, x_grid.zero_point, w_grid.zero_point, accumulator)
        requantizer: Requantizer = self._profile.requantizer(node.op, bits)
        channels = acc.shape[-1]
        factors = requantizer.prepare(requantizer.factor((x_grid.scale, w_grid.scale), out.scale))
        steps = stages(requantizer, acc, factors)
        tensors = {"x": _tensor(operands[0], x_grid), "w": _tensor(operands[1], w_grid)}
        if np.any(w_grid.zero_point) and w_grid.zero_point.ndim:
            tensors["w_zero"] = Tensor(values=w_grid.zero_point, bits=w_grid.bits, signed=w_grid.signed)
        if bias_grid is not None:
            tensors["bias"] = Tensor(values=operands[2], bits=max(32, min(bias_grid.bits, accumulator.bits)))
        for name, factor in zip(factor_names(requantizer), factors, strict=True):
            values = np.broadcast_to(as_bits(factor), (channels,))
            tensors[name] = Tensor(values=values, bits=8 if name == "shift" else 32, signed=name == "shift")
        tensors["acc"] = Tensor(values=acc, bits=accumulator.bits)
        placed = steps["rounded"] + out.zero_point
        width = _step_bits(requantizer, factors, accumulator.bits)
        for name, value in (*steps.items(), ("placed", placed)):
            tensors[name] = Tensor(values=value, bits=min(width + 8, 64) if name == "placed" else width)
        tensors["y"] = _tensor(y, out)
        window = layer.window(operands[0].shape, operands[1].shape) if hasattr(layer, "window") else None  # type: ignore[attr-defined]
        parameters = {
            **_zero("x", x_grid),
            **_zero("w", w_grid),
            **_limits("y", node, out),
            "acc_bits": accumulator.bits,
            **_geometry(operands[0], y, window),
        }
        return LayerRecord(
            node=node, tensors=tensors, parameters=parameters, requantizer=requantizer.name, window=window
        )


def _ends_in_its_output(record: LayerRecord) -> bool:
    """Whether the steps lead to what the layer gave; they do not where a profile has a rule of its own for it."""
    p, tensors = record.parameters, record.tensors
    return np.array_equal(np.clip(tensors["placed"].values, p["y_low"], p["y_high"]), tensors["y"].values)


def _step_bits(requantizer: Requantizer, factors: tuple[NDArray[Any], ...], acc_bits: int) -> int:
    """Bits that hold every step: those of the accumulator where the factor only makes it smaller."""
    shrinks = requantizer.name == "double" or (
        requantizer.name in ("single", "single_away", "dyadic") and bool(np.all(factors[1] <= 0))
    )
    return acc_bits if shrinks else 64


def _tensor(codes: NDArray[Any], grid: QParams | None) -> Tensor:
    if grid is None:
        if codes.dtype.kind == "f":
            codes = np.ascontiguousarray(codes).view(f"u{codes.dtype.itemsize}")
        return Tensor(values=codes, bits=8 * codes.dtype.itemsize, signed=codes.dtype.kind == "i")
    return Tensor(values=codes, bits=grid.bits, signed=grid.signed)


def _zero(label: str, grid: QParams | None) -> dict[str, int]:
    return {} if grid is None or grid.zero_point.ndim else {f"{label}_zero": int(grid.zero_point)}


def _limits(label: str, node: Node, grid: QParams | None) -> dict[str, int]:
    if grid is None:
        return {}
    low, high = code_limits(node, grid)
    return {**_zero(label, grid), f"{label}_low": low, f"{label}_high": high}


def _geometry(x: NDArray[Any], y: NDArray[Any], window: Window | None) -> dict[str, int]:
    if window is None:
        return {"in_features": x.shape[-1], "out_features": y.shape[-1]}
    sizes = {"in": x.shape[1:], "out": y.shape[1:]}
    found = {f"{side}_{axis}": size for side, shape in sizes.items() for axis, size in zip(_AXES, shape, strict=True)}
    for name, pair in (("kernel", window.kernel), ("stride", window.strides), ("dilation", window.dilation)):
        found |= {f"{name}_height": pair[0], f"{name}_width": pair[1]}
    return {**found, "pad_top": window.pads[0][0], "pad_left": window.pads[1][0]}


_AXES = ("height", "width", "channels")
