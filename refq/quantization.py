"""Quantize a model: prepare the graph, calibrate, and give every tensor its grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.calibrate import calibrate, inner_name
from refq.errors import GraphError, blame
from refq.graph import Codebook, Graph, Node, QParams
from refq.layers import FixedGrid, MacLayer, layer_class, layer_for
from refq.quantizers import (
    MinMax,
    PerChannel,
    PerTensor,
    Recipe,
    Scheme,
    Uniform,
    find_recipe,
    quantize_array,
)
from refq.quantizers.group_scales import channel_values
from refq.quantizers.represent import represent
from refq.quantizers.weights import coded_weights, is_coded, weight_granularity
from refq.transforms import dynamic_quantize, fuse_activation, masked_sums, prepare, saturate_masks

_BIAS_HEADROOM = 1 << 30
_FREE_BIAS_STEPS = 1 << 24


def quantize(graph: Graph, calibration: Any, recipe: str | Path | Recipe = "int8", *, fold: bool = True) -> Graph:
    """Give every activation, weight and bias an integer grid.

        activations  grid over the observed range; layers that only move codes share their input's grid, functions with
                     a known range (softmax, sigmoid, tanh) have a fixed one
        weights      symmetric, one scale an output channel; ternary ones become codes, since theirs follow from a
                     threshold and not from rounding
        biases       int32, int64 beside activations of more than 8 bits, at scale s_x * s_w, zero point 0

    Parameters
    ----------
    graph : Graph with real weights
    calibration : array, or iterable of batches; see `refq.calibrate.calibrate`
    recipe : name ("int8", "w4a8", "w2a8", "w1a8" ...), Recipe, or path of a .toml file

        "dynamic-int8" reads no calibration data

    fold : fold batch normalization into weights; else it stays a node of its own, as training wants it

    Returns
    -------
    Graph for all three paths. Batch normalization is folded and ReLU fused first, so its nodes are those of
    `transforms.prepare(graph)`; constants stay real, and their codes follow from their grids

    Raises
    ------
    GraphError                       already quantized, or shapes only
    CalibrationError, ShapeError     unusable calibration data
    """
    chosen = find_recipe(recipe)
    if graph.is_quantized:
        raise GraphError(f"{graph.name!r} is quantized already; start from the float model")
    prepared = prepare(graph) if fold else fuse_activation(graph)
    if chosen.is_dynamic:
        return dynamic_quantize(prepared, per_channel=isinstance(chosen.weights.granularity, PerChannel))
    grid = chosen.activation_grid
    grids = {name: _widened(grid, bits) for name, bits in _widths(prepared, chosen).items()}
    whole = dict.fromkeys(masked_sums(prepared), MinMax())
    limits = calibrate(prepared, calibration, chosen.activations.range, grid, grids=grids, ranges=whole)
    return _Assignment(*saturate_masks(prepared, limits), chosen).graph()


class _Assignment:
    """The graph under construction: grids are given in execution order, since many follow from the inputs'."""

    def __init__(self, graph: Graph, limits: dict[str, Any], recipe: Recipe) -> None:
        self.source, self.recipe, self.limits = graph, recipe, limits
        self.widths = _widths(graph, recipe)
        self.tensors = dict(graph.tensors)
        self.constants = dict(graph.constants)
        self.nodes: list[Node] = []

    def graph(self) -> Graph:
        for name in self.source.inputs:
            if name in self.limits:
                self.give(name, self.observed(name))
        for node in self.source.nodes:
            with blame(node):
                node = self.with_inner_grids(self.constants_of(node))
                for name in node.outputs:
                    if name in self.limits:
                        self.give(name, self.output_grid(node, name))
            self.nodes.append(node)
        return self.source.with_nodes(self.nodes, tensors=self.tensors, constants=self.constants)

    def with_inner_grids(self, node: Node) -> Node:
        """The node with the grids of its inner states (LSTM cell, SVDF memory) as attributes."""
        prefix = inner_name(node, "")
        limits = {name[len(prefix) :]: seen for name, seen in self.limits.items() if name.startswith(prefix)}
        return replace(node, attrs={**node.attrs, **layer_for(node).inner_attrs(limits)}) if limits else node

    def give(self, name: str, grid: QParams) -> None:
        self.tensors[name] = replace(self.tensors[name], qparams=grid)

    def observed(self, name: str) -> QParams:
        grid, bits = self.recipe.activation_grid, self.widths.get(name)
        if bits is not None:
            grid = _widened(grid, bits)
        return grid.qparams(*self.limits[name])

    def output_grid(self, node: Node, name: str) -> QParams:
        rule, grid = layer_class(node.op).output_grid, self.recipe.activation_grid
        first = self.tensors[node.inputs[0]].qparams if node.inputs and node.inputs[0] else None
        if isinstance(rule, FixedGrid):
            return rule.qparams(grid.bits, grid.signed)
        if rule == "same" and first is not None and first.axis is None:
            return first
        return self.observed(name)

    def constants_of(self, node: Node) -> Node:
        """The node after grids for the constants it reads; it may read copies, where readers need different grids."""
        layer = layer_for(node)
        inputs = list(node.inputs)
        for i, name in enumerate(inputs):
            values = self.source.constants.get(name)
            if values is None or values.dtype.kind != "f":
                continue
            operand = layer.operands[min(i, len(layer.operands) - 1)].strip("*?")
            codes: NDArray[Any] | None = None
            book: Codebook | None = None
            if operand == "w" and isinstance(layer, MacLayer):
                grid, codes, book = self.mac_weights(layer, inputs)
            else:
                grid = self.constant_grid(layer, operand, values, inputs)
            if grid is None:
                continue
            held = self.tensors[name]
            if held.qparams is not None and (held.qparams != grid or held.codebook != book):
                copy = f"{node.name}/{operand}"
                self.tensors[copy] = replace(self.tensors[name], name=copy)
                inputs[i] = name = copy
            self.constants[name] = values if codes is None else codes
            dtype = self.constants[name].dtype.name
            self.tensors[name] = replace(self.tensors[name], dtype=dtype, qparams=grid, codebook=book)
        return replace(node, inputs=tuple(inputs))

    def mac_weights(self, layer: MacLayer, inputs: list[str]) -> tuple[QParams, NDArray[Any] | None, Codebook | None]:
        """(grid, integers where they do not follow from it, how they are held where not as themselves)."""
        weights, scheme = self.source.constants[inputs[1]], self.recipe.weights
        granularity = weight_granularity(scheme.granularity, layer.weight_axis, weights.ndim)
        scheme = replace(scheme, granularity=granularity)
        if is_coded(scheme):
            return coded_weights(
                scheme, weights, channel_axis=layer.weight_axis, least_scale=self.least_scale(inputs, weights, layer)
            )
        grid = self.weight_grid(scheme, layer, inputs)
        if isinstance(scheme.grid, Uniform):
            return grid, None, None
        codes = scheme.stored_codes(weights, grid)
        return represent(grid, quantize_array(weights, grid) if codes is None else codes, multiplier="sign")

    def least_scale(self, inputs: list[str], weights: NDArray[Any], layer: MacLayer) -> NDArray[np.float64]:
        """The scales, one a channel, at which biases take 30 bits."""
        x_grid = self.tensors[inputs[0]].qparams
        if len(inputs) < 3 or not inputs[2] or x_grid is None:
            return np.zeros(weights.shape[layer.weight_axis])
        bias = np.abs(self.source.constants[inputs[2]].astype(np.float64))
        return bias / (float(x_grid.scale) * _BIAS_HEADROOM)

    def constant_grid(self, layer: Any, operand: str, values: NDArray[Any], inputs: list[str]) -> QParams | None:
        """The grid of one constant operand; None where it stays real."""
        if operand not in layer.parameters:
            return replace(self.recipe.activations, granularity=PerTensor()).fit(values)
        if isinstance(layer, MacLayer):
            return self.bias_grid(inputs)
        if operand in ("w", "u", "alpha"):
            return replace(self.recipe.other_weights, granularity=PerTensor()).fit(values)
        return None  # normalization parameters, biases of recurrent layers

    def bias_grid(self, inputs: list[str]) -> QParams | None:
        x_grid, w_grid = self.tensors[inputs[0]].qparams, self.tensors[inputs[1]].qparams
        if x_grid is None or w_grid is None:
            return None
        scale = np.maximum(x_grid.scale * w_grid.scale, np.finfo(np.float32).tiny)
        bits = self.recipe.bias_bits if x_grid.bits <= 8 else 64
        return QParams(scale=scale, axis=None if scale.ndim == 0 else 0, bits=bits)

    def weight_grid(self, scheme: Scheme, layer: MacLayer, inputs: list[str]) -> QParams:
        """The scheme's grid, with scales of some channels raised or set so that their biases fit 32 bits.

        A channel whose weights are tiny beside its bias, as folding a dying normalization leaves it, would need a bias
        beyond int32 at scale s_x * s_w: its s_w is raised until the bias takes 30 bits. A channel of zero weights has
        no scale of its own: it takes one at which the bias has 24 bits. Binary codes are never 0: such a channel keeps
        a scale so small that they vanish beside the bias.
        """
        weights = self.source.constants[inputs[1]]
        grid: QParams = scheme.fit(weights)
        if grid.block is not None:  # groups of channels: every channel takes the scale of its group
            axis = layer.weight_axis % weights.ndim
            scale = channel_values(grid.scale.reshape(-1), grid.block[axis], weights.shape[axis])
            zero = channel_values(grid.zero_point.reshape(-1), grid.block[axis], weights.shape[axis])
            grid = QParams(
                scale=scale, zero_point=zero, axis=axis, bits=grid.bits, signed=grid.signed, narrow=grid.narrow
            )
        per_channel = grid.axis is not None
        x_grid = self.tensors[inputs[0]].qparams
        if len(inputs) < 3 or not inputs[2] or x_grid is None:
            return grid
        others = tuple(axis for axis in range(weights.ndim) if axis != layer.weight_axis % weights.ndim)
        bias = np.abs(self.source.constants[inputs[2]].astype(np.float64))
        is_zero = ~np.any(weights != 0, axis=others)
        if not per_channel:
            bias, is_zero = bias.max(initial=0.0), bool(is_zero.all())
        needed = bias / (float(x_grid.scale) * _BIAS_HEADROOM)
        free = bias / (float(x_grid.scale) * _FREE_BIAS_STEPS)
        scale = np.where(is_zero & (free > 0) & (not grid.is_binary), free, np.maximum(grid.scale, needed))
        scale, zero = scheme.admissible_scale(scale), grid.zero_point
        if not grid.is_symmetric:  # the lowest code keeps its real where the scale was raised
            lowest = (grid.qmin - zero) * grid.scale.astype(np.float64) / scale
            zero = np.clip(np.rint(grid.qmin - lowest), grid.qmin, grid.qmax).astype(np.int32)
        return QParams(
            scale=scale,
            zero_point=zero,
            axis=grid.axis,
            bits=grid.bits,
            signed=grid.signed,
            narrow=grid.narrow,
        )


def _widened(grid: Uniform, bits: int) -> Uniform:
    return replace(grid, bits=bits, symmetric=True, signed=True)


def _widths(graph: Graph, recipe: Recipe) -> dict[str, int]:
    """Bits of the activations that only layers with `intermediate_bits` read, directly or through sums and moves."""
    wanted: dict[str, list[int | None]] = {name: [None] for name in graph.outputs}
    for node in reversed(graph.nodes):
        bits = recipe.intermediate_bits.get(node.op)
        if bits is None and _passes_on(graph, node):
            bits = _agreed(wanted.get(node.outputs[0]))
        for name in filter(None, node.inputs):
            wanted.setdefault(name, []).append(bits)
    agreed = {name: _agreed(bits) for name, bits in wanted.items() if name not in graph.constants}
    return {name: bits for name, bits in agreed.items() if bits is not None}


def _agreed(wanted: list[int | None] | None) -> int | None:
    """The widest of the widths readers ask for; None where one asks for none."""
    given = [bits for bits in wanted or () if bits is not None]
    return max(given) if given and len(given) == len(wanted or ()) else None


def _passes_on(graph: Graph, node: Node) -> bool:
    """Whether a layer's output holds what its inputs hold: moved, summed, or times a constant."""
    if node.op == "Multiply":
        return any(name in graph.constants for name in node.inputs)
    return node.op in ("Add", "Subtract") or layer_class(node.op).output_grid == "same"
