"""A model as hardware sees it: layers with loops and bit widths.

macs = sum(nest.macs)    weight_bytes = sum over distinct weights of ceil(elements * bits / 8) + 4 bytes a bias

Weights that are codes into tables count the bits of their codes, and the bytes of the tables and scales beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from hwsim.errors import WorkloadError
from refq.graph import LoopNest

BIAS_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node of the deployed graph: what it is, its loops, its bit widths.

    weight_key : name of the stored weights; layers with equal keys share one copy, "" = none
    channels : size of the last axis of the output, 0 if not known
    sources : indices of the layers whose outputs it reads, -1 for inputs of the model; empty: the layer before
    is_output : its output is one of the model's
    weight_entropy_bits : entropy of the codes of one weight, what an entropy coder approaches; None if not known
    input_zeros : share of zeros among the input with its padding, 0 to 1; None if not known
    copied : elements of a concatenation's inputs that stay where they are because something else reads them as well;
        the others are written into the result by the layers that make them
    """

    name: str
    op: str
    nest: LoopNest
    weight_bits: int = 8
    activation_bits: int = 8
    weight_key: str = ""
    weight_entropy_bits: float | None = None
    input_zeros: float | None = None
    copied: int = 0
    channels: int = 0
    sources: tuple[int, ...] = ()
    is_output: bool = False

    @property
    def stored_bits(self) -> float:
        """Bits of one weight in memory."""
        return self.weight_bits if self.nest.weight_bits is None else self.nest.weight_bits

    @property
    def weight_bytes(self) -> int:
        """Bytes of the stored parameters."""
        return (
            ceil(self.nest.weights * self.stored_bits / 8)
            + self.nest.weight_metadata_bytes
            + BIAS_BYTES * self.nest.biases
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A model as hardware sees it; totals are over one inference of `batch` inputs."""

    name: str
    batch: int
    layers: tuple[Layer, ...]
    weights: int
    activations: int
    activation_peak_bytes: int
    input_bytes: int
    output_bytes: int

    @property
    def macs(self) -> int:
        return sum(layer.nest.macs for layer in self.layers)

    @property
    def params(self) -> int:
        return sum(layer.nest.weights + layer.nest.biases for layer in _distinct(self.layers))

    @property
    def weight_bytes(self) -> int:
        return sum(layer.weight_bytes for layer in _distinct(self.layers))


def _distinct(layers: Iterable[Layer]) -> Iterable[Layer]:
    seen: set[str] = set()
    for layer in layers:
        if not layer.weight_key or layer.weight_key not in seen:
            seen.add(layer.weight_key)
            yield layer


def packed_bytes(elements: int, bits: int) -> int:
    """Bytes of elements that lie without gaps."""
    return -(-elements * bits // 8)


def from_layers(layers: Iterable[Layer], name: str = "layers", batch: int = 1) -> Workload:
    """A workload from hand-made layers in sequence; the peak is the largest input plus output of one layer."""
    layers = tuple(layers)
    if not layers:
        raise WorkloadError(f"workload {name!r} has no layers; give at least one")
    sizes = [packed_bytes(sum(la.nest.inputs) + la.nest.outputs, la.activation_bits) for la in layers]
    first, last = layers[0], layers[-1]
    return Workload(
        name=name,
        batch=batch,
        layers=layers,
        weights=max(layer.weight_bits for layer in layers),
        activations=max(layer.activation_bits for layer in layers),
        activation_peak_bytes=max(sizes),
        input_bytes=packed_bytes(sum(first.nest.inputs), first.activation_bits),
        output_bytes=packed_bytes(last.nest.outputs, last.activation_bits),
    )
