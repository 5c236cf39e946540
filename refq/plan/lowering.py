"""What a lowering receives and gives, and the table of lowerings: layer -> function, filled by discovery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RefqError
from refq.graph import Node, QParams
from refq.numerics import Arithmetic, Requantizer, double, single, single_away
from refq.numerics.arithmetic import IntegerRule

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

    @property
    def rule(self) -> IntegerRule | None:
        """The profile's own rule for this layer, where it has one."""
        bits = next((g.bits for g in self.grids if g is not None), 8)
        return self.arithmetic.rule(self.node.op, bits)

    def compute(self, codes: Sequence[Any], grids: Sequence[Any] | None = None) -> Array | None:
        """The node's codes for other operands, as NumPy gives them; None where the layer refuses some of them."""
        compute = self.rule or type(self.layer).integer
        try:
            y = compute(self.layer, codes, self.grids if grids is None else grids, self.out, self.arithmetic)
        except RefqError:
            return None
        return np.clip(y, *self.limits).astype(np.int8)

    def is_int8(self, *positions: int) -> bool:
        """Whether these inputs and the output hold signed 8-bit codes, one scale a tensor."""
        grids = [self.out, *(self.grids[i] for i in positions)]
        return all(g is not None and g.bits <= 8 and g.signed and g.axis is None for g in grids)


@dataclass(frozen=True, slots=True)
class KernelCall:
    """A call of a kernel that takes rows of settings, one a piece of work, and goes through them in order."""

    kernel: Callable[[Array], None]
    settings: Array
    held: tuple[Array, ...]
    """The arrays whose addresses are among the settings."""

    @classmethod
    def of(cls, kernel: Callable[[Array], None], arrays: Sequence[Array], numbers: Sequence[int]) -> KernelCall:
        """One piece of work: the addresses of arrays, then numbers."""
        addresses = [array.ctypes.data for array in arrays]
        return cls(kernel, np.array([[*addresses, *map(int, numbers)]], np.int64), tuple(arrays))

    def __call__(self) -> None:
        """Do the work."""
        self.kernel(self.settings)

    def then(self, other: KernelCall) -> KernelCall:
        """Both, one after the other, in one call."""
        return KernelCall(self.kernel, np.concatenate([self.settings, other.settings]), self.held + other.held)


Bind = Callable[[list[Array], Array], Call]
"""(input arrays, output array) -> the call that computes one from the other."""
Lowering = Callable[[Site], Bind | None]
_LOWERINGS: dict[str, list[tuple[Lowering, bool, bool]]] = {}


def lowers(*ops: str, any_rule: bool = False, interpretable: bool = False) -> Callable[[Lowering], Lowering]:
    """Decorator: this function lowers these layers; it gives None for what its kernel does not cover.

    any_rule : it asks `Site.compute`, so that it also holds under profiles with a rule of their own for the layer
    interpretable : its kernel emits no instructions and also runs as Python
    """

    def register(function: Lowering) -> Lowering:
        for op in ops:
            _LOWERINGS.setdefault(op, []).append((function, any_rule, interpretable))
        return function

    return register


@cache
def _discover() -> None:
    package = import_module("refq.plan")
    for module in iter_modules(package.__path__):
        if module.name.startswith("lower_"):
            import_module(f"refq.plan.{module.name}")


def lower(site: Site) -> Bind | None:
    """The kernel form of a node, by the first lowering that covers it, module by module in the order of their names."""
    from refq.kernels.cpu import has_instructions

    _discover()
    for lowering, any_rule, interpretable in _LOWERINGS.get(site.node.op, ()):
        is_open = (any_rule or site.rule is None) and (interpretable or has_instructions())
        found = lowering(site) if is_open else None
        if found is not None:
            return found
    return None


def fixed_point(
    requantizer: Requantizer, real: Any, bound: int, fold: Callable[[Array, Array], tuple[Array, Array]] | None = None
) -> tuple[int, Array, Array] | None:
    """(rule, multipliers, right shifts) as int32 for the kernels; None where they could leave 32 bits.

    Parameters
    ----------
    real : float64 factors
    bound : magnitude no accumulator exceeds
    fold : what becomes of a multiplier and its shift before they are used
    """
    if requantizer.apply not in _RULES or bound >= 1 << 31:
        return None
    m, s = (np.atleast_1d(values) for values in requantizer.prepare(real))
    if fold is not None:
        m, s = fold(m, s)
    if np.any(s > 0) or np.any(s < -31):
        return None  # a left shift may wrap, which Layer.integer settles
    if requantizer.apply is double.apply and bound + (1 << int(-s.min(initial=0)) >> 1) >= 1 << 31:
        return None  # kernels add half of the last step before they shift
    return _RULES[requantizer.apply], m.astype(np.int32), (-s).astype(np.int32)


def requantized(site: Site, rule: int, s: Array) -> tuple[int, int, int, int]:
    """(rule, zero, low, high) for the kernels: the shortest form of a rule that writes the same codes.

    Parameters
    ----------
    s : right shifts; 0 belongs to the longer forms
    """
    zero, (low, high) = int(site.out.zero_point), site.limits
    if s.min(initial=1) > 0:
        is_above_zero = low >= zero
        if rule == _RULES[single.apply] or (rule == _RULES[single_away.apply] and is_above_zero):
            rule = 4
        elif is_above_zero:
            rule = 3
    return rule, zero, low, high


def aligned(shape: tuple[int, ...], dtype: Any, fill: int = 0, slack: int = 0) -> Array:
    """An array that starts on a cache line, with `slack` readable bytes behind it."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(count + slack + 64, np.uint8)
    start = -raw.ctypes.data % 64
    found = raw[start : start + count].view(dtype).reshape(shape)
    if fill:
        found[...] = fill
    return found
