"""Area and energy of arithmetic operators on a named basis.

    multiplier n x m     n = m: measured at 2, 4, 8, 16, 32 bits, power law between; n > m: a share of n x n, measured
                         at m = n / 2 and n / 4, power law between; one bit on either side: n conditional signs
    MAC                  multiplier + accumulator bits * (adder, register, clear and enable behind that multiplier)
    binary MAC           xnor lane and its share of the sum + accumulator / 64 lanes
    ternary              sign + gate of the activation, then the accumulator
    power of two         barrel shifter of the activation over 2^(k-1) positions + sign, then the accumulator
    codebook             2^k entries of 8 bits selected by k bits, then an 8 x n MAC

Bases: `nangate45` (synthesis, plain), `nangate45_booth`, `nangate45_fa`, `nangate45_booth_fa`, `sky130hd`,
`horowitz45`. Cell area: divide by the placement density. Energy: Horowitz' table (multiply n^1.98, add linear); a
product that is not in it takes the energy of its area, at the energy per area of the 8-bit multiply.
"""

from __future__ import annotations

import math
from typing import Any

from hwsim.arch.technology import BASE_VOLT, area_factor, energy_factor, table, value
from hwsim.errors import SpecError

KINDS = ("integer", "binary", "ternary", "pot", "codebook")
_SIZES = (2, 4, 8, 16, 32)
_LANES = 64
_CODEBOOK_VALUE_BITS = 8
_AND_UM2_SHARE = 1 / 3
"""A gate of the activation over a conditional sign: AND2 1.06 against XNOR2 and carry 3.1 square micrometres"""


def bases() -> tuple[str, ...]:
    """Names of the bases."""
    return tuple(table("operators"))


def _basis(name: str) -> dict[str, Any]:
    known = table("operators")
    if name not in known:
        raise SpecError(f"basis {name!r} is not known; known are {', '.join(known)}")
    return known[name]


def _check_bits(**bits: int) -> None:
    for name, count in bits.items():
        if not isinstance(count, int) or not 1 <= count <= 64:
            raise SpecError(f"{name}={count} lies outside 1 to 64 bits; give a whole number")


def _log_between(bits: float, anchors: dict[int, float]) -> float:
    """Power law through the two anchors around `bits`; the outermost law goes on beyond them."""
    sizes = sorted(anchors)
    upper = next((i for i, size in enumerate(sizes) if size >= bits and i > 0), len(sizes) - 1)
    low, high = sizes[upper - 1], sizes[upper]
    slope = math.log(anchors[high] / anchors[low]) / math.log(high / low)
    return anchors[low] * (bits / low) ** slope


def multiplier_um2(weight_bits: int, activation_bits: int, basis: str = "nangate45") -> float:
    """Cell area of a signed multiplier with full product at the node of the basis."""
    _check_bits(weight_bits=weight_bits, activation_bits=activation_bits)
    row = _basis(basis)
    wide, narrow = max(weight_bits, activation_bits), min(weight_bits, activation_bits)
    if narrow == 1:
        return wide * value(row["sign_um2_per_bit"])
    square = _log_between(wide, {n: value(row[f"multiply_{n}x{n}_um2"]) for n in _SIZES})
    share = {1: 1.0, 2: value(row["multiply_half_width_pct"]) / 100, 4: value(row["multiply_quarter_width_pct"]) / 100}
    return square * _log_between(wide / narrow, share)


def adder_um2(bits: int, basis: str = "nangate45") -> float:
    """Cell area of an adder without carry out."""
    _check_bits(bits=bits)
    row = _basis(basis)
    return _log_between(bits, {n: value(row[f"add_{n}_um2"]) for n in (4, 8, 16, 32)})


def _accumulate_um2(product_side: float, accumulator_bits: int, row: dict[str, Any]) -> float:
    anchors = {n: value(row[f"accumulate_{n}_um2_per_bit"]) for n in _SIZES[:-1]}
    return accumulator_bits * _log_between(min(max(product_side, 2), 16), anchors)


def mac_um2(
    weight_bits: int = 8,
    activation_bits: int = 8,
    accumulator_bits: int = 32,
    basis: str = "nangate45",
    kind: str = "integer",
    node_nm: float | None = None,
) -> float:
    """Cell area of one multiply-accumulate unit in square micrometres.

    Parameters
    ----------
    kind : "integer", "binary" (64 lanes share an accumulator), "ternary", "pot", "codebook"
    node_nm : scaled there from the node of the basis; that of the basis if None

    Raises
    ------
    SpecError    unknown basis or kind, bits outside 1 to 64, a node out of reach

    Examples
    --------
    >>> round(mac_um2(8, 8, 32))
    1138
    """
    _check_bits(weight_bits=weight_bits, activation_bits=activation_bits, accumulator_bits=accumulator_bits)
    row = _basis(basis)
    if _is_binary(kind, weight_bits, activation_bits):
        lane = value(row["binary_lane_um2"])
        found = lane + accumulator_bits * value(row["binary_accumulate_um2_per_bit"]) / _LANES
    else:
        found = _product_um2(weight_bits, activation_bits, basis, kind)
        found += _accumulate_um2(_product_side(weight_bits, activation_bits, kind), accumulator_bits, row)
        if kind == "integer" and weight_bits != activation_bits:
            wide = max(weight_bits, activation_bits)
            found = min(found, mac_um2(wide, wide, accumulator_bits, basis))
    own = value(row["node_nm"])
    return found if node_nm is None else found * area_factor(node_nm, own)


def _is_binary(kind: str, weight_bits: int, activation_bits: int) -> bool:
    return kind == "binary" or (kind == "integer" and weight_bits == activation_bits == 1)


def _product_side(weight_bits: int, activation_bits: int, kind: str) -> float:
    """Width of the square multiplier whose accumulator the unit has; shifters and signs are as shallow as 2 bits."""
    if kind == "integer":
        return math.sqrt(weight_bits * activation_bits)
    return max(_CODEBOOK_VALUE_BITS, activation_bits) if kind == "codebook" else _SIZES[0]


def _product_um2(weight_bits: int, activation_bits: int, basis: str, kind: str, switching: bool = False) -> float:
    """Cell area of what forms one product, without its accumulator; kinds as in `mac_um2`, but for "binary".

    switching : without registers that hold a table, which do not change from product to product
    """
    row = _basis(basis)
    if kind == "integer":
        return multiplier_um2(weight_bits, activation_bits, basis)
    if kind == "ternary":
        return activation_bits * value(row["sign_um2_per_bit"]) * (1 + _AND_UM2_SHARE)
    if kind == "pot":
        reach = 2 ** max(weight_bits - 1, 0)
        stages = math.log2(reach) if reach > 1 else 0.0
        shifted = activation_bits + reach - 1
        return shifted * (stages * value(row["shift_um2_per_bit_stage"]) + value(row["sign_um2_per_bit"]))
    if kind == "codebook":
        entries = 2**weight_bits
        held = 0.0 if switching else entries * _CODEBOOK_VALUE_BITS * value(row["register_um2_per_bit"])
        chosen = (entries - 1) * _CODEBOOK_VALUE_BITS * value(row["shift_um2_per_bit_stage"])
        return held + chosen + multiplier_um2(_CODEBOOK_VALUE_BITS, activation_bits, basis)
    raise SpecError(f"kind={kind!r} is not one of {', '.join(KINDS)}")


def processing_element_um2(
    dataflow: str,
    weight_bits: int,
    activation_bits: int,
    accumulator_bits: int,
    basis: str,
    node_nm: float | None = None,
    kind: str = "integer",
) -> float:
    """MAC with the registers of its place in a systolic array: both operands pass on, what stays is held twice."""
    row = _basis(basis)
    plain, enabled = value(row["register_um2_per_bit"]), value(row["enable_register_um2_per_bit"])
    if dataflow == "os":
        found = mac_um2(weight_bits, activation_bits, accumulator_bits, basis, kind)
        found += (weight_bits + activation_bits) * plain + accumulator_bits * enabled
    else:
        stays, passes = (weight_bits, activation_bits) if dataflow == "ws" else (activation_bits, weight_bits)
        found = _product_um2(weight_bits, activation_bits, basis, kind) + passes * plain + 2 * stays * enabled
        found += adder_um2(accumulator_bits, basis) + accumulator_bits * plain
    return found if node_nm is None else found * area_factor(node_nm, value(row["node_nm"]))


def requantizer_um2(rule: str = "double", basis: str = "nangate45", node_nm: float | None = None) -> float:
    """Cell area of a requantizer: "double" or "single" rounding with a 32-bit multiplier, or "pow2" (shift only)."""
    row = _basis(basis)
    if f"requantizer_{rule}_um2" not in row:
        raise SpecError(f"requantizer {rule!r} is not one of double, single, pow2")
    found = value(row[f"requantizer_{rule}_um2"])
    return found if node_nm is None else found * area_factor(node_nm, value(row["node_nm"]))


def add_pj(bits: float) -> float:
    """An integer addition in 45 nm at 0.9 V."""
    logic = table("energy")["logic"]
    return _log_between(bits, {n: value(logic[f"add_{n}_pj"]) for n in (8, 16, 32)})


def mac_pj(
    weight_bits: int = 8,
    activation_bits: int = 8,
    accumulator_bits: int = 32,
    kind: str = "integer",
    node_nm: float = 45.0,
    voltage_v: float | None = BASE_VOLT,
) -> float:
    """Energy of one multiply-accumulate in picojoules.

    Examples
    --------
    >>> round(mac_pj(8, 8, 32), 3)
    0.3
    """
    _check_bits(weight_bits=weight_bits, activation_bits=activation_bits, accumulator_bits=accumulator_bits)
    logic = table("energy")["logic"]
    eight, thirty_two = value(logic["multiply_8_pj"]), value(logic["multiply_32_pj"])
    density = eight / multiplier_um2(8, 8, "horowitz45")
    add = add_pj(accumulator_bits)
    if _is_binary(kind, weight_bits, activation_bits):
        found = density * value(_basis("horowitz45")["binary_lane_um2"]) + add / _LANES
    elif kind == "integer" and min(weight_bits, activation_bits) > 1:
        found = _log_between(math.sqrt(weight_bits * activation_bits), {8: eight, 32: thirty_two}) + add
    else:
        found = density * _product_um2(weight_bits, activation_bits, "horowitz45", kind, switching=True) + add
    return found * energy_factor(node_nm, voltage_v)


def energy_uncertainty() -> float:
    """Factor within which energies of logic are taken to lie."""
    return value(table("energy")["logic"]["factor"])
