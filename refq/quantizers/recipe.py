"""Recipe: which scheme quantizes which kind of tensor in a whole model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from refq.errors import RangeError
from refq.quantizers.granularity import PerChannel
from refq.quantizers.scheme import Scheme
from refq.quantizers.uniform import Uniform

_WEIGHTS = Scheme(grid=Uniform(bits=8, symmetric=True, narrow=True), granularity=PerChannel(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Schemes of a model.

    Parameters
    ----------
    name : str
    weights : Scheme        of multiply-accumulate layers. Channels are each layer's own output channels, groups within
        channels lie along input channels (`refq.quantizers.weights.weight_granularity`). Other weights have one uniform
        scale: this scheme's grid where it is Uniform, else 8 bits
    activations : Scheme    always per tensor and Uniform
    bias_bits : int         at scale input * weight, zero point 0; beside activations of more than 8 bits it is 64
    is_dynamic : bool       grids of activations are found at run time (`transforms.dynamic_quantize`); weights have
        8 bits, one scale a tensor or an output channel
    intermediate_bits : mapping from op to bits of the activations only it reads; they have symmetric grids. Sums,
        moves and products with a constant on the way there are as wide. Ops left out read activations as `activations`
        says
    """

    name: str
    weights: Scheme = _WEIGHTS
    activations: Scheme = Scheme()
    bias_bits: int = 32
    is_dynamic: bool = False
    intermediate_bits: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.activations.grid, Uniform):
            raise RangeError(f"activations on {self.activations.grid} have no integer path; use Uniform")
        for op, bits in self.intermediate_bits.items():
            if not 2 <= bits <= 32:
                raise RangeError(f"intermediate_bits of {op}={bits} is outside 2..32")

    @property
    def activation_grid(self) -> Uniform:
        """The grid of the activations."""
        return cast(Uniform, self.activations.grid)

    @property
    def other_weights(self) -> Scheme:
        """The scheme of weights outside multiply-accumulate layers."""
        return self.weights if isinstance(self.weights.grid, Uniform) else _WEIGHTS
