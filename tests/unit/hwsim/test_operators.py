"""Operators against synthesized units and Horowitz' table; SRAM against CACTI rows that the table does not hold."""

import csv
import os
import re
from pathlib import Path

import pytest

import hwsim
from hwsim.arch.technology import off_chip, table
from hwsim.cost.operators import (
    KINDS,
    add_pj,
    adder_um2,
    bases,
    mac_pj,
    mac_um2,
    multiplier_um2,
    processing_element_um2,
    requantizer_um2,
)
from hwsim.cost.sram import sram
from hwsim.errors import SpecError

SHARED = Path(os.environ.get("REFQ_SHARED", Path(__file__).parents[4] / "shared"))


def rows(name):
    path = SHARED / "reference" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent; set REFQ_SHARED to the folder of shared references")
    with path.open() as file:
        return list(csv.DictReader(file))


SYNTHESIZED = ["nangate45", "nangate45_booth", "nangate45_fa", "nangate45_booth_fa", "sky130hd"]


def estimated_um2(unit, basis):
    """What the model makes of a unit of the synthesized table; None for units it has no formula for."""
    sizes = [int(digits) for digits in re.findall(r"\d+", unit)]
    registers = {"dff": "register_um2_per_bit", "reg": "enable_register_um2_per_bit"}
    if re.fullmatch(r"mac_s\d+_acc\d+", unit):
        return mac_um2(sizes[0], sizes[0], sizes[1], basis)
    if re.fullmatch(r"mul_s\d+x(\d+|t1)", unit):
        return multiplier_um2(sizes[0], sizes[1], basis)
    if unit.startswith("mac_bin"):
        return sizes[0] * mac_um2(1, 1, sizes[1], basis, kind="binary")
    if unit.startswith("add"):
        return adder_um2(sizes[0], basis)
    if unit[:3] in registers:
        return sizes[0] * table("operators")[basis][registers[unit[:3]]]["value"]
    if unit.startswith("requant"):
        return requantizer_um2({"requant_mode0": "double", "requant_mode1": "single"}.get(unit, "pow2"), basis)
    return processing_element_um2(unit[:2], 8, 8, 32, basis) if unit.endswith("_pe") else None


@pytest.mark.parametrize("basis", SYNTHESIZED)
def test_every_arithmetic_unit_lies_within_fifteen_percent_of_the_synthesized_one(basis):
    """All but bare xnor sums, shifters and clamps, which no formula names."""
    found = {row["unit"]: float(row["um2"]) for row in rows("synth_area.csv") if row["library"] == basis}
    got = {unit: area for unit in found if (area := estimated_um2(unit, basis)) is not None}
    assert len(got) == 35
    assert {f"mac_s{b}_acc{a}" for b in (2, 4, 8) for a in (24, 32)} | {"mac_s16_acc32", "mac_s4_acc16"} <= set(got)
    for unit, area in got.items():
        assert area == pytest.approx(found[unit], rel=0.15), unit


@pytest.mark.parametrize("basis", SYNTHESIZED)
def test_narrow_multipliers_follow_the_shares_of_the_other_width(basis):
    """16 x 8 bits as 8 x 4 of 8 x 8 say, and the reverse: the two are not the same unit."""
    units = {row["unit"]: float(row["um2"]) for row in rows("synth_area.csv") if row["library"] == basis}
    eight, sixteen = units["mul_s8x4"] / units["mul_s8x8"], units["mul_s16x8"] / units["mul_s16x16"]
    assert eight == pytest.approx(sixteen, rel=0.07)
    for narrow, wide in ((4, 8), (2, 8), (8, 16)):
        assert multiplier_um2(narrow, wide, basis) == multiplier_um2(wide, narrow, basis)


def test_eight_bit_additions_save_what_the_survey_quotes():
    assert add_pj(8) == 0.03
    values = hwsim.arch.technology.technology(45, 0.9)
    assert values["float_add_32_pj"] / values["add_8_pj"] == pytest.approx(30)
    assert values["float_add_32_um2"] / values["add_8_um2"] == pytest.approx(116, rel=0.005)


@pytest.mark.parametrize("basis", bases())
@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_costs_more_with_wider_operands_and_accumulators(basis, kind):
    areas = [mac_um2(4, bits, 24, basis, kind) for bits in (2, 4, 8)]
    assert areas == sorted(areas)
    assert 0 < mac_um2(4, 8, 16, basis, kind) < mac_um2(4, 8, 32, basis, kind)
    assert 0 < mac_pj(4, 8, 16, kind) <= mac_pj(4, 8, 32, kind)


def test_cheaper_weights_cost_less_than_an_eight_bit_mac():
    eight = mac_um2(8, 8, 24)
    assert mac_um2(1, 1, 16) * 20 < mac_um2(2, 8, 24, kind="ternary") < mac_um2(4, 8, 24) < eight
    assert mac_um2(3, 8, 24, kind="pot") < eight < mac_um2(4, 8, 24, kind="codebook")


def test_smaller_nodes_have_smaller_operators():
    assert mac_um2(node_nm=16) == pytest.approx(mac_um2() * 0.01 / 0.053)
    assert mac_pj(node_nm=16, voltage_v=None) < mac_pj() / 2


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mac_um2(basis="tsmc"), "basis 'tsmc' is not known; known are nangate45"),
        (lambda: mac_um2(kind="float"), "kind='float' is not one of integer, binary"),
        (lambda: mac_um2(0), "weight_bits=0 lies outside 1 to 64"),
        (lambda: sram(0), "SRAM of 0 bytes"),
        (lambda: sram(1024, cell="edram"), "cell='edram' is not one of lop"),
        (lambda: off_chip("tape"), "off-chip memory 'tape' is not known; known are dram-low"),
        (lambda: requantizer_um2("triple"), "requantizer 'triple' is not one of"),
    ],
)
def test_what_cannot_be_costed_is_named(call, text):
    with pytest.raises(SpecError, match=text):
        call()
