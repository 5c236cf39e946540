"""Calibration: stream batches through the float path and keep what every activation's range needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import CalibrationError
from refq.execute import trace
from refq.graph import Graph, Node
from refq.layers import Layer, layer_class, layer_for
from refq.quantizers.ranges import Limits, MinMax, Range
from refq.quantizers.uniform import Uniform

_BATCH = 64
"""Images traced at a time: a trace holds every activation of its batch."""


def calibrate(
    graph: Graph,
    calibration: Any,
    range: Range,
    grid: Uniform,
    *,
    grids: Mapping[str, Uniform] | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> dict[str, Limits]:
    """Observe every real-valued activation over the calibration data.

    Parameters
    ----------
    graph : Graph
    calibration : one array (leading axis = samples), a tuple or dict of arrays for several inputs, or an
        iterable of such
    range : Range    what is kept of the values
    grid : the grid that ranges which depend on one are chosen for
    grids, ranges : by name, for tensors that have others; inner states of layers take `MinMax`

    Returns
    -------
    dict: tensor name -> (low, high); inner states of layers under `inner_name`

    Raises
    ------
    CalibrationError    no data, or values that are not finite; the tensor is named
    ShapeError          data of the wrong shape
    """
    seen: dict[str, Any] = {}
    others, own = grids or {}, dict(ranges or {})
    for batch in _batches(graph, calibration):
        traced = trace(graph, batch)
        inner = _inner_states(graph, traced)
        own |= dict.fromkeys(inner, MinMax())
        for name, values in {**traced, **inner}.items():
            if values.dtype.kind != "f":
                continue
            try:
                seen[name] = own.get(name, range).observe(seen.get(name), values.reshape(1, -1))
            except CalibrationError as error:
                raise CalibrationError(f"calibration of {name!r} in {graph.name!r}: {error}") from error
    if not seen:
        raise CalibrationError(f"calibration of {graph.name!r}: the data holds no samples; give at least one")
    found: dict[str, Limits] = {}
    for name, state in seen.items():
        low, high = own.get(name, range).limits(state, others.get(name, grid))
        found[name] = (low[0], high[0])
    return found


def inner_name(node: Node, state: str) -> str:
    """The name under which an inner state of a node is observed."""
    return f"{node.name}//{state}"


def _inner_states(graph: Graph, traced: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The inner states of every layer that has some, from the values of its inputs."""
    found: dict[str, NDArray[Any]] = {}
    for node in graph.nodes:
        if layer_class(node.op).inner is not Layer.inner:
            inputs = [None if not n else traced[n] if n in traced else graph.constants[n] for n in node.inputs]
            states = layer_for(node).inner(*inputs)
            found |= {inner_name(node, state): values for state, values in states.items()}
    return found


def _batches(graph: Graph, calibration: Any) -> Iterator[Any]:
    if isinstance(calibration, Mapping):
        yield from _split({name: np.asarray(value) for name, value in calibration.items()})
    elif isinstance(calibration, np.ndarray):
        yield from _split(calibration)
    elif _is_one_set(graph, calibration):
        yield from _split(dict(zip(graph.inputs, map(np.asarray, calibration), strict=True)))
    elif isinstance(calibration, Iterable):
        for batch in calibration:
            yield from _batches(graph, batch if _is_one_set(graph, batch) else np.asarray(batch))
    else:
        raise CalibrationError(f"calibration={calibration!r} is neither an array nor an iterable of batches")


def _is_one_set(graph: Graph, data: Any) -> bool:
    """Whether `data` is one array for each of several inputs."""
    return isinstance(data, Mapping) or (
        isinstance(data, tuple | list) and len(graph.inputs) > 1 and len(data) == len(graph.inputs)
    )


def _split(data: NDArray[Any] | dict[str, NDArray[Any]]) -> Iterator[Any]:
    parts = list(data.values()) if isinstance(data, dict) else [data]
    samples = len(parts[0]) if parts and parts[0].ndim else 0
    for start in np.arange(0, samples, _BATCH):
        piece = slice(int(start), int(start) + _BATCH)
        yield {name: part[piece] for name, part in data.items()} if isinstance(data, dict) else data[piece]
