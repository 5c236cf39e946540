"""SRAM macros against CACTI: rows of the table, rows left out of it, and rows that were never in it."""

import csv
from pathlib import Path

import numpy as np
import pytest

import hwsim.cost.sram as module
from hwsim.arch.technology import table
from hwsim.cost.sram import sram

QUANTITIES = ("read_pj", "write_pj", "leakage_mw", "area_mm2", "access_ns")
NODES = (22, 32, 45)
TABLES = {node: table(f"sram-{node}nm") for node in NODES}


def cacti(shared):
    """(bytes, bits, node, cell, figures) of the shared rows, leakage of gates included."""
    with (shared / "reference" / "cacti_sram.csv").open() as file:
        for row in csv.DictReader(file):
            leakage = float(row["leakage_mW"]) + float(row["gate_leakage_mW"])
            figures = (float(row["read_pJ"]), float(row["write_pJ"]), leakage, *map(float, row_tail(row)))
            yield *place(row, row["cell_type"][5:]), dict(zip(QUANTITIES, figures, strict=True))


def row_tail(row):
    return row["area_mm2"], row["access_ns"]


def place(row, cell):
    return int(row["capacity_bytes"]), int(row["width_bits"]), int(row["node_nm"]), cell


def never_in_the_table():
    """200 macros of random sizes from CACTI 7, none of which was used."""
    with (Path(__file__).parent / "cacti_rows.csv").open() as file:
        for row in csv.DictReader(file):
            yield *place(row, row["cell"]), {name: float(row[name]) for name in QUANTITIES}


def without_size(node, cell, bits, kib):
    """The tables without one capacity of one series."""
    series = TABLES[node][f"{cell}_{bits}b"]
    kept = [index for index, size in enumerate(series["kib"]) if size != kib]
    assert len(kept) == len(series["kib"]) - 1
    shorter = {name: [values[index] for index in kept] for name, values in series.items()}
    return {**TABLES, node: {**TABLES[node], f"{cell}_{bits}b": shorter}}


def errors(found):
    """Quantity -> absolute relative errors."""
    columns = {name: [] for name in QUANTITIES}
    for macro, truth in found:
        for name, values in columns.items():
            values.append(abs(getattr(macro, name) / truth[name] - 1))
    return {name: np.array(values) for name, values in columns.items()}


def test_sram_equals_cacti_where_the_table_holds_the_row(shared):
    found = errors((sram(*where), truth) for *where, truth in cacti(shared))
    for name, errs in found.items():
        assert len(errs) == 378
        assert errs.max() < 1e-3, name


# quantity -> 95 of 100 rows and the worst row lie within; CACTI's own energies jump by up to 40 % between layouts
LEFT_OUT = {"read_pj": (0.21, 0.40), "write_pj": (0.13, 0.27)}
NEVER = {"read_pj": (0.09, 0.27)}


def test_rows_left_out_of_the_table_lie_near_cacti(shared):
    """Each row in turn, predicted from its neighbours; the smallest and largest sizes have one neighbour only."""
    found = errors(
        (sram(*where, tables=without_size(where[2], where[3], where[1], where[0] / 1024)), truth)
        for *where, truth in cacti(shared)
        if 1024 < where[0] < 8 << 20
    )
    for name, errs in found.items():
        most, worst = LEFT_OUT.get(name, (0.13, 0.19))
        assert len(errs) == 324
        assert np.quantile(errs, 0.95) < most, name
        assert errs.max() < worst, name


def test_rows_that_never_were_in_the_table_lie_near_cacti():
    found = errors((sram(*where), truth) for *where, truth in never_in_the_table())
    for name, errs in found.items():
        most, worst = NEVER.get(name, (0.08, 0.16))
        assert len(errs) == 200
        assert np.quantile(errs, 0.95) < most, name
        assert errs.max() < worst, name


def test_a_width_left_out_of_the_table_lies_near_cacti(shared):
    """The tables without 64 bits: mean error and the worst tenth."""
    without = {
        node: {key: entry for key, entry in series.items() if not key.endswith("_64b")}
        for node, series in TABLES.items()
    }
    found = errors(
        (sram(*where, tables=without, widths=(16, 32, 128, 256)), truth)
        for *where, truth in cacti(shared)
        if where[1] == 64
    )
    for name, errs in found.items():
        assert len(errs) == 126
        assert errs.mean() < 0.07, name
        assert np.quantile(errs, 0.9) < 0.18, name


def test_sram_grows_with_its_size_beyond_the_table():
    sizes = [sram(size) for size in (100, 5000, 1 << 20, 24 << 20)]
    for name in ("area_mm2", "leakage_mw", "read_pj"):
        values = [getattr(macro, name) for macro in sizes]
        assert values == sorted(values)
    assert sram(24 << 20).area_mm2 == pytest.approx(3 * sram(8 << 20).area_mm2)
    assert sram(1 << 16, node_nm=28).area_mm2 < sram(1 << 16).area_mm2
    assert sram(1 << 16, node_nm=16).factor > sram(1 << 16, node_nm=22).factor


def test_words_wider_than_the_table_are_macros_side_by_side():
    wide, half = sram(1 << 16, 512), sram(1 << 15, 256)
    assert wide.read_pj == pytest.approx(2 * half.read_pj)
    assert module.QUANTITIES == QUANTITIES
