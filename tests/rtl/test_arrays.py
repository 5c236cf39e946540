"""The systolic arrays give the sums of the integer path in the stated order, and take the stated number of clocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwsim import systolic_cycles
from hwsim.machine.array import run
from refq.verify.streams import ArrayOrder
from refq.verify.words import WordFormat, hex_text
from tests.rtl.icarus import needs_icarus, run_bench

pytestmark = needs_icarus

DESIGNS = ("os", "os overlapped", "ws", "ws prefetching")
SHAPES = [
    (4, 4, 16, 16, 16),
    (8, 8, 33, 17, 65),
    (16, 4, 100, 30, 27),
    (8, 8, 64, 8, 3),
    (1, 1, 3, 4, 5),
    (3, 5, 7, 11, 1),
    (2, 7, 5, 3, 9),
    (4, 4, 1, 64, 16),
]


def clocks(design: int, rows: int, cols: int, m: int, n: int, k: int) -> int:
    """Of the cycle model, whose closed form and stepped array must agree."""
    dataflow, overlap = ("os", "ws")[design // 2], bool(design % 2)
    closed = systolic_cycles(m, n, k, rows, cols, dataflow, convention="rtl", overlap=overlap)
    a, b = np.ones((m, k), np.int64), np.ones((k, n), np.int64)
    assert run(a, b, rows, cols, dataflow, overlap).cycles == closed
    return closed


def write_product(folder: Path, design: int, rows: int, cols: int, a: np.ndarray, b: np.ndarray) -> None:
    order = ArrayOrder(rows=rows, cols=cols, dataflow="os" if design < 2 else "ws", bottom_first=design == 0)
    a_words, b_words = order.operands(a, b)
    for name, words, bits in (("a", a_words, 8), ("b", b_words, 8), ("expected", order.events(a, b), 32)):
        form = WordFormat(bits=bits, lanes=words.shape[1])
        (folder / f"{name}.hex").write_text(hex_text(form.pack(words), form.digits))


@pytest.mark.parametrize("design", range(4), ids=DESIGNS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_array_gives_exact_sums_in_the_stated_number_of_clocks(design, shape, tmp_path):
    rows, cols, m, n, k = shape
    generator = np.random.default_rng(sum(shape))
    a, b = generator.integers(-128, 128, (m, k)), generator.integers(-128, 128, (k, n))
    write_product(tmp_path, design, rows, cols, a, b)
    output = run_bench("tb_systolic", tmp_path, {"DESIGN": design, "ROWS": rows, "COLS": cols, "M": m, "N": n, "K": k})
    assert output.splitlines()[-1] == "PASS", output
    assert f"clocks {clocks(design, *shape)}" in output


@pytest.mark.parametrize("design", range(4), ids=DESIGNS)
def test_products_of_lowest_codes_do_not_lose_their_sign(design, tmp_path):
    a, b = np.full((5, 33), -128), np.full((33, 6), -128)
    write_product(tmp_path, design, 4, 4, a, b)
    output = run_bench("tb_systolic", tmp_path, {"DESIGN": design, "ROWS": 4, "COLS": 4, "M": 5, "N": 6, "K": 33})
    assert output.splitlines()[-1] == "PASS", output


@pytest.mark.parametrize("design", range(4), ids=DESIGNS)
def test_one_corrupted_expected_word_fails_the_bench(design, tmp_path):
    generator = np.random.default_rng(1)
    write_product(tmp_path, design, 4, 4, generator.integers(-9, 9, (6, 5)), generator.integers(-9, 9, (5, 7)))
    path = tmp_path / "expected.hex"
    lines = path.read_text().splitlines()
    lines[3] = f"{int(lines[3], 16) ^ 1:0{len(lines[3])}x}"
    path.write_text("\n".join(lines) + "\n")
    output = run_bench("tb_systolic", tmp_path, {"DESIGN": design, "ROWS": 4, "COLS": 4, "M": 6, "N": 7, "K": 5})
    assert output.splitlines()[-1].startswith("FAIL: 1 wrong"), output
