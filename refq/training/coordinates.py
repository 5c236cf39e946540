"""Combinatorial optimization of codes: coordinate descent on the error of every layer's output over real data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError, RangeError
from refq.execute import trace
from refq.graph import Graph, Node, QParams
from refq.layers import layer_for
from refq.layers.conv2d import Conv2D
from refq.layers.depthwise_conv2d import DepthwiseConv2D
from refq.layers.windows import pad_image, patches
from refq.quantizers.apply import quantize_array

Array = NDArray[Any]


def coordinate_descent(graph: Graph, x: Any, *, layers: tuple[str, ...] | None = None, sweeps: int = 20) -> Graph:
    """Choose the codes of weights, layer by layer, so that outputs on data come near those of the real weights.

        minimize over codes q in [qmin, qmax]:  sum over rows of (X_q D(q) - X w)**2,   D(q) = scale * (q - zero_point)
        X rows of inputs of the float path, X_q those of the fake path, layers in front already optimized

    Parameters
    ----------
    graph : quantized Graph whose weights are real still, of `refq.quantize` or `refq.training.fit`
    x : a batch of inputs
    layers : node names; default every Conv2D, DepthwiseConv2D and Dense layer with constant weights on a uniform grid
    sweeps : at most, over all codes of a layer; it ends where no single code lowers the error

    Returns
    -------
    Graph with codes in place of these weights, on the same grids

    Raises
    ------
    GraphError    a named layer that is no such layer
    RangeError    sweeps below 1

    Notes
    -----
    Gholami et al. 2021, section III-G.1 (non-STE methods: combinatorial optimization, after Friesen & Domingos 2018).
    The error of a code, the others held, is a parabola, so that its best value is the code nearest to the vertex; one
    sweep costs K**2 products a filter of K weights, which suits small layers. The sums of products of inputs are exact
    float64 sums over all rows. Rounding to nearest is the start, and no sweep makes the error larger.
    """
    if sweeps < 1:
        raise RangeError(f"sweeps={sweeps} must be at least 1")
    able = {node.name: node for node in graph.nodes if _weights_are_free(graph, node)}
    unknown = [name for name in layers or () if name not in able]
    if unknown:
        raise GraphError(f"layers={unknown} have no real constant weights on a uniform grid; choose of {sorted(able)}")
    real = trace(graph, x, path="float")
    for name in able if layers is None else layers:
        node = able[name]
        source, weight = node.inputs[:2]
        codes = _best_codes(graph, node, real[source], trace(graph, x, path="fake")[source], sweeps)
        held = replace(graph.tensors[weight], dtype=codes.dtype.name)
        graph = replace(graph, constants={**graph.constants, weight: codes}, tensors={**graph.tensors, weight: held})
    return graph


def descend(gram: Array, cross: Array, codes: Array, scale: Array, grid: QParams, sweeps: int) -> NDArray[np.float64]:
    """Codes at which no single change lowers v.T gram v - 2 v.T cross,  v = scale * codes, for every column.

    Parameters
    ----------
    gram : float64, shape (K, K)      X.T X
    cross : float64, shape (K, C)      X.T times the wanted outputs
    codes : shape (K, C), zero point taken off
    scale : float64, shape (C,)
    """
    low, high = (end - int(np.max(grid.zero_point)) for end in (grid.qmin, grid.qmax))
    found, rest = codes.astype(np.float64), cross - gram @ (codes * scale)
    for _ in range(sweeps):
        is_changed = False
        for k in np.flatnonzero(np.diag(gram) > 0):
            vertex = found[k] + rest[k] / (scale * gram[k, k])
            best = np.where(vertex >= 0, 1.0, -1.0) if grid.is_binary else np.clip(np.rint(vertex), low, high)
            gain = (best - vertex) ** 2 < (found[k] - vertex) ** 2 - 1e-9
            if gain.any():
                step = np.where(gain, best - found[k], 0.0)
                found[k] += step
                rest -= np.outer(gram[:, k], step * scale)
                is_changed = True
        if not is_changed:
            break
    return found


def _best_codes(graph: Graph, node: Node, inputs: Array, seen: Array, sweeps: int) -> Array:
    weights, grid = graph.constants[node.inputs[1]], graph.tensors[node.inputs[1]].qparams
    assert grid is not None
    axis, zero = _weight_axis(node), int(np.max(grid.zero_point))
    filters = np.moveaxis(weights, axis, 0)
    real, fake = (_rows(node, array, weights) for array in (inputs, seen))
    shape = (len(real), len(filters) // len(real), -1)
    flat = filters.reshape(shape).astype(np.float64)
    start = np.moveaxis(quantize_array(weights, grid), axis, 0).reshape(shape).astype(np.float64) - zero
    scale = np.broadcast_to(grid.scale.astype(np.float64), (len(filters),)).reshape(shape[:2])
    best = np.empty_like(start)
    for g, (rows, given) in enumerate(zip(real, fake, strict=True)):
        cross = given.T @ (rows @ flat[g].T)
        best[g] = descend(given.T @ given, cross, start[g].T, scale[g], grid, sweeps).T
    return np.ascontiguousarray(np.moveaxis((best + zero).reshape(filters.shape), 0, axis)).astype(grid.dtype)


def _rows(node: Node, x: Array, weights: Array) -> list[Array]:
    """What the filters of every group meet, float64, shape (rows, K)."""
    layer = layer_for(node)
    if not isinstance(layer, Conv2D | DepthwiseConv2D):
        return [x.reshape(-1, weights.shape[1]).astype(np.float64)]
    window = layer.window(x.shape, weights.shape)
    taken = patches(pad_image(x, window), window)
    groups = layer.groups if isinstance(layer, Conv2D) else x.shape[3]
    size = taken[0, 0, 0].size // groups
    return [part.reshape(-1, size).astype(np.float64) for part in np.split(taken, groups, axis=-1)]


def _weight_axis(node: Node) -> int:
    return DepthwiseConv2D.weight_axis if node.op == "DepthwiseConv2D" else 0


def _weights_are_free(graph: Graph, node: Node) -> bool:
    if node.op not in ("Conv2D", "DepthwiseConv2D", "Dense") or node.inputs[1] not in graph.constants:
        return False
    spec, array = graph.tensors[node.inputs[1]], graph.constants[node.inputs[1]]
    grid = spec.qparams
    if grid is None or spec.codebook is not None or grid.block is not None:
        return False
    return grid.axis in (None, _weight_axis(node)) and array.dtype.kind == "f" and np.ptp(grid.zero_point) == 0
