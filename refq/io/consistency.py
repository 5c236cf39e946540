"""What holds for every graph, whatever file it came from: names, sizes, grids, operands, attributes, shapes."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from math import prod
from typing import Any, get_type_hints

import msgspec

from refq.errors import GraphError, RangeError, ShapeError, blame
from refq.graph import Graph, Node, TensorSpec
from refq.layers import layer_class, layer_for

_LARGEST = 1 << 40


def check(graph: Graph) -> None:
    """Refuse a graph that no path and no cost model could take.

    Raises
    ------
    GraphError    a name that is no text, a constant of another type or shape than stated, operands a layer does not
                  have, an attribute of another type
    ShapeError    a shape that is not made of sizes, or not the one its node gives
    RangeError    a grid along an axis that the tensor does not have
    """
    _check_names(graph)
    for name, spec in graph.tensors.items():
        _check_spec(name, spec)
    for name, array in graph.constants.items():
        spec = graph.tensors[name]
        if array.dtype.name != spec.dtype or array.shape != spec.shape:
            raise GraphError(f"constant {name!r} is {array.dtype.name}{list(array.shape)}, the graph says {spec}")
    for node in graph.nodes:
        with blame(node):
            _check_node(graph, node)


def _check_names(graph: Graph) -> None:
    names: list[Any] = [graph.name, *graph.inputs, *graph.outputs, *graph.tensors]
    for node in graph.nodes:
        names += [node.op, node.name, *node.outputs, *(name for name in node.inputs if name != "")]
    for name in names:
        if not isinstance(name, str) or not name:
            raise GraphError(f"the name {name!r} is not a text")
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            raise GraphError(f"the name {name!r} cannot be written as UTF-8")


def _check_spec(name: str, spec: TensorSpec) -> None:
    if any(type(size) is not int or size < 1 for size in spec.shape) or prod(spec.shape) > _LARGEST:
        raise ShapeError(f"tensor {name!r} has the unusable shape {spec.shape}")
    grid = spec.qparams
    if grid is not None and grid.block is not None:
        raise RangeError(
            f"tensor {name!r} has scales of blocks {grid.block}; graphs hold one a tensor or one a channel"
        )
    if grid is not None and grid.axis is not None:
        rank = len(spec.shape)
        if type(grid.axis) is not int or not -rank <= grid.axis < rank or spec.shape[grid.axis] != grid.scale.size:
            raise RangeError(
                f"tensor {name!r} of shape {spec.shape} has {grid.scale.size} scales along axis {grid.axis}; "
                "one a channel is needed"
            )


def _check_node(graph: Graph, node: Node) -> None:
    operands = layer_class(node.op).operands
    for position, operand in enumerate(operands):
        is_given = position < len(node.inputs) and node.inputs[position] != ""
        if not is_given and not operand.endswith("?") and not operand.startswith("*"):
            raise GraphError(f"operand {operand} is missing")
    if len(node.inputs) > len(operands) and not operands[-1].startswith("*"):
        raise GraphError(f"{len(node.inputs)} inputs, the operands are {', '.join(operands)}")
    types = _types(node.op)
    for name, value in node.attrs.items():
        try:
            msgspec.convert(value, types[name])
        except msgspec.ValidationError as error:
            raise GraphError(f"{name}={value!r} does not fit: {error}") from error
    layer = layer_for(node)
    shapes = [graph.tensors[name].shape if name else None for name in node.inputs]
    found: Any = layer.infer_shape(*shapes)
    many = tuple(found) if found and isinstance(found[0], tuple) else (found,)
    declared = tuple(graph.tensors[name].shape for name in node.outputs)
    if many != declared:
        raise ShapeError(f"the outputs have the shapes {many}, the graph says {declared}")
    layer.nest(*shapes)


@cache
def _types(op: str) -> dict[str, Any]:
    """The type of every attribute of a layer."""
    cls: Any = layer_class(op)
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}
