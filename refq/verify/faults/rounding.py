"""Every rounding of acc * m * 2**(s - 31) but the right one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from refq.numerics.fixed_point import (
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_multiply,
    wrap_int32,
)
from refq.numerics.requantize import Requantizer, double, dyadic, single, single_away
from refq.verify.faults.hypothesis import Wide

RULES: dict[str, Requantizer] = {rule.name: rule for rule in (double, single, single_away, dyadic)}
"""The requantizers with a multiplier and a shift that faults are known for."""


def roundings(acc: Wide, m: Any, s: Wide, named: str) -> Iterator[tuple[str, Wide]]:
    """Every rounding of acc * m * 2**(s - 31) but the right one."""
    words = {
        "double": "two roundings, half up, then half away from zero",
        "single": "one rounding, half up",
        "single_away": "one rounding, half away from zero",
        "dyadic": "one rounding, half to even",
    }
    for name, rule in RULES.items():
        if name != named:
            yield f"{words[name]}, where {named} is right", rule.apply(acc, m, s)
    left, right = np.maximum(s, 0), np.maximum(-s, 0)
    shifted = wrap_int32(acc << left)
    product = shifted * np.asarray(m, np.int64)
    high = saturating_rounding_doubling_high_multiply(shifted, m)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    yield "two roundings, both half up", (high + half) >> right
    away = np.sign(product) * ((np.abs(product) + (1 << 30)) >> 31)
    yield "two roundings, both half away from zero", rounding_divide_by_power_of_two(away, right)
    yield "two roundings, half away from zero, then half up", (away + half) >> right
    yield "first step cut off instead of rounded", rounding_divide_by_power_of_two(product >> 31, right)
    yield "second step cut off instead of rounded", high >> right
    yield "both steps cut off instead of rounded", (product >> 31) >> right
    yield "cut off towards minus infinity instead of rounded", product >> np.clip(31 + right, 0, 62)
    places = np.clip(31 + right, 0, 62)
    towards_zero = np.where(product < 0, -((-product) >> places), product >> places)
    yield "cut off towards zero instead of rounded", towards_zero
    negative = np.where(product < 0, -((-product) >> 31), product >> 31)
    yield "first step cut off towards zero", rounding_divide_by_power_of_two(negative, right)
    yield "first rounding constant doubled", rounding_divide_by_power_of_two((product + (1 << 31)) >> 31, right)
    yield "first rounding constant halved", rounding_divide_by_power_of_two((product + (1 << 29)) >> 31, right)
    yield "first rounding constant one short", rounding_divide_by_power_of_two((product + (1 << 30) - 1) >> 31, right)
    yield "second rounding constant doubled", (high + 2 * half) >> right
    down = -rounding_half_up(-high, right)
    yield "second rounding half down", down
    mask = (np.int64(1) << right) - 1
    rest = high & mask
    yield "second rounding: threshold not raised for negative values", (high >> right) + (rest > (mask >> 1))
    yield "second rounding: threshold raised for positive values", (high >> right) + (rest > (mask >> 1) + (high >= 0))
    yield (
        "second rounding: remainder compared with >=",
        (high >> right) + ((rest >= (mask >> 1) + (high < 0)) & (right > 0)),
    )
    yield (
        "second rounding: remainder compared with >=, also without a shift",
        (high >> right) + (rest >= (mask >> 1) + (high < 0)),
    )
    yield "second rounding: threshold always raised", (high >> right) + (rest > (mask >> 1) + 1)


def rounding_half_up(x: Wide, right: Wide) -> Wide:
    """x / 2**right, halves up."""
    return (x + np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)) >> right
