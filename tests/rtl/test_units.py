"""Requantizer, xnor-popcount and multiply-accumulate units against the arithmetic of refq.numerics."""

from __future__ import annotations

import numpy as np
import pytest

from refq.numerics.accumulator import Accumulator
from refq.numerics.requantize import double, dyadic, pow2, single, single_away
from refq.verify.words import WordFormat, hex_text
from tests.rtl.icarus import needs_icarus, run_bench

pytestmark = needs_icarus

MODES = (double, single, single_away, dyadic, pow2)


def corner_accumulators(multiplier: int, shift: int) -> list[int]:
    """Accumulators at which the exact quotient lies on a half, just below and just above, of both signs; and limits."""
    places = 31 - shift
    found = [0, 1, -1, 2**31 - 1, -(2**31), 2**31 - 2]
    for half in (*range(-5, 6), 127, 128, -128, -129, 130, -131):
        exact = ((2 * half + 1) << places) // (2 * multiplier)
        found += [exact - 1, exact, exact + 1]
    return [acc for acc in found if -(2**31) <= acc < 2**31]


def requantizer_cases(mode: int) -> np.ndarray:
    """Rows of accumulator, multiplier, shift."""
    generator = np.random.default_rng(mode)
    multipliers = [1 << 30, (1 << 30) + 1, (1 << 31) - 1, *map(int, generator.integers(1 << 30, 1 << 31, 5))]
    shifts = (-31, -20, -9, -8, -7, -3, -1, 0, 1, 3, 7, 30)
    if mode == 4:  # powers of two: halves are odd multiples of half a step
        odd = 2 * generator.integers(-140, 140, 60) + 1
        rows = [(int(a) << max(s - 1, 0), 0, s) for s in shifts if s < 24 for a in odd]
        rows += [(a, 0, s) for s in shifts for a in (0, 1, -1, 2**31 - 1, -(2**31))]
        return np.array(rows, np.int64)
    rows = [(acc, m, s) for s in shifts for m in multipliers for acc in corner_accumulators(m, s)]
    spread = (generator.integers(-(2**31), 2**31, 500), generator.integers(1 << 30, 1 << 31, 500))
    return np.concatenate([rows, np.stack([*spread, generator.integers(-12, 3, 500)], axis=1)])


@pytest.mark.parametrize(("zero", "low", "high"), [(0, -128, 127), (-128, -128, 127), (127, -128, 127), (5, 5, 90)])
@pytest.mark.parametrize("mode", range(5), ids=[unit.name for unit in MODES])
def test_requantizer_equals_the_rule_at_ties_clamps_and_limits(mode, zero, low, high, tmp_path):
    table = requantizer_cases(mode)
    acc, m, shift = table.T
    factors = (shift,) if mode == 4 else (m, shift)
    codes = np.clip(MODES[mode].apply(acc, *factors) + zero, low, high)
    observe = MODES[mode].observe
    assert observe is not None
    ties = observe(acc, *factors)["tie"]
    assert np.any(ties & (acc < 0))
    assert np.any(ties & (acc > 0))
    lines = [(s & 0xFF) << 64 | m << 32 | a & 0xFFFFFFFF for a, m, s in table.tolist()]
    (tmp_path / "stimulus.hex").write_text(hex_text(lines, 18))
    form = WordFormat(bits=8)
    (tmp_path / "expected.hex").write_text(hex_text(form.pack(codes), form.digits))
    limits = {"ZERO": zero, "LOW": low, "HIGH": high}
    output = run_bench("tb_requantize", tmp_path, {"MODE": mode, "COUNT": len(table), **limits})
    assert output.splitlines()[-1] == "PASS", output
    assert f"clocks {len(table) + 4}" in output


@pytest.mark.parametrize("word", [8, 64, 128])
def test_xnor_popcount_equals_the_dot_product_also_of_partial_words(word, tmp_path):
    generator = np.random.default_rng(word)
    lengths = [1, word - 1, word, word + 1, 3 * word - 5, *generator.integers(1, 5 * word, 40)]
    lines, sums = [], []
    for length in map(int, lengths):
        a, b = generator.choice([-1, 1], length), generator.choice([-1, 1], length)
        sums.append(int(a @ b))
        form = WordFormat(bits=1, lanes=word)
        words = list(zip(form.pack(a), form.pack(b), strict=True))
        for i, (x, y) in enumerate(words):
            lanes = min(word, length - i * word)
            filler = ((1 << word) - 1) ^ ((1 << lanes) - 1)  # what pads a word must not count, whatever it is
            marks = (i == 0) << 20 | (i == len(words) - 1) << 16 | lanes
            lines.append(marks << (2 * word) | (x | filler) << word | y)
    (tmp_path / "stimulus.hex").write_text(hex_text(lines, (2 * word + 24) // 4))
    form = WordFormat(bits=16)
    (tmp_path / "expected.hex").write_text(hex_text(form.pack(np.array(sums)), form.digits))
    output = run_bench("tb_xnor_popcount", tmp_path, {"WORD": word, "COUNT": len(lines), "OUTPUTS": len(sums)})
    assert output.splitlines()[-1] == "PASS", output
    assert f"clocks {len(lines) + 2}" in output


def nibbles(code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return ((code & 15) ^ 8) - 8, code >> 4


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("bits", [16, 20, 24, 32])
def test_mac_equals_the_register_in_both_precisions(bits, overflow, tmp_path):
    generator = np.random.default_rng(bits)
    pairs = np.array([(a, b) for a in range(-128, 128) for b in range(-128, 128)])
    every = generator.permutation(pairs)[: 8000 if bits < 32 else len(pairs)]
    corners = np.full((600, 2), -128)
    corners[300:, 1] = 127  # drives the register to both ends
    a, b = np.concatenate([every, corners]).T
    int4 = generator.integers(0, 2, len(a))
    int4[-600:] = 0
    clear = generator.random(len(a)) < 0.01
    clear[-600:] = False
    clear[0] = True
    (a_low, a_high), (b_low, b_high) = nibbles(a), nibbles(b)
    products = np.where(int4 == 1, a_low * b_low + a_high * b_high, a * b)
    register = Accumulator(bits=bits, overflow=overflow, order="sequential")
    held, expected = np.int64(0), []
    for product, clears in zip(products, clear, strict=True):
        held = register.fit(np.asarray((0 if clears else held) + product))
        expected.append(int(held))
    lines = [
        int(c) << 20 | int(i) << 16 | (int(x) & 255) << 8 | int(y) & 255
        for c, i, x, y in zip(clear, int4, a, b, strict=True)
    ]
    (tmp_path / "stimulus.hex").write_text(hex_text(lines, 6))
    form = WordFormat(bits=bits)
    (tmp_path / "expected.hex").write_text(hex_text(form.pack(np.array(expected)), form.digits))
    parameters = {"ACC_BITS": bits, "SATURATE": int(overflow == "saturate"), "COUNT": len(lines)}
    output = run_bench("tb_mac", tmp_path, parameters)
    assert output.splitlines()[-1] == "PASS", output
    assert f"clocks {len(lines) + 2}" in output


@pytest.mark.parametrize("bench", ["tb_requantize", "tb_xnor_popcount", "tb_mac"])
def test_one_corrupted_expected_value_fails_a_bench(bench, tmp_path):
    lines, expected, bits, parameters = {
        "tb_requantize": (["004000000000000007"] * 4, [4, 4, 4, 4], 8, {"MODE": 0}),
        "tb_xnor_popcount": (["11000800ff"] * 4, [-8, -8, -8, -8], 16, {"WORD": 8, "OUTPUTS": 4}),
        "tb_mac": (["100203"] * 4, [6, 6, 6, 6], 16, {"ACC_BITS": 16}),
    }[bench]
    form = WordFormat(bits=bits)
    (tmp_path / "stimulus.hex").write_text("\n".join(lines) + "\n")
    for change in (0, 1):
        values = np.array(expected)
        values[2] += change
        (tmp_path / "expected.hex").write_text(hex_text(form.pack(values), form.digits))
        output = run_bench(bench, tmp_path, {**parameters, "COUNT": 4})
        assert output.splitlines()[-1].startswith("FAIL: 1 wrong" if change else "PASS"), output
