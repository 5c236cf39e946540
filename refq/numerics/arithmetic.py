"""Arithmetic: which integer rule each kind of layer follows, as a named table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from refq.errors import RangeError
from refq.numerics.accumulator import Accumulator
from refq.numerics.events import Events, watched_accumulator, watched_requantizer
from refq.numerics.requantize import Requantizer
from refq.numerics.rounding import RoundingMode

ANY = "*"
Key = str | tuple[str, int]
IntegerRule = Callable[..., Any]
"""(layer, codes, grids, out, arithmetic) -> codes before the clamp: what `Layer.integer` does, for one layer kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """A table from layer kind to requantizer, and the accumulator they share.

    Parameters
    ----------
    name : str
    requantize : mapping from op, or (op, activation bits), or ANY, to Requantizer; the most exact key wins,
        and activations of more than 8 bits without a key of their own take that of 16
    rules : mapping with the same keys to IntegerRule: layer kinds this hardware computes in another way than
        `Layer.integer`, which is the rule of LiteRT's reference kernels
    accumulator : Accumulator                     of activations up to 8 bits
    wide_accumulator : Accumulator                of activations above 8 bits
    input_rounding : RoundingMode                 how real inputs fall on the grid of the graph inputs
    events : Events or None                       where to count overflows, ties and clamps; see `watched`
    node : str                                    under which name; the executor sets it

    Examples
    --------
    >>> from dataclasses import replace
    >>> from refq.numerics.profiles import LITERT
    >>> replace(LITERT, name="my-npu", accumulator=Accumulator(bits=24, overflow="saturate")).accumulator.bits
    24
    """

    name: str
    requantize: Mapping[Key, Requantizer] = field(default_factory=dict[Key, Requantizer])
    rules: Mapping[Key, IntegerRule] = field(default_factory=dict[Key, IntegerRule])
    accumulator: Accumulator = Accumulator(bits=32)
    wide_accumulator: Accumulator = Accumulator(bits=64)
    input_rounding: RoundingMode = "half_even"
    events: Events | None = field(default=None, compare=False, repr=False)
    node: str = field(default="", compare=False, repr=False)

    def watched(self, events: Events) -> Arithmetic:
        """The same arithmetic, counting into `events`; slower, and bit for bit equal."""
        return replace(self, events=events)

    def at(self, node: str) -> Arithmetic:
        """The arithmetic that counts under the name of a node; itself where nothing is counted."""
        return self if self.events is None else replace(self, node=node)

    def requantizer(self, op: str, bits: int = 8) -> Requantizer:
        """The rule for layer kind `op` with activations of `bits` bits.

        Raises
        ------
        RangeError    if the table has no rule for it and none for ANY
        """
        for key in _keys(op, bits):
            if key in self.requantize:
                found = self.requantize[key]
                return found if self.events is None else watched_requantizer(found, self.events, self.node)
        raise RangeError(f"arithmetic {self.name!r} has no requantizer for {op} at {bits} bits, and none for ANY")

    def rule(self, op: str, bits: int = 8) -> IntegerRule | None:
        """What replaces `Layer.integer` for layer kind `op`; None where nothing does."""
        return next((self.rules[key] for key in _keys(op, bits) if key in self.rules), None)

    def accumulator_for(self, bits: int) -> Accumulator:
        """The accumulator of layers whose activations have `bits` bits."""
        found = self.accumulator if bits <= 8 else self.wide_accumulator
        return found if self.events is None else watched_accumulator(found, self.events, self.node)


def _keys(op: str, bits: int) -> tuple[Key, ...]:
    """Where a table is looked up, the most exact key first; widths above 8 without a row follow that of 16."""
    row = 16 if bits > 8 else bits
    return ((op, bits), (op, row), op, (ANY, bits), (ANY, row), ANY)
