"""What an engine is: cycles of many layers at once, from arrays of their loop bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.spec import Arch
from hwsim.errors import SpecError
from hwsim.workload import Layer

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Layers as columns, one entry a layer; M, N, K = output pixels, filters, reduction of one group's GEMM.

    images: batch; OY, OX, FY, FX, SY, SX: height and width of output, window, stride; rows: vectors of a softmax
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
    rows: Ints
    window: Ints
    macs: Ints
    operations: Ints
    inputs: Ints
    outputs: Ints
    weight_bytes: Ints
    weight_bits: Ints
    activation_bits: Ints

    def __len__(self) -> int:
        return len(self.macs)


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
        return np.array([read(layer) for layer in layers], np.int64)

    def reduction(layer: Layer) -> int:
        return layer.nest.C * layer.nest.FY * layer.nest.FX

    return Layers(
        kind=np.array([layer.nest.kind for layer in layers], np.str_),
        op=np.array([layer.op for layer in layers], np.str_),
        M=column(lambda a: a.nest.N * a.nest.OY * a.nest.OX),
        N=column(lambda a: a.nest.K),
        K=column(reduction),
        groups=column(lambda a: a.nest.G),
        images=column(lambda a: a.nest.N),
        OY=column(lambda a: a.nest.OY),
        OX=column(lambda a: a.nest.OX),
        FY=column(lambda a: a.nest.FY),
        FX=column(lambda a: a.nest.FX),
        SY=column(lambda a: a.nest.stride[0]),
        SX=column(lambda a: a.nest.stride[1]),
        rows=column(lambda a: a.nest.N * a.nest.OY * a.nest.OX),
        window=column(lambda a: a.nest.FY * a.nest.FX),
        macs=column(lambda a: a.nest.macs),
        operations=column(lambda a: a.nest.operations),
        inputs=column(lambda a: sum(a.nest.inputs)),
        outputs=column(lambda a: a.nest.outputs),
        weight_bytes=column(lambda a: a.weight_bytes),
        weight_bits=column(lambda a: a.weight_bits),
        activation_bits=column(lambda a: a.activation_bits),
    )


def engines() -> tuple[str, ...]:
    """Names of all engines: the modules of this package."""
    package = import_module("hwsim.engines")
    return tuple(sorted(m.name for m in iter_modules(package.__path__) if m.name not in ("base", "host")))


def find_engine(name: str) -> Any:
    """The module of that engine: `cycles(layers, arch)` and `peak_macs_per_cycle(arch)`.

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
