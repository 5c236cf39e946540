"""What a lowering receives and gives, and the table of lowerings: layer -> function, filled by discovery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import Node, QParams
from refq.numerics import Arithmetic, Requantizer, double, single, single_away

Array = NDArray[Any]
Call = Callable[[], None]
_RULES = {double.apply: 0, single.apply: 1, single_away.apply: 2}
"""The requantizers that kernels have, by the number they know them under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One node with everything a lowering needs to know about it.

    grids : QParams of the inputs, None where absent; out : of the output
    constants : position of an operand -> its codes
    shapes : of the inputs, as the graph states them
    limits : lowest and highest code the node may write
    """

    node: Node
    layer: Any
    grids: tuple[QParams | None, ...]
    out: QParams
    constants: Mapping[int, Array]
    shapes: tuple[tuple[int, ...], ...]
    limits: tuple[int, int]
    arithmetic: Arithmetic

    @property
    def x_zero(self) -> int:
        """Zero point of the first input."""
        grid = self.grids[0]
        return 0 if grid is None else int(grid.zero_point)

    def is_int8(self, *positions: int) -> bool:
        """Whether these inputs and the output hold signed 8-bit codes, one scale a tensor."""
        grids = [self.out, *(self.grids[i] for i in positions)]
        return all(g is not None and g.bits <= 8 and g.signed and g.axis is None for g in grids)


Bind = Callable[[list[Array], Array], Call]
"""(input arrays, output array) -> the call that computes one from the other."""
Lowering = Callable[[Site], Bind | None]
_LOWERINGS: dict[str, Lowering] = {}


def lowers(*ops: str) -> Callable[[Lowering], Lowering]:
    """Decorator: this function lowers these layers; it gives None for what its kernel does not cover."""

    def register(function: Lowering) -> Lowering:
        _LOWERINGS.update(dict.fromkeys(ops, function))
        return function

    return register


@cache
def _discover() -> None:
    package = import_module("refq.plan")
    for module in iter_modules(package.__path__):
        if module.name.startswith("lower_"):
            import_module(f"refq.plan.{module.name}")


def lower(site: Site) -> Bind | None:
    """The kernel form of a node; None if it has none, or the profile computes it by a rule of its own."""
    _discover()
    found = _LOWERINGS.get(site.node.op)
    bits = next((g.bits for g in site.grids if g is not None), 8)
    if found is None or site.arithmetic.rule(site.node.op, bits) is not None:
        return None
    return found(site)


def fixed_point(requantizer: Requantizer, real: Any, bound: int) -> tuple[int, Array, Array] | None:
    """(rule, multipliers, right shifts) as int32 for the kernels; None where they could leave 32 bits.

    Parameters
    ----------
    real : float64 factors
    bound : magnitude no accumulator exceeds
    """
    if requantizer.apply not in _RULES or bound >= 1 << 31:
        return None
    m, s = (np.atleast_1d(values) for values in requantizer.prepare(real))
    if np.any(s > 0) or np.any(s < -31):
        return None  # a left shift may wrap, which Layer.integer settles
    return _RULES[requantizer.apply], m.astype(np.int32), (-s).astype(np.int32)


def aligned(shape: tuple[int, ...], dtype: Any, fill: int = 0, slack: int = 0) -> Array:
    """An array that starts on a cache line, with `slack` readable bytes behind it."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(count + slack + 64, np.uint8)
    start = -raw.ctypes.data % 64
    found = raw[start : start + count].view(dtype).reshape(shape)
    if fill:
        found[...] = fill
    return found
