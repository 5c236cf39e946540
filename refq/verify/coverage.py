"""Coverage: which corners the vectors in use have reached."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RefqError
from refq.numerics.requantize import Requantizer, double, dyadic, float32_half_even, int64, pow2, single, single_away
from refq.verify.records import LayerRecord

_RULES: dict[str, Requantizer] = {rule.name: rule for rule in (double, single, single_away, dyadic, int64, pow2)}

BINS = {
    "tie_positive": "a positive value half way between two codes at the (first) rounding",
    "tie_negative": "the same, negative",
    "second_tie_positive": "a positive value half way at the second of two roundings",
    "second_tie_negative": "the same, negative",
    "clamped_high": "a result above the highest code",
    "clamped_low": "a result below the lowest code",
    "exactly_high": "a result that is the highest code without the clamp",
    "exactly_low": "a result that is the lowest code without the clamp",
    "one_above": "a result one above the highest code",
    "one_below": "a result one below the lowest code",
    "accumulator_large_positive": "a sum in the upper half of the accumulator",
    "accumulator_large_negative": "a sum in the lower half of the accumulator",
    "accumulator_beyond_16_bits": "a sum that 16 bits cannot hold",
    "accumulator_beyond_24_bits": "a sum that 24 bits cannot hold",
    "products_beyond_16_bits": "a sum of products, before the bias, that 16 bits cannot hold",
    "products_beyond_24_bits": "a sum of products, before the bias, that 24 bits cannot hold",
    "x_zero_lowest": "an input zero point at the lowest code",
    "x_zero_highest": "an input zero point at the highest code",
    "y_zero_lowest": "an output zero point at the lowest code",
    "y_zero_highest": "an output zero point at the highest code",
    "multiplier_least": "multiplier 2**30",
    "multiplier_largest": "multiplier 2**31 - 1",
    "shift_left": "a shift to the left",
    "shift_none": "no shift",
    "shift_right": "a shift to the right",
    "lowest_times_lowest": "-128 * -128 among the products",
    "one_term": "a sum of one term",
    "ragged_rows": "a tile whose rows are not all used",
    "ragged_columns": "a tile whose columns are not all used",
    "padding": "a window that reaches beyond the input",
    "channels_differ": "channels with different multipliers or shifts",
}
"""Name -> what it takes to reach it; `second_tie` bins count for rules that round twice only."""


class CoverageError(RefqError, AssertionError):
    """Vectors that do not reach enough corners."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How often each bin was reached; str() prints the table.

    counts : bin -> values (or layers) that reached it; bins that no rule in use can reach are left out
    """

    counts: dict[str, int]

    @property
    def level(self) -> float:
        """Part of the bins that were reached, 0..1."""
        return sum(count > 0 for count in self.counts.values()) / max(len(self.counts), 1)

    @property
    def missed(self) -> tuple[str, ...]:
        """Bins nothing reached."""
        return tuple(name for name, count in self.counts.items() if not count)

    def require(self, level: float = 1.0) -> None:
        """CoverageError, naming what is missed, unless at least `level` of the bins were reached."""
        if self.level < level:
            missed = "; ".join(f"{name} ({BINS[name]})" for name in self.missed)
            raise CoverageError(f"coverage {self.level:.0%} is below {level:.0%}; not reached: {missed}")

    def __str__(self) -> str:
        width = max(map(len, self.counts), default=0)
        lines = [f"{name:<{width}}  {count:>9}  {BINS[name]}" for name, count in self.counts.items()]
        return "\n".join([*lines, f"coverage {self.level:.0%} ({len(self.counts)} bins)"])


def coverage(records: Iterable[LayerRecord], rows: int = 0, cols: int = 0) -> Coverage:
    """Count the bins that the layers of products among `records` reach.

    Parameters
    ----------
    records : as `Golden.records` gives them; several runs can be chained
    rows, cols : size of the array, 0 where there is none: bins of ragged tiles are left out then
    """
    counts = dict.fromkeys(BINS, 0)
    rules: set[str] = set()
    for record in records:
        if "acc" in record.tensors:
            rules.add(record.requantizer)
            _count(record, counts, rows, cols)
    unreachable = set[str]() if "double" in rules else {"second_tie_positive", "second_tie_negative"}
    if rules <= {"dyadic"}:  # its factor comes from a float32 product, which never is that near to a power of two
        unreachable |= {"multiplier_largest"}
    if rules <= {"pow2"}:
        unreachable |= {"multiplier_least", "multiplier_largest"}
    if rules <= {"float32_half_even"}:
        unreachable |= {"multiplier_least", "multiplier_largest", "shift_left", "shift_none", "shift_right"}
    if not rows:
        unreachable |= {"ragged_rows", "ragged_columns"}
    return Coverage(counts={name: count for name, count in counts.items() if name not in unreachable})


def _count(record: LayerRecord, counts: dict[str, int], rows: int, cols: int) -> None:
    tensors, p = record.tensors, record.parameters

    def add(name: str, found: Any) -> None:
        counts[name] += int(np.count_nonzero(found))

    acc, placed = tensors["acc"].values, tensors["placed"].values
    low, high = p["y_low"], p["y_high"]
    for name, found in (
        ("clamped_high", placed > high),
        ("clamped_low", placed < low),
        ("exactly_high", placed == high),
        ("exactly_low", placed == low),
        ("one_above", placed == high + 1),
        ("one_below", placed == low - 1),
    ):
        add(name, found)
    half = 1 << (p["acc_bits"] - 2)
    add("accumulator_large_positive", acc >= half)
    add("accumulator_large_negative", acc < -half)
    products = acc - tensors["bias"].values if "bias" in tensors else acc
    for bits in (16, 24):
        for name, sums in (("accumulator", acc), ("products", products)):
            add(f"{name}_beyond_{bits}_bits", (sums >= 1 << (bits - 1)) | (sums < -(1 << (bits - 1))))
    for side, tensor in (("x", tensors["x"]), ("y", tensors["y"])):
        lowest, highest = _codes(tensor.bits, tensor.signed)
        add(f"{side}_zero_lowest", p.get(f"{side}_zero", 0) == lowest)
        add(f"{side}_zero_highest", p.get(f"{side}_zero", 0) == highest)
    _count_rounding(record, acc, add)
    product = record.product()
    if product is not None:
        a, b = product
        add("one_term", a.shape[1] == 1)
        if rows:
            add("ragged_rows", len(a) % rows)
            add("ragged_columns", b.shape[1] % cols)
        lowest = _codes(tensors["w"].bits, tensors["w"].signed)[0]
        codes = a + p["x_zero"]
        add("lowest_times_lowest", np.any((codes == lowest).any(axis=0) & (b == lowest).any(axis=1)))
    if record.window is not None:
        add("padding", any(size > 0 for pair in record.window.pads for size in pair))


def _count_rounding(record: LayerRecord, acc: NDArray[np.int64], add: Any) -> None:
    rule = _RULES.get(record.requantizer)
    if record.requantizer == "float32_half_even":
        scale = record.tensors["scale"].values.astype(np.uint32).view(np.float32)
        add("channels_differ", len(set(scale.tolist())) > 1)
        _count_ties(float32_half_even, acc, (scale,), add)
        return
    if rule is None or "shift" not in record.tensors:
        return
    shift = record.tensors["shift"].values.astype(np.int64)
    factors: tuple[Any, ...] = (shift,)
    if "multiplier" in record.tensors:
        multiplier = record.tensors["multiplier"].values
        factors = (multiplier, shift)
        add("multiplier_least", multiplier == 1 << 30)
        add("multiplier_largest", multiplier == (1 << 31) - 1)
    channels = zip(*(factor.tolist() for factor in factors), strict=True)
    add("channels_differ", len(set(channels)) > 1)
    sign = -1 if record.requantizer == "pow2" else 1
    add("shift_left", sign * shift > 0)
    add("shift_none", shift == 0)
    add("shift_right", sign * shift < 0)
    _count_ties(rule, acc, factors, add)


def _count_ties(rule: Requantizer, acc: NDArray[np.int64], factors: tuple[Any, ...], add: Any) -> None:
    if rule.observe is None:
        return
    masks = rule.observe(acc, *factors)
    for mask, name in (("tie", "tie"), ("second_tie", "second_tie")):
        if mask in masks:
            found = np.broadcast_to(masks[mask], acc.shape)
            add(f"{name}_positive", found & (acc > 0))
            add(f"{name}_negative", found & (acc < 0))


def _codes(bits: int, signed: bool) -> tuple[int, int]:
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
