"""Plan: the integer path of a graph as kernel calls on fixed buffers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from refq.errors import UnsupportedError, blame
from refq.graph import Graph, Node
from refq.interpret import Array, code_limits, constant_value, infer_shapes, node_function
from refq.layers import TableLayer, layer_for
from refq.numerics import Arithmetic, find_arithmetic
from refq.plan.buffers import Pool, most_held
from refq.plan.lower_elementwise import lower_table
from refq.plan.lowering import Bind, Call, KernelCall, Site, lower

_WORKING_SET = 1 << 20
"""Bytes of activations a pass may touch: small enough to stay in a core's second cache from layer to layer."""

_SIZES_KEPT = 4


def compile(graph: Graph, arithmetic: str | Arithmetic = "litert") -> Plan:
    """Prepare the integer path of a quantized graph; `refq.run` does it by itself and keeps the last few plans.

    Raises
    ------
    UnsupportedError    the arithmetic is watched: kernels count no events
    """
    return Plan(graph, find_arithmetic(arithmetic))


@dataclass(frozen=True, slots=True)
class _Step:
    """A node and how it is computed: a kernel, a view of its input, or (neither) `Layer.integer`."""

    node: Node
    bind: Bind | None
    is_view: bool


class Plan:
    """The integer path of one graph under one arithmetic, constants prepared; threads that share it take turns.

    Results equal those of `refq.run` on NumPy bit for bit. Buffers belong to input shapes and are used again; a large
    batch goes through in pieces whose activations fit the second cache, where every node treats images one by one.

    Attributes
    ----------
    native : names of the nodes that run as kernels
    """

    def __init__(self, graph: Graph, arithmetic: Arithmetic) -> None:
        if arithmetic.events is not None:
            raise UnsupportedError(
                f"arithmetic {arithmetic.name!r} is watched, and kernels count no events; use refq.run"
            )
        self.graph, self.arithmetic = graph, arithmetic
        self._constants: dict[str, Array] = {}
        self._shapes = infer_shapes(graph, inputs={name: graph.tensors[name].shape for name in graph.inputs})
        self._steps = tuple(self._step(node) for node in graph.nodes)
        self._bound: OrderedDict[tuple[Any, ...], _Bound] = OrderedDict()
        self._outputs = {*graph.outputs, *graph.constants}
        self._most = self._largest_piece()
        self._lock = Lock()
        self.native = tuple(step.node.name for step in self._steps if step.bind is not None)

    def run(self, codes: Mapping[str, Array], keep: Iterable[str] | None = None) -> dict[str, Array]:
        """Compute tensors from the codes of the graph inputs.

        Parameters
        ----------
        codes : input name -> integer array, leading axis = batch
        keep : names of the tensors wanted; the graph's outputs if left out

        Returns
        -------
        dict: name -> array
        """
        with self._lock:
            return self._run(codes, tuple(self.graph.outputs if keep is None else keep))

    def _run(self, codes: Mapping[str, Array], wanted: tuple[str, ...]) -> dict[str, Array]:
        batch = 1 if self._most is None else max(len(array) for array in codes.values())
        if self._most is None or batch <= self._most:
            return {name: array.copy() for name, array in self._pass(codes, wanted).items()}
        parts: dict[str, list[Array]] = {name: [] for name in wanted}
        piece = -(-batch // -(-batch // self._most))  # even ones, as a short rest would cost as much as a whole one
        for start in range(0, batch, piece):
            inputs = {name: array[start : start + piece] for name, array in codes.items()}
            for name, array in self._pass(inputs, wanted).items():
                parts[name].append(array.copy())
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}

    def trace(self, codes: Mapping[str, Array]) -> dict[str, Array]:
        """Every activation by name."""
        return self.run(codes, [spec.name for spec in self.graph.activations()])

    def _pass(self, codes: Mapping[str, Array], wanted: tuple[str, ...]) -> dict[str, Array]:
        inputs = {name: codes[name].shape for name in self.graph.inputs}
        shares = self._most is not None and set(wanted) <= self._outputs
        key = (shares, *inputs.values())
        if key not in self._bound:
            self._bound[key] = _Bound(self, inputs, shares)
            if len(self._bound) > _SIZES_KEPT:
                self._bound.popitem(last=False)
        self._bound.move_to_end(key)
        bound = self._bound[key]
        for name, array in codes.items():
            bound.values[name][...] = array
        for call in bound.calls:
            call()
        return {name: bound.values[name] if name in bound.values else self.constant(name) for name in wanted}

    def _largest_piece(self) -> int | None:
        """Images a pass takes at most; None, for all of them, if some node may mix images."""
        names = (*self.graph.inputs, *(name for node in self.graph.nodes for name in node.outputs))
        mixes = any(step.bind is None and not step.is_view for step in self._steps)
        if mixes or any(not self._shapes[name] or self._shapes[name][0] != 1 for name in names):
            return None
        size = most_held(self.graph, {name: int(np.prod(self._shapes[name])) for name in names})
        return max(1, _WORKING_SET // max(size, 1))

    def constant(self, name: str) -> Array:
        """The codes of a constant, made once."""
        if name not in self._constants:
            self._constants[name] = constant_value(self.graph, name, "integer")
        return self._constants[name]

    def _step(self, node: Node) -> _Step:
        specs = [self.graph.tensors[name] if name else None for name in node.inputs]
        out = self.graph.tensors[node.outputs[0]].qparams
        if len(node.outputs) != 1 or out is None:
            return _Step(node, None, False)
        with blame(node):
            layer, limits = layer_for(node), code_limits(node, out)
            constants = {i: self.constant(name) for i, name in enumerate(node.inputs) if name in self.graph.constants}
            site = Site(
                node=node,
                layer=layer,
                grids=tuple(None if spec is None else spec.qparams for spec in specs),
                out=out,
                constants=constants,
                shapes=tuple(self._shapes[name] for name in node.inputs if name),
                limits=limits,
                arithmetic=self.arithmetic,
            )
            is_view = node.op in ("Reshape", "Identity") and site.grids[0] == out and limits == (out.qmin, out.qmax)
            if is_view and not constants:
                return _Step(node, None, True)
            bind = lower_table(site) if isinstance(layer, TableLayer) and not constants else lower(site)
        return _Step(node, bind, False)


class _Bound:
    """A plan on buffers for inputs of given shapes: `values` by tensor name, and the calls that fill them in order.

    Where buffers are shared, a tensor that is no output of the graph stands only until the last node that reads it.
    """

    def __init__(self, plan: Plan, inputs: dict[str, tuple[int, ...]], shares: bool) -> None:
        graph, shapes = plan.graph, infer_shapes(plan.graph, inputs=inputs)
        self.values: dict[str, Array] = {}
        self._pool = Pool(graph, shares)
        self.calls: list[Call] = []
        compute = node_function(graph, "integer", plan.arithmetic)
        for name in graph.inputs:
            self.values[name] = self._pool.take(name, shapes[name])
        for number, step in enumerate(plan._steps):
            node = step.node
            if step.is_view:
                self.values[node.output] = self.values[node.inputs[0]].reshape(shapes[node.output])
                self._pool.view(node.output, node.inputs[0])
                self._pool.release(number)
                continue
            for name in node.outputs:
                if graph.tensors[name].qparams is not None:
                    self.values[name] = self._pool.take(name, shapes[name])
            if step.bind is not None:
                activations = [self.values[name] for name in node.inputs if name in self.values]
                self._append(step.bind(activations, self.values[node.output]))
            else:
                self.calls.append(self._interpreted(node, plan, compute))
            self._pool.release(number)

    def _append(self, call: Call) -> None:
        before = self.calls[-1] if self.calls else None
        if isinstance(call, KernelCall) and isinstance(before, KernelCall) and call.kernel is before.kernel:
            self.calls[-1] = before.then(call)
        else:
            self.calls.append(call)

    def _interpreted(self, node: Node, plan: Plan, compute: Any) -> Call:
        """A node as the layer computes it; plain integers (places, conditions) keep the type they come in."""
        values = self.values

        def call() -> None:
            operands = [
                None if not name else values[name] if name in values else plan.constant(name) for name in node.inputs
            ]
            with blame(node):
                results = compute(node, operands)
            for name, y in zip(node.outputs, results, strict=True):
                if plan.graph.tensors[name].qparams is None:
                    values[name] = y
                else:
                    values[name][...] = y

        return call
