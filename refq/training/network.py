"""Network: a graph as a training run sees it, and the values that the run changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError, ShapeError
from refq.graph import Graph, QParams
from refq.layers import MacLayer, layer_class
from refq.quantizers.apply import dequantize_array
from refq.quantizers.learning.protocol import Trainable
from refq.quantizers.learning.stochastic import StochasticSign
from refq.training.folding import Folding

Array = NDArray[Any]
Values = dict[str, Array]
Surrogate = Callable[[Array, Array, float], Array]
"""(dy, x, progress) -> dx: what stands for the gradient of a step function."""
SlopeRule = Callable[[Array, np.random.Generator], Array]
"""(gradient of a layer's output, generator) -> what the layer's own gradients are made of."""

_STATISTICS = ("mean", "variance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is trained, and how.

    Parameters
    ----------
    graph : Graph
    quantizers : tensor name -> rule, for weights and activations
    surrogates : op -> gradient rule that takes the place of the layer's (Binarize), or units that are drawn
    slopes : rule for the gradients that multiply-accumulate layers get, such as `integer_slopes`
    storage : what becomes of every activation while training, such as `half`
    frozen : names of constants that stay as they are
    trained : names of constants that change though their layer has no parameters, such as a factor of `Multiply`
    folded : node name -> normalization that is folded into the layer anew at every step
    frozen_statistics : part of the training after which normalization uses its running averages; 0 always, 1 never
    momentum : of the running averages, average <- momentum * average + (1 - momentum) * batch
    """

    graph: Graph
    quantizers: Mapping[str, Trainable] = field(default_factory=dict[str, Trainable])
    surrogates: Mapping[str, Surrogate | StochasticSign] = field(
        default_factory=dict[str, "Surrogate | StochasticSign"]
    )
    slopes: SlopeRule | None = None
    storage: Callable[[Array], Array] | None = None
    frozen: frozenset[str] = frozenset()
    trained: frozenset[str] = frozenset()
    folded: Mapping[str, Folding] = field(default_factory=dict[str, Folding])
    frozen_statistics: float = 1.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if self.graph.shape_only:
            raise GraphError(f"{self.graph.name!r} holds shapes only; training needs weights to start from")
        for field_name, names in (("frozen", self.frozen), ("trained", self.trained)):
            unknown = sorted(names - set(self.graph.constants))
            if unknown:
                raise GraphError(f"{field_name}={unknown} are no constants of {self.graph.name!r}")

    def latent(self, name: str) -> str:
        """The name under which a run holds the real weights behind a constant."""
        return next((f.key("kernel") for f in self.folded.values() if f.weight == name), name)

    def start(self, dtype: Any = np.float32) -> tuple[Values, Values]:
        """(values, statistics): real constants that training changes, and averages it keeps.

        Learned values of quantizers are not among them: they start with the first batch.
        """
        values: Values = {}
        statistics: Values = {}
        for node in self.graph.nodes:
            cls = layer_class(node.op)
            if node.name in self.folded:
                values |= self.folded[node.name].starts(("kernel", "gamma", "beta"), dtype)
                statistics |= self.folded[node.name].starts(("mean", "variance"), dtype)
                continue
            for i, name in enumerate(node.inputs):
                operand = cls.operands[min(i, len(cls.operands) - 1)].strip("*?")
                is_parameter = operand in cls.parameters or name in self.trained
                if name not in self.graph.constants or not is_parameter or name in self.frozen:
                    continue
                array = real_constant(self.graph, name)
                if array.dtype.kind != "f":
                    continue
                is_average = node.op == "BatchNormalization" and operand in _STATISTICS
                (statistics if is_average else values)[name] = array.astype(dtype)
        return values, statistics

    def settled(self, values: Values, statistics: Values, grids: Mapping[str, QParams]) -> Graph:
        """The graph with trained constants, and the grids that a sweep outside training used.

        Parameters
        ----------
        values, statistics : as trained, learned values of quantizers under tensor//name
        grids : tensor name -> grid, of `Tape.grids`
        """
        constants, tensors = dict(self.graph.constants), dict(self.graph.tensors)
        grids = dict(grids)
        for folding in self.folded.values():
            values = values | folding.settled(values, statistics)
        for name in constants:
            if name in self.quantizers:
                x = values.get(name, statistics.get(name, real_constant(self.graph, name)))
                learned = learned_of(name, values, statistics)
                axis = channel_axis(self.graph, name)
                constants[name], grids[name] = self.quantizers[name].stored(x, axis, learned)
            elif name in values or name in statistics:
                constants[name] = (values | statistics)[name]
            if constants[name].dtype == np.float64:
                constants[name] = constants[name].astype(np.float32)
        for name in tensors:
            grid = grids.get(name, tensors[name].qparams)
            dtype = constants[name].dtype.name if name in constants else tensors[name].dtype
            tensors[name] = replace(tensors[name], qparams=grid, dtype=dtype)
        return replace(self.graph, constants=constants, tensors=tensors)


def scores_of(graph: Graph) -> str:
    """The only output; what lies before a softmax where it ends in one.

    Raises
    ------
    ShapeError    several outputs
    """
    if len(graph.outputs) != 1:
        raise ShapeError(f"{graph.name!r} has {len(graph.outputs)} outputs; fit trains graphs with one")
    last = graph.producer(graph.outputs[0])
    return last.inputs[0] if last is not None and last.op == "Softmax" else graph.outputs[0]


def channel_axis(graph: Graph, name: str) -> int | None:
    """The axis of output channels where a tensor is the weight of a multiply-accumulate layer, else None."""
    for node in graph.nodes:
        cls = layer_class(node.op)
        if name in node.inputs[1:2] and issubclass(cls, MacLayer) and "w" in cls.parameters:
            return cls.weight_axis
    return None


def real_constant(graph: Graph, name: str) -> Array:
    """A constant as reals, codes decoded."""
    array, grid = graph.constants[name], graph.tensors[name].qparams
    return dequantize_array(array, grid) if grid is not None and array.dtype.kind in "iu" else array


def learned_of(name: str, *stores: Mapping[str, Array]) -> Values:
    """The learned values of one tensor's quantizer, by their own names."""
    prefix = f"{name}//"
    return {key[len(prefix) :]: value for store in stores for key, value in store.items() if key.startswith(prefix)}
