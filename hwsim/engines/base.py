"""What an engine is: cycles of many layers at once, from arrays of their loop bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.precision import widths
from hwsim.arch.spec import Arch
from hwsim.errors import SpecError
from hwsim.workload import Layer

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Layers as columns, one entry a layer; M, N, K = output pixels, filters, reduction of one group's GEMM.

    images: batch; OY, OX, FY, FX, SY, SX, DY, DX: height and width of output, window, stride, dilation; rows: vectors
    of a softmax; channels, sources, is_output: see hwsim.workload.Layer, a layer without sources reads the one before;
    weight_entropy_bits: of one weight, its width where not known; zeros: share among the inputs, NaN where not known;
    owner: index of the first layer with the same weights; copied: elements that a concatenation copies
    """

    kind: NDArray[np.str_]
    op: NDArray[np.str_]
    M: Ints
    N: Ints
    K: Ints
    groups: Ints
    images: Ints
    OY: Ints
    OX: Ints
    FY: Ints
    FX: Ints
    SY: Ints
    SX: Ints
    DY: Ints
    DX: Ints
    channels: Ints
    sources: NDArray[np.object_]
    is_output: NDArray[np.bool_]
    rows: Ints
    window: Ints
    macs: Ints
    operations: Ints
    inputs: Ints
    outputs: Ints
    copied: Ints
    weights: Ints
    weight_bytes: Ints
    weight_entropy_bits: Floats
    zeros: Floats
    owner: Ints
    weight_bits: Ints
    activation_bits: Ints

    def __len__(self) -> int:
        return len(self.macs)

    def take(self, rows: Ints) -> Layers:
        """These rows only."""
        return Layers(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def listed(self) -> Any:
        """The same columns as lists of Python's numbers, for engines that walk from layer to layer."""
        return Layers(**{field.name: getattr(self, field.name).tolist() for field in fields(self)})


@dataclass(frozen=True, slots=True)
class Table:
    """The layers of a workload; those that differ in loops or widths, once each; the place of every layer in them."""

    every: Layers
    distinct: Layers
    place: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycles:
    """Clock cycles of each layer, as reals where a throughput is fractional.

    compute: MACs or operations flow; fill: the pipeline fills and drains; stall: waiting for on-chip memory;
    overhead: what a layer costs whatever its size. Their sum is the time on the device.
    """

    compute: Floats
    fill: Floats
    stall: Floats
    overhead: Floats

    @property
    def total(self) -> Floats:
        return self.compute + self.fill + self.stall + self.overhead


Engine = Callable[[Layers, Arch], Cycles]


def columns(layers: Sequence[Layer]) -> Layers:
    """Layers as columns of integers."""

    def column(read: Callable[[Layer], int]) -> Ints:
        return _frozen(np.array([read(layer) for layer in layers], np.int64))

    nests = [layer.nest for layer in layers]
    letters = ("N", "G", "K", "C", "OY", "OX", "FY", "FX")
    N, G, K, C, OY, OX, FY, FX = np.array(
        [[getattr(nest, letter) for letter in letters] for nest in nests], np.int64
    ).T.reshape(len(letters), -1)
    zeros = [np.nan if la.input_zeros is None else la.input_zeros for la in layers]
    entropy = [la.weight_bits if la.weight_entropy_bits is None else la.weight_entropy_bits for la in layers]
    return Layers(
        kind=_frozen(np.array([nest.kind for nest in nests], np.str_)),
        op=_frozen(np.array([layer.op for layer in layers], np.str_)),
        M=_frozen(N * OY * OX),
        N=_frozen(K),
        K=_frozen(C * FY * FX),
        groups=_frozen(G),
        images=_frozen(N),
        OY=_frozen(OY),
        OX=_frozen(OX),
        FY=_frozen(FY),
        FX=_frozen(FX),
        SY=column(lambda a: a.nest.stride[0]),
        SX=column(lambda a: a.nest.stride[1]),
        DY=column(lambda a: a.nest.dilation[0]),
        DX=column(lambda a: a.nest.dilation[1]),
        channels=column(lambda a: a.channels),
        sources=_frozen(_sources(layers)),
        is_output=_frozen(np.array([layer.is_output for layer in layers], np.bool_)),
        rows=_frozen(N * OY * OX),
        window=_frozen(FY * FX),
        macs=column(lambda a: a.nest.macs),
        operations=column(lambda a: a.nest.operations),
        inputs=column(lambda a: sum(a.nest.inputs)),
        outputs=column(lambda a: a.nest.outputs),
        copied=column(lambda a: a.copied),
        weights=column(lambda a: a.nest.weights),
        weight_bytes=column(lambda a: a.weight_bytes),
        weight_entropy_bits=_frozen(np.array(entropy, np.float64)),
        zeros=_frozen(np.array(zeros, np.float64)),
        owner=_frozen(_owners([layer.weight_key for layer in layers])),
        weight_bits=column(lambda a: a.weight_bits),
        activation_bits=column(lambda a: a.activation_bits),
    )


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def _sources(layers: Sequence[Layer]) -> NDArray[np.object_]:
    found = np.empty(len(layers), np.object_)
    found[:] = [layer.sources or (place - 1,) for place, layer in enumerate(layers)]
    return found


def _owners(keys: Sequence[str]) -> Ints:
    first: dict[str, int] = {}
    return np.array([first.setdefault(key, i) if key else i for i, key in enumerate(keys)], np.int64)


_MOST_TABLES = 64
_TABLES: dict[int, tuple[tuple[Layer, ...], Table]] = {}
"""id of a tuple of layers -> the tuple, which keeps its id taken, and its table"""


def table(layers: tuple[Layer, ...]) -> Table:
    """The columns of a workload's layers, made once for each tuple of layers."""
    known = _TABLES.get(id(layers))
    if known is not None:
        return known[1]
    keys = [(layer.op, layer.nest, layer.weight_bits, layer.activation_bits, layer.copied) for layer in layers]
    first: dict[Any, int] = {}
    place = [first.setdefault(key, len(first)) for key in keys]
    every = columns(layers)
    chosen = np.array([place.index(position) for position in range(len(first))], np.int64)
    made = Table(every, every.take(chosen), np.array(place, np.int64))
    while len(_TABLES) >= _MOST_TABLES:
        _TABLES.pop(next(iter(_TABLES)))
    _TABLES[id(layers)] = (layers, made)
    return made


def by_width(layers: Layers, values: Mapping[str, Any], default: float) -> Any:
    """The value of each layer's widths ("w4a8"), which may hold design points; the default where there is none."""
    chosen: Any = np.full(len(layers), default)
    for name, value in values.items():
        weight, activation = widths(name)
        chosen = np.where((layers.weight_bits == weight) & (layers.activation_bits == activation), value, chosen)
    return chosen


@cache
def engines() -> tuple[str, ...]:
    """Names of all engines: the modules of this package."""
    package = import_module("hwsim.engines")
    return tuple(sorted(m.name for m in iter_modules(package.__path__) if m.name not in ("base", "host")))


def find_engine(name: str) -> Any:
    """The module of that engine: `cycles(layers, arch)` and `peak_macs_per_cycle(arch)`.

    A module with `BROADCASTS = True` takes devices whose numbers are columns of design points (hwsim/arch/vary.py);
    others are called once a point. A module whose layers depend on those before has `sequence(layers, arch)`: cycles
    and traffic of all layers in order, with what they wait for the link. Others get layers with equal loops once.

    Raises
    ------
    SpecError    if there is none; the text gives the nearest name
    """
    known = engines()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise SpecError(
            f"engine={name!r} is not known; " + (f"did you mean {near[0]!r}?" if near else f"known are {known}")
        )
    return import_module(f"hwsim.engines.{name}")
