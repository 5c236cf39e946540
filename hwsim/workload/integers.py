"""The integers of an integer run, layer by layer: what an array multiplies, and the sums refq gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import WorkloadError
from refq.graph import Graph, LoopNest, QParams


class Codes(NamedTuple):
    """The integers of one operand and what they mean: real = scale (code - zero)."""

    codes: NDArray[np.int64]
    zero: NDArray[np.int64]
    bits: int
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegerLayer:
    """One multiply-accumulate layer of an integer run: its operands, and the sums refq gives for them.

    x (N, H, W, C) or (N, C); w OHWI, or (1, FY, FX, O) of a depthwise layer, or (O, I); sums of the output's shape,
    with bias, before requantization. pads : ((top, bottom), (left, right)), filled with the zero point of x
    """

    name: str
    op: str
    nest: LoopNest
    x: Codes
    w: Codes
    bias: NDArray[np.int64] | None
    pads: tuple[tuple[int, int], tuple[int, int]]
    sums: NDArray[np.int64]


def load_quantized(
    path: str | Path, data: NDArray[Any] | None, recipe: str = "int8", input_shape: Sequence[int] | None = None
) -> tuple[Graph, NDArray[Any]]:
    """A quantized model and inputs for it: `data`, or one input of seeded Gaussian noise; they also calibrate it.

    Raises
    ------
    WorkloadError    several inputs, or open dimensions
    RefqError        a file that cannot be read, inputs of another shape
    """
    from refq.io.load import load
    from refq.quantization import quantize

    graph = load(path, input_shape=input_shape)
    if len(graph.inputs) != 1:
        raise WorkloadError(f"{graph.name!r} has {len(graph.inputs)} inputs; only models with one can be simulated")
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    if data is None:
        if any(not isinstance(size, int) or size < 1 for size in shape):
            raise WorkloadError(f"{graph.name!r} has the open input shape {shape}; give --input-shape")
        data = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    if graph.is_quantized:
        return graph, data
    real = data if data.dtype.kind == "f" else data.astype(np.float32)
    return quantize(graph, real, recipe), real


def integer_layers(graph: Graph, x: Any) -> tuple[tuple[IntegerLayer, ...], tuple[str, ...]]:
    """(the convolutions and dense layers of an integer run, the names of the other layers that do work)."""
    from refq.execute import trace
    from refq.interpret import constant_value
    from refq.layers.registry import layer_for

    traced = trace(graph, x, path="integer")
    found: list[IntegerLayer] = []
    others: list[str] = []

    def operand(name: str) -> Codes:
        grid = graph.tensors[name].qparams
        codes = traced[name] if name in traced else constant_value(graph, name, "integer")
        assert isinstance(grid, QParams)
        return Codes(codes.astype(np.int64), np.asarray(grid.zero_point, np.int64), grid.bits, grid.signed)

    for node in graph.nodes:
        layer: Any = layer_for(node)
        values: list[Any] = [traced.get(name, graph.constants.get(name)) if name else None for name in node.inputs]
        nest: LoopNest = layer.nest(*(None if value is None else value.shape for value in values))
        names = [*node.inputs, "", "", ""][:3]
        uniform = all(isinstance(graph.tensors[name].qparams, QParams) for name in names if name)
        if node.op not in ("Conv2D", "DepthwiseConv2D", "Dense") or names[1] not in graph.constants or not uniform:
            others += [] if nest.kind == "none" else [node.name]
            continue
        left, right = operand(names[0]), operand(names[1])
        bias = operand(names[2]).codes if names[2] else None
        pads: Any = ((0, 0), (0, 0))
        if node.op != "Dense":
            pads = layer.window(left.codes.shape, right.codes.shape).pads
        sums = layer.accumulate(left.codes, right.codes, bias, left.zero, right.zero)
        found.append(
            IntegerLayer(name=node.name, op=node.op, nest=nest, x=left, w=right, bias=bias, pads=pads, sums=sums)
        )
    return tuple(found), tuple(others)
