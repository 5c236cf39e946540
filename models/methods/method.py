"""What a row of the table is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from refq.graph import Graph
from refq.quantizers import Uniform
from refq.quantizers.learning import Lsq
from refq.training import Network, adam, clip_latent, glorot_factors, scaled


@dataclass(frozen=True, kw_only=True)
class Real:
    """A float model of the digits.

    width, function, shortcut : of `models.digits.build`
    shifted : it sees images moved by up to a pixel, three times as long
    """

    width: int = 16
    function: str = "relu"
    shortcut: bool = False
    shifted: bool = False


@dataclass(frozen=True, kw_only=True)
class Method:
    """A row: how a network is quantized, and what its training has besides.

    bits : weights / activations of the layers between the first and the last
    rules : arguments of `refq.training.quantized`
    more : arguments of `fit`, from the network
    network : fields of the Network
    trains : False for plain rounding of the float model
    whole : the quantized graph from inputs, labels and seed, where a method is no run of `fit` from the float model
    after : what becomes of the trained graph, from the graph and the training inputs
    unit : weights start scaled to a largest magnitude of 1, for rules whose interval is [-1, 1]
    start : the float model it starts from
    teachers : float models it hears
    lesson : arguments of `refq.training.distill`
    """

    bits: str
    rules: dict[str, Any] = field(default_factory=dict)
    more: Callable[[Network], dict[str, Any]] = lambda network: {}
    network: dict[str, Any] = field(default_factory=dict)
    trains: bool = True
    whole: Callable[[Any, Any, int], Graph] | None = None
    after: Callable[[Graph, Any], Graph] = lambda graph, x: graph
    unit: bool = False
    start: Real = Real()
    teachers: tuple[Real, ...] = ()
    lesson: dict[str, Any] = field(default_factory=dict)


def grid(bits: int) -> Uniform:
    """Symmetric levels of weights."""
    return Uniform(bits=bits, symmetric=True, narrow=True)


def behind_relu(bits: int) -> Lsq:
    """A learned step for activations that are not negative."""
    return Lsq(bits=bits, nonnegative=True)


def longer(factor: float, key: str) -> Callable[[Network], dict[str, Any]]:
    """Adam's steps of one kind of learned value times a factor."""

    def more(network: Network) -> dict[str, Any]:
        return {"optimizer": scaled(adam(), {f"{name}//{key}": factor for name in network.quantizers})}

    return more


def drawing(network: Network) -> dict[str, Any]:
    """BinaryConnect with drawn weights: clipped, with long steps, and statistics of what is deployed."""
    return clipping(network) | {"optimizer": scaled(adam(), glorot_factors(network)), "collect": True}


def clipping(network: Network) -> dict[str, Any]:
    """Latent weights stay in [-1, 1]."""
    return {"project": clip_latent(network)}
