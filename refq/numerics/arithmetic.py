"""Arithmetic: which integer rule each kind of layer follows, as a named table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from refq.errors import RangeError
from refq.numerics.accumulator import Accumulator
from refq.numerics.requantize import Requantizer, double, int64, single_away
from refq.numerics.rounding import RoundingMode

ANY = "*"
Key = str | tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """A table from layer kind to requantizer, and the accumulator they share.

    Parameters
    ----------
    name : str
    requantize : mapping from op, or (op, activation bits), or ANY, to Requantizer; the most exact key wins
    accumulator : Accumulator                     of activations up to 8 bits
    wide_accumulator : Accumulator                of activations above 8 bits
    input_rounding : RoundingMode                 how real inputs fall on the grid of the graph inputs

    Examples
    --------
    >>> from dataclasses import replace
    >>> replace(LITERT, name="my-npu", accumulator=Accumulator(bits=24, overflow="saturate")).accumulator.bits
    24
    """

    name: str
    requantize: Mapping[Key, Requantizer] = field(default_factory=dict[Key, Requantizer])
    accumulator: Accumulator = Accumulator(bits=32)
    wide_accumulator: Accumulator = Accumulator(bits=64)
    input_rounding: RoundingMode = "half_even"

    def requantizer(self, op: str, bits: int = 8) -> Requantizer:
        """The rule for layer kind `op` with activations of `bits` bits.

        Raises
        ------
        RangeError    if the table has no rule for it and none for ANY
        """
        for key in ((op, bits), op, (ANY, bits), ANY):
            if key in self.requantize:
                return self.requantize[key]
        raise RangeError(f"arithmetic {self.name!r} has no requantizer for {op} at {bits} bits, and none for ANY")

    def accumulator_for(self, bits: int) -> Accumulator:
        """The accumulator of layers whose activations have `bits` bits."""
        return self.accumulator if bits <= 8 else self.wide_accumulator


LITERT = Arithmetic(
    name="litert",
    requantize={
        ANY: double,
        "Dense": single_away,
        ("Conv2D", 16): int64,
        ("DepthwiseConv2D", 16): int64,
        ("Conv2DTranspose", 16): int64,
        ("BatchMatMul", 16): int64,
    },
    input_rounding="half_away",
)

PROFILES: Mapping[str, Arithmetic] = {profile.name: profile for profile in (LITERT,)}


def find_arithmetic(arithmetic: str | Arithmetic) -> Arithmetic:
    """A profile by name, or the value itself.

    Raises
    ------
    RangeError    if there is no profile of that name; the text lists those there are
    """
    if isinstance(arithmetic, Arithmetic):
        return arithmetic
    if arithmetic not in PROFILES:
        raise RangeError(f"arithmetic={arithmetic!r} is unknown; profiles are {', '.join(PROFILES)}")
    return PROFILES[arithmetic]
