"""The stepped arrays: products against NumPy, cycles against the closed forms and against counted Verilog."""

import numpy as np
import pytest

from hwsim.errors import PrecisionError, SpecError
from hwsim.machine import output_stationary, weight_stationary
from hwsim.machine.array import PRECISIONS, run
from hwsim.machine.closed_form import ceil_div, systolic_cycles
from tests.unit.hwsim.test_systolic import SIMULATED

FORMS = [(flow, overlap) for flow in ("os", "ws", "is") for overlap in (False, True)]


def operands(rng, m, n, k, precision="int8"):
    if precision == "binary":
        return rng.choice([-1, 1], (m, k)), rng.choice([-1, 1], (k, n))
    half = 1 << (PRECISIONS[precision].bits - 1)
    return rng.integers(-half, half, (m, k)), rng.integers(-half, half, (k, n))


def check(rng, rows, cols, m, n, k, flow, overlap, precision="int8"):
    a, b = operands(rng, m, n, k, precision)
    got = run(a, b, rows, cols, flow, overlap, precision)
    case = (rows, cols, m, n, k, flow, overlap, precision)
    word_k = -(-k // PRECISIONS[precision].lanes)
    assert np.array_equal(got.output, a @ b), case
    assert got.cycles == systolic_cycles(m, n, word_k, rows, cols, flow, "rtl", overlap=overlap), case
    assert got.activity.macs == m * n * k, case
    assert got.activity.steps == m * n * word_k, case


@pytest.mark.parametrize(("flow", "overlap"), FORMS)
def test_every_array_up_to_8x8_gives_products_and_closed_form_cycles(flow, overlap):
    rng = np.random.default_rng(1)
    sizes = [(m, n, k) for m in (1, 2, 5, 9) for n in (1, 3, 8) for k in (1, 4, 10)]
    for rows in range(1, 9):
        for cols in range(1, 9):
            for m, n, k in sizes:
                check(rng, rows, cols, m, n, k, flow, overlap)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("flow", "overlap"), FORMS)
def test_random_arrays_and_products_of_every_precision(flow, overlap, precision):
    rng = np.random.default_rng(2)
    for _ in range(25):
        rows, cols, m, n, k = (int(v) for v in rng.integers(1, (33, 33, 70, 70, 200)))
        check(rng, rows, cols, m, n, k, flow, overlap, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("flow", ["ws", "is"])
def test_direct_mapping_holds_the_channels_of_one_tap_at_a_time(flow, overlap, precision):
    rng = np.random.default_rng(6)
    for _ in range(12):
        rows, cols, m, n, channels, taps = (int(v) for v in rng.integers(1, (9, 9, 20, 20, 30, 10)))
        a, b = operands(rng, m, n, channels * taps, precision)
        got = run(a, b, rows, cols, flow, overlap, precision, taps=taps)
        stream, across = (m, n) if flow == "ws" else (n, m)
        words = ceil_div(channels, PRECISIONS[precision].lanes)
        tiles = taps * ceil_div(words, rows) * ceil_div(across, cols)
        plain = 1 + tiles * (2 * rows + cols + stream - 1)
        closed = 1 + rows + (tiles - 1) * max(stream, rows) + stream + rows + cols - 1 if overlap else plain
        assert np.array_equal(got.output, a @ b)
        assert got.cycles == closed
        assert got.activity.macs == a.size * n
    with pytest.raises(SpecError, match="taps=2 does not divide K=9"):
        run(np.ones((1, 9), int), np.ones((9, 1), int), 2, 2, "ws", taps=2)


@pytest.mark.parametrize(("case", "counted"), SIMULATED)
def test_stepped_cycles_equal_counted_verilog(case, counted):
    rows, cols, m, n, k = case
    a, b = operands(np.random.default_rng(3), m, n, k)
    forms = [("os", False), ("os", True), ("ws", False), ("ws", True)]
    assert tuple(run(a, b, rows, cols, flow, overlap).cycles for flow, overlap in forms) == counted


@pytest.mark.parametrize(("flow", "overlap"), FORMS)
def test_zero_products_are_counted_one_by_one(flow, overlap):
    rng = np.random.default_rng(4)
    for precision in ("int8", "2xint4"):
        a, b = rng.integers(-1, 2, (7, 9)), rng.integers(-1, 2, (9, 5))
        zero = sum(a[m, k] == 0 or b[k, n] == 0 for m in range(7) for n in range(5) for k in range(9))
        assert run(a, b, 3, 2, flow, overlap, precision).activity.zero_macs == zero


def hamming(values, bits):
    """Bits that change in a register that starts at zero and takes the values one after the other."""
    mask, last, total = (1 << bits) - 1, 0, 0
    for value in values:
        total += ((int(value) ^ last) & mask).bit_count()
        last = int(value)
    return total


def test_output_stationary_toggles_are_the_hamming_distances_of_the_streams():
    rng = np.random.default_rng(5)
    m, n, k = 3, 4, 17
    a, b = operands(rng, m, n, k)
    for overlap in (False, True):
        got = run(a, b, m, n, "os", overlap).activity
        assert got.a_toggles == n * sum(hamming(a[i], 8) for i in range(m))
        assert got.b_toggles == m * sum(hamming(b[:, j], 8) for j in range(n))
        sums = np.cumsum(a[:, :, None] * b[None], axis=1)
        assert got.sum_toggles == sum(hamming(sums[i, :, j], 32) for i in range(m) for j in range(n))


def test_weight_stationary_toggles_are_the_hamming_distances_of_the_streams():
    rng = np.random.default_rng(6)
    m, n, k = 11, 4, 3
    a, b = operands(rng, m, n, k)
    got = run(a, b, k, n, "ws").activity
    assert got.a_toggles == n * sum(hamming(a[:, i], 8) for i in range(k))
    assert got.b_toggles == sum(hamming([value], 8) for value in b.ravel())
    down = np.cumsum(a[:, :, None] * b[None], axis=1)
    assert got.sum_toggles == sum(hamming(down[:, i, j], 32) for i in range(k) for j in range(n))
    held = run(a, b, k, n, "is").activity
    transposed = run(b.T, a.T, n, m, "os").activity
    assert held.macs == transposed.macs == got.macs


def test_constant_operands_switch_once():
    ones = run(np.ones((4, 20), int), np.ones((20, 4), int), 4, 4, "os").activity
    assert ones.a_toggles == ones.b_toggles == 16


def test_sums_wrap_at_the_width_of_the_accumulator():
    a, b = np.full((1, 40), -128), np.full((40, 1), -128)
    for flow, overlap in FORMS:
        assert run(a, b, 2, 2, flow, overlap, sum_bits=16).output[0, 0] == (40 * 16384 + 32768) % 65536 - 32768


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kernel", [output_stationary.step, weight_stationary.step])
@pytest.mark.parametrize("overlap", [False, True])
def test_compiled_and_interpreted_kernels_agree(kernel, overlap, precision):
    from hwsim.machine.array import words

    form = PRECISIONS[precision]
    a, b, lanes = words(*operands(np.random.default_rng(7), 5, 4, 7, precision), form)
    found = []
    for function in (kernel, kernel.py_func):
        out, counts = np.zeros((5, 4), np.int64), np.zeros(output_stationary.COUNTERS, np.int64)
        mask = -1 if form.word_bits == 64 else (1 << form.word_bits) - 1
        function(a, b, lanes, 3, 2, form.mode, overlap, mask, (1 << 32) - 1, out, counts)
        found.append((out.tolist(), counts.tolist()))
    assert found[0] == found[1]


GOOD = np.ones((2, 3), int)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((np.ones((0, 3), int), GOOD.T, 2, 2), SpecError, r"a is int64 of shape \(0, 3\)"),
        ((GOOD * 1.0, GOOD.T, 2, 2), SpecError, "a is float64"),
        ((GOOD, GOOD, 2, 2), SpecError, r"a \(2, 3\) and b \(2, 3\) do not share K"),
        ((GOOD, GOOD.T, 0, 2), SpecError, "rows=0 must be whole numbers of at least 1"),
        ((GOOD, GOOD.T, 2, -1), SpecError, "cols=-1 must be whole numbers of at least 1"),
        ((GOOD * 128, GOOD.T, 2, 2), PrecisionError, r"a in \[128, 128\] leaves \[-128, 127\] of int8"),
        ((GOOD, GOOD.T * 9, 2, 2, "ws", False, "int4"), PrecisionError, r"b in \[9, 9\] leaves \[-8, 7\] of int4"),
        (
            (GOOD, GOOD.T * 0, 2, 2, "ws", False, "binary"),
            PrecisionError,
            "is not made of -1 and 1, which is all binary takes",
        ),
        ((GOOD, GOOD.T, 2, 2, "rs"), SpecError, "dataflow='rs' is not one of os, ws, is"),
        ((GOOD, GOOD.T, 2, 2, "ws", False, "int3"), PrecisionError, "precision='int3' is not one of"),
        ((GOOD, GOOD.T, 2, 2, "ws", False, "int8", 0), SpecError, "sum_bits=0 is outside 1..64"),
    ],
)
def test_operands_an_array_cannot_take_are_named(arguments, error, text):
    with pytest.raises(error, match=text):
        run(*arguments)
