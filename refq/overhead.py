"""What granularities of weight scales cost a whole model."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from refq.errors import GraphError
from refq.graph import Graph
from refq.layers import MacLayer, layer_for
from refq.quantizers.granularity import Granularity, PerChannel, PerChannelGroup, PerGroup, PerTensor
from refq.quantizers.overhead import Overhead, overhead

GRANULARITIES = ("layerwise", "groupwise", "channelwise", "sub-channelwise")
"""The names of Gholami et al. 2021, section III-E, the coarsest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOverhead:
    """One weight tensor.

    node : the layer
    weights, outputs : int     weights of the layer; its outputs for one input
    by : dict from a name of GRANULARITIES to the costs of its scales
    """

    node: str
    weights: int
    outputs: int
    by: dict[str, Overhead]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOverhead:
    """Costs of all layers; str() prints a table of the sums.

    bits : of a code
    group, channels : weights of a sub-channel group; channels of a group
    rows : one a layer
    """

    bits: int
    group: int
    channels: int
    rows: tuple[LayerOverhead, ...]

    @property
    def weights(self) -> int:
        """Weights of all layers."""
        return sum(row.weights for row in self.rows)

    def scales(self, granularity: str) -> int:
        """Scales of all layers."""
        return sum(row.by[granularity].scales for row in self.rows)

    def scale_bytes(self, granularity: str) -> int:
        """Bytes of scales and zero points."""
        return sum(row.by[granularity].scale_bytes + row.by[granularity].zero_point_bytes for row in self.rows)

    def rescales(self, granularity: str) -> int:
        """Multiplications by a scale for one input: one an output and block of its channel."""
        return sum(row.outputs * row.by[granularity].rescales_per_output for row in self.rows)

    def bits_per_weight(self, granularity: str) -> float:
        """Codes, scales and zero points over the number of weights."""
        return self.bits + 8 * self.scale_bytes(granularity) / self.weights

    def __str__(self) -> str:
        titles = ("granularity", "scales", "bytes", "rescales", "extra", "bits a weight")
        lines = [f"{titles[0]:<16}{titles[1]:>9}{titles[2]:>10}{titles[3]:>13}{titles[4]:>13}{titles[5]:>15}"]
        least = self.rescales("layerwise")
        for name in GRANULARITIES:
            count = self.rescales(name)
            lines.append(
                f"{name:<16}{self.scales(name):>9,}{self.scale_bytes(name):>10,}{count:>13,}{count - least:>13,}"
                f"{self.bits_per_weight(name):>15.4f}"
            )
        lines.append(
            f"{len(self.rows)} layers, {self.weights:,} weights of {self.bits} bits; groupwise: {self.channels} output "
            f"channels, sub-channelwise: {self.group} input channels of one output"
        )
        return "\n".join(lines)


def model_overhead(
    graph: Graph, *, bits: int = 8, group: int = 16, channels: int = 8, symmetric: bool = True, scale_bits: int = 32
) -> ModelOverhead:
    """What every granularity would cost the constant weights of a graph.

        bits a weight = bits + 8 * (bytes of scales and zero points) / weights
        rescales = sum over layers of outputs * blocks of one output channel

    Parameters
    ----------
    graph : Graph, quantized or not: shapes alone count
    bits : of a code
    group : input channels that share a scale, sub-channelwise; a depthwise filter has one and is one group
    channels : output channels that share a scale, groupwise
    symmetric : False: zero points are kept beside the scales
    scale_bits : of a scale

    Raises
    ------
    GraphError    no layer with constant weights, or an output of unknown size

    Notes
    -----
    Gholami et al. 2021, section III-E. Up to channelwise one rescale an output suffices, and requantization makes it
    anyway; each further group of an output adds one.
    """
    rows: list[LayerOverhead] = []
    for node in graph.nodes:
        layer = layer_for(node)
        if not isinstance(layer, MacLayer) or len(node.inputs) < 2 or node.inputs[1] not in graph.constants:
            continue
        shape, out = graph.tensors[node.inputs[1]].shape, graph.tensors[node.output].shape
        if any(size is None or size < 1 for size in (*shape, *out[1:])):
            raise GraphError(f"node {node.name!r} has weights {shape} and an output {out}; load with its input shape")
        axis = layer.weight_axis % len(shape)
        inputs = len(shape) - 1 if axis != len(shape) - 1 else 0
        choices: tuple[Granularity, ...] = (
            PerTensor(),
            PerChannelGroup(axis=axis, size=channels),
            PerChannel(axis),
            PerGroup(axis=inputs, size=group, channel_axis=axis),
        )
        costs = [
            overhead(shape, one, bits=bits, symmetric=symmetric, scale_bits=scale_bits, channel_axis=axis)
            for one in choices
        ]
        by: dict[str, Overhead] = dict(zip(GRANULARITIES, costs, strict=True))
        rows.append(LayerOverhead(node=node.name, weights=prod(shape), outputs=prod(out[1:]), by=by))
    if not rows:
        raise GraphError(f"{graph.name!r} has no layer with constant weights")
    return ModelOverhead(bits=bits, group=group, channels=channels, rows=tuple(rows))
