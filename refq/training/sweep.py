"""The two sweeps over a graph: forward onto a tape, and back along it.

A tape is a list of steps, each with the function that turns gradients of what it wrote into gradients of what it read.
A tensor with a quantizer is there twice: as computed, and (with a mark behind its name) as its readers see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import blame
from refq.graph import Node, QParams
from refq.layers import MacLayer, layer_class, layer_for
from refq.layers.base import FixedGrid
from refq.quantizers.apply import fake_quantize
from refq.quantizers.learning.protocol import Moment
from refq.quantizers.learning.stochastic import StochasticSign
from refq.training.folding import Folding, fold_batch
from refq.training.network import Network, Values, channel_axis, learned_of, real_constant
from refq.training.normalization import normalize_batch

Array = NDArray[Any]
Pull = Callable[[list[Array], bool], tuple[Array | None, ...]]
"""(gradients of what was written, whether that of the first operand is asked for) -> gradients of what was read."""

_SEEN = "\0seen"


@dataclass(slots=True)
class Tape:
    """What a forward sweep leaves.

    values : key -> array; the last ones of a tensor are those its readers see, under `seen(name)`
    grids : tensor name -> grid
    started : learned values that quantizers started with, tensor//name
    statistics : running averages after this batch
    wants_losses, losses : whether a gradient rule needs the loss of every sample, and these, set before `gradients`
    """

    values: Values = field(default_factory=dict)
    grids: dict[str, QParams] = field(default_factory=dict)
    started: Values = field(default_factory=dict)
    statistics: Values = field(default_factory=dict)
    wants_losses: bool = False
    losses: Array | None = None
    steps: list[tuple[tuple[str, ...], tuple[str, ...], Pull]] = field(default_factory=list)

    def seen(self, name: str) -> str:
        """The key under which readers find a tensor."""
        return name + _SEEN if name + _SEEN in self.values else name

    def gradients(self, slopes: Mapping[str, Array], wanted: Iterable[str]) -> Values:
        """The reverse sweep: gradients of the keys wanted, from those of some tensors as their readers see them.

        Nothing is computed that leads to none of them, and a gradient is let go when the step behind it is done.
        """
        wanted = set(wanted)
        needed = set(wanted)
        for read, written, _ in self.steps:
            if not needed.isdisjoint(read):
                needed.update(written)
        total: dict[str, Array] = {self.seen(name): slope for name, slope in slopes.items()}
        for read, written, pull in reversed(self.steps):
            found = [total.get(key) if key in wanted else total.pop(key, None) for key in written]
            if needed.isdisjoint(read) or all(slope is None for slope in found):
                continue
            pairs = zip(written, found, strict=True)
            dys = [np.zeros_like(self.values[key]) if slope is None else slope for key, slope in pairs]
            for key, slope in zip(read, pull(dys, read[0] in needed), strict=False):  # None for operands left out
                if key in needed and slope is not None:
                    total[key] = total[key] + slope if key in total else slope
        return {key: slope for key, slope in total.items() if key in wanted}


def forward(
    network: Network,
    values: Values,
    statistics: Values,
    inputs: Values,
    moment: Moment,
    curvatures: Mapping[str, Array] = MappingProxyType({}),
) -> Tape:
    """Run a network on a batch.

    Parameters
    ----------
    values, statistics : of `Network.start`; a quantizer without learned values among them starts on what it sees
    inputs : graph input -> real array
    moment : where training stands
    curvatures : of `Optimizer.curvature`, for the rules of the values they are named after
    """
    tape = Tape()
    sweep = _Sweep(network, values, statistics, moment, tape, curvatures)
    for name, array in inputs.items():
        sweep.write(name, array)
    for node in network.graph.nodes:
        with blame(node), np.errstate(all="ignore"):  # what is not finite stops the run, with the layer's name
            sweep.compute(node)
    return tape


class _Sweep:
    def __init__(
        self,
        network: Network,
        values: Values,
        statistics: Values,
        moment: Moment,
        tape: Tape,
        curvatures: Mapping[str, Array],
    ) -> None:
        self.network, self.values, self.statistics, self.curvatures = network, values, statistics, curvatures
        self.moment, self.tape = moment, tape
        self.is_quantized = network.graph.is_quantized or bool(network.quantizers)

    @property
    def measures(self) -> bool:
        """Whether normalization takes the statistics of the batch, not its running averages."""
        moment = self.moment
        return moment.collects or (moment.training and moment.progress < self.network.frozen_statistics)

    def write(self, name: str, array: Array) -> None:
        """A tensor as computed, and as its quantizer lets readers see it."""
        tape = self.tape
        tape.values[name] = array
        rule = self.network.quantizers.get(name)
        if rule is None:
            grid = self.network.graph.tensors[name].qparams
            if grid is not None:
                self.round(name, grid)
            return
        axis = channel_axis(self.network.graph, name)
        learned = learned_of(name, self.values, self.statistics)
        if not learned:
            learned = rule.start(array, axis)
            tape.started |= {f"{name}//{key}": value for key, value in learned.items()}
        moment = replace(self.moment, curvature=self.curvatures[name]) if name in self.curvatures else self.moment
        if moment.training and rule.observed:
            moved = rule.observe(array, learned, moment)
            tape.statistics |= {f"{name}//{key}": value for key, value in moved.items()}
            learned = {**learned, **moved}
        keys = [key for key in learned if key not in rule.observed]
        y, pull, grid = rule.apply(array, axis, learned, moment)
        if grid is not None:
            tape.grids[name] = grid

        def back(dys: list[Array], through: bool) -> tuple[Array | None, ...]:
            dx, slopes = pull(dys[0])
            return dx, *(slopes.get(key) for key in keys)

        tape.values[name + _SEEN] = y
        tape.steps.append(((name, *(f"{name}//{key}" for key in keys)), (name + _SEEN,), back))

    def round(self, name: str, grid: QParams) -> None:
        """Put a tensor on a grid that something else determines; gradients pass."""
        self.tape.grids[name] = grid
        self.tape.values[name + _SEEN] = fake_quantize(self.tape.values[name], grid)
        self.tape.steps.append(((name,), (name + _SEEN,), lambda dys, through: (dys[0],)))

    def constant(self, node: Node, place: int, name: str) -> None:
        """Bring a constant onto the tape."""
        if name in self.tape.values:
            return
        layer = layer_class(node.op)
        array = next(s[name] for s in (self.values, self.statistics, self._held(name)) if name in s)
        if issubclass(layer, MacLayer) and place == 2 and self.is_quantized:
            self.bias(node, name, array)
            return
        self.write(name, array)

    def bias(self, node: Node, name: str, array: Array) -> None:
        """Bring a bias onto the tape, on the grid that its layer's operands give it."""
        self.tape.values[name] = array
        grid = self.bias_grid(node)
        if grid is not None:
            self.round(name, grid)

    def refold(self, node: Node, folding: Folding) -> None:
        """The folded weight and bias of this step, from the batch's statistics or the running averages."""
        tape, key = self.tape, folding.key
        names = [key(part) for part in ("kernel", "gamma", "beta")]
        kernel, gamma, beta = held = [self.values[name] for name in names]
        averages = [self.statistics[key(part)] for part in ("mean", "variance")]
        tape.values |= dict(zip(names, held, strict=True))
        source, pull = tape.seen(node.inputs[0]), None
        if self.measures:
            batch = fold_batch(folding, layer_for(node), tape.values[source], kernel, gamma, beta)
            weight, bias, pull = batch.weight, batch.bias, batch.pull
            for part, old, seen in zip(("mean", "variance"), averages, (batch.mean, batch.variance), strict=True):
                keep = old.dtype.type(self.network.momentum)
                tape.statistics[key(part)] = keep * old + (1 - keep) * seen
        else:
            weight, bias = folding.folded(*held, *averages)

        def back(dys: list[Array], through: bool) -> tuple[Array | None, ...]:
            dw, db = dys
            if pull is not None:
                return pull(dw, db)
            return None, *folding.pull(dw, db, kernel, gamma, *averages)[:3]

        tape.steps.append(((source, *names), (folding.weight, folding.bias), back))
        self.write(folding.weight, weight)
        self.bias(node, folding.bias, bias)

    def _held(self, name: str) -> Values:
        array = real_constant(self.network.graph, name)
        dtype = next(iter(self.values.values())).dtype if self.values else array.dtype
        return {name: array.astype(dtype) if array.dtype.kind == "f" else array}

    def bias_grid(self, node: Node) -> QParams | None:
        """int32 at scale s_x * s_w, 64 bits beside activations of more than 8."""
        x, w = (self.tape.grids.get(name) for name in node.inputs[:2])
        if x is None or w is None:
            return None
        scale = np.maximum(x.scale * w.scale, np.finfo(np.float32).tiny)
        return QParams(scale=scale, axis=None if scale.ndim == 0 else 0, bits=32 if x.bits <= 8 else 64)

    def compute(self, node: Node) -> None:
        tape = self.tape
        folding = self.network.folded.get(node.name)
        if folding is not None:
            self.refold(node, folding)
        for place, name in enumerate(node.inputs):
            if name in self.network.graph.constants:
                self.constant(node, place, name)
        keys = tuple(tape.seen(name) if name else "" for name in node.inputs)
        arrays = [tape.values[key] if key else None for key in keys]
        result, pull = self.evaluate(node, arrays)
        outputs = result if isinstance(result, tuple) else (result,)
        if node.clamp is not None:
            outputs, pull = _clamped(node.clamp, outputs, pull)
        if self.moment.training:
            outputs, pull = self.narrowed(node, outputs, pull)
        tape.steps.append((keys, node.outputs, pull))
        for name, y in zip(node.outputs, outputs, strict=True):
            self.settle(node, name, y)

    def narrowed(self, node: Node, outputs: tuple[Array, ...], pull: Pull) -> tuple[tuple[Array, ...], Pull]:
        """Outputs as they are stored, and gradients as they arrive, where training itself has few bits."""
        storage, slopes, rng = self.network.storage, self.network.slopes, self.moment.rng
        if storage is not None:
            outputs = tuple(storage(y) if y.dtype.kind == "f" else y for y in outputs)
        if slopes is None or rng is None or not issubclass(layer_class(node.op), MacLayer):
            return outputs, pull
        return outputs, lambda dys, through: pull([slopes(dy, rng) for dy in dys], through)

    def settle(self, node: Node, name: str, y: Array) -> None:
        """The output on its grid: one of its own, the input's, or one the function's range gives."""
        rule, first = layer_class(node.op).output_grid, self.tape.grids.get(node.inputs[0]) if node.inputs else None
        if name in self.network.quantizers or not self.is_quantized or y.dtype.kind != "f":
            self.write(name, y)
            return
        self.tape.values[name] = y
        held = self.network.graph.tensors[name].qparams
        if isinstance(rule, FixedGrid):
            self.round(name, rule.qparams(held.bits, held.signed) if held is not None else rule.qparams(8, True))
        elif rule == "same" and first is not None:
            self.round(name, first)
        elif held is not None:
            self.round(name, held)

    def evaluate(self, node: Node, arrays: list[Any]) -> tuple[Any, Pull]:
        """What the node computes, and its gradient rule."""
        layer = layer_for(node)
        if node.op == "BatchNormalization" and self.measures:
            return self.normalize(node, layer, arrays)
        surrogate = self.network.surrogates.get(node.op)
        if isinstance(surrogate, StochasticSign):
            return self.draw(surrogate, arrays[0])
        y = layer.forward(*arrays)
        if surrogate is not None:
            return y, lambda dys, through: (surrogate(dys[0], arrays[0], self.moment.progress),)

        def back(dys: list[Array], through: bool) -> tuple[Array | None, ...]:
            if not through and isinstance(layer, MacLayer):
                return None, *layer.parameter_grads(dys[0], *arrays)
            return layer.grad(tuple(dys) if isinstance(y, tuple) else dys[0], *arrays)

        return y, back

    def draw(self, units: StochasticSign, x: Array) -> tuple[Array, Pull]:
        """Units that are drawn, and their gradient rule, which may need the losses of samples."""
        tape, moment = self.tape, self.moment
        tape.wants_losses |= units.is_unbiased
        y = units.draw(x, moment)
        return y, lambda dys, through: (units.slope(dys[0], x, y, tape.losses, moment),)

    def normalize(self, node: Node, layer: Any, arrays: list[Any]) -> tuple[Array, Pull]:
        x, gamma, beta = arrays[:3]
        y, mean, variance, pull = normalize_batch(x, gamma, beta, layer.axis, layer.epsilon)
        keep = x.dtype.type(self.network.momentum)
        for name, seen in zip(node.inputs[3:], (mean, variance), strict=True):
            old = self.tape.statistics.get(name, self.tape.values[name])
            self.tape.statistics[name] = keep * old + (1 - keep) * seen
        return y, lambda dys, through: (*pull(dys[0]), None, None)


def _clamped(limits: tuple[float, float], outputs: tuple[Array, ...], pull: Pull) -> tuple[tuple[Array, ...], Pull]:
    low, high = limits

    def back(dys: list[Array], through: bool) -> tuple[Array | None, ...]:
        return pull([dy * ((y > low) & (y < high)) for dy, y in zip(dys, outputs, strict=True)], through)

    return tuple(np.clip(y, low, high) for y in outputs), back
