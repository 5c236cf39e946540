"""I-BERT's rules of layers: every width of input against Python integers, and the errors the package states."""

from math import erf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError
from refq.graph import Node, QParams
from refq.layers import layer_for
from refq.numerics import find_arithmetic, ibert, ibert_rules
from refq.numerics.ibert import i_gelu, i_softmax
from tests.naive import integer_functions as naive
from tests.naive import layer_normalization as naive_norm
from tests.naive import objects
from tests.naive.fixed_point import dyadic

IBERT = find_arithmetic("ibert")
WIDTHS = (8, 12, 16, 22, 32)
FINE = QParams(scale=2.0**-20, bits=32)
INT8 = QParams(scale=0.037, zero_point=-11)
widths = st.sampled_from(WIDTHS)
ranges = st.one_of(st.floats(0.5, 50), st.floats(50, 1e7))
seeds = st.integers(0, 2**32 - 1)


def layer(op, **attrs):
    return layer_for(Node(op=op, name="node", inputs=(), outputs=(), attrs=attrs))


def rule(op, codes, grids, out, **attrs):
    return IBERT.rule(op, grids[0].bits)(layer(op, **attrs), codes, grids, out, IBERT)


def grid_over(limit: float, bits: int, zero: int = 0) -> QParams:
    return QParams(scale=limit / 2 ** (bits - 1), bits=bits, zero_point=zero)


def drawn(grid: QParams, seed: int, shape) -> np.ndarray:
    codes = np.random.default_rng(seed).integers(grid.qmin, grid.qmax, shape, endpoint=True)
    codes.flat[: min(2, codes.size)] = (grid.qmin, grid.qmax)[: min(2, codes.size)]
    return codes.astype(grid.dtype)


@given(bits=widths, limit=ranges, zero=st.integers(-128, 127), out=st.sampled_from([INT8, FINE]), seed=seeds)
def test_gelu_rule_equals_its_twin(bits, limit, zero, out, seed):
    grid = grid_over(limit, bits, zero)
    q = drawn(grid, seed, (3, 5))
    want = [
        naive.gelu_rule(int(v), zero, float(grid.scale), bits, float(out.scale), int(out.zero_point)) for v in q.flat
    ]
    assert rule("Gelu", [q], [grid], out).reshape(-1).tolist() == want


@given(bits=widths, limit=ranges, zero=st.integers(-128, 127), out_bits=st.sampled_from([4, 8, 16]), seed=seeds)
def test_softmax_rule_equals_its_twin_along_any_axis(bits, limit, zero, out_bits, seed):
    grid = grid_over(limit, bits, zero)
    q = drawn(grid, seed, (2, 6, 3))
    out = QParams(scale=2.0**-out_bits, bits=out_bits, zero_point=-(2 ** (out_bits - 1)))
    y = rule("Softmax", [q], [grid], out, axis=1)
    for i, j in np.ndindex(2, 3):
        want = naive.softmax_rule([int(v) for v in q[i, :, j]], float(grid.scale), out_bits)
        assert (y[i, :, j] - out.zero_point).tolist() == want


def test_softmax_on_another_output_grid_is_requantized_from_16_bits():
    grid, out = grid_over(8.0, 16), QParams(scale=0.0051, zero_point=-100)
    q = drawn(grid, 3, (4, 9))
    y = rule("Softmax", [q], [grid], out)
    for row, codes in zip(q, y, strict=True):
        fine = naive.softmax_rule([int(v) for v in row], float(grid.scale), 16)
        assert codes.tolist() == [dyadic(v, 2.0**-16 / float(out.scale)) - 100 for v in fine]


@given(bits=widths, limit=ranges, zero=st.integers(-128, 127), size=st.integers(1, 40), seed=seeds)
def test_normalization_rule_equals_its_twin_at_every_width(bits, limit, zero, size, seed):
    grid, rng = grid_over(limit, bits, zero), np.random.default_rng(seed)
    norm = layer("LayerNormalization", epsilon=1e-5)
    arrays = [drawn(grid, seed, (3, size)), rng.uniform(-2, 2, size), rng.uniform(-2, 2, size)]
    y = IBERT.rule(norm.op, bits)(norm, arrays, [grid, None, None], INT8, IBERT)
    want = naive_norm.naive_integer(norm, [objects(a) for a in arrays], [grid, None, None], INT8, rule=dyadic)
    assert y.tolist() == want.tolist()


@pytest.mark.parametrize("bits", WIDTHS)
def test_a_constant_row_and_a_zero_weight_give_beta(bits):
    grid = grid_over(4.0, bits, 3)
    beta = np.array([0.5, -0.25, 1.0, 0.0])
    want = np.rint(beta / float(INT8.scale)) + INT8.zero_point
    constant = np.full((2, 4), grid.qmax, grid.dtype)
    for q, gamma in ((constant, np.array([1.0, -3.0, 1e-9, 0.0])), (drawn(grid, 1, (2, 4)), np.zeros(4))):
        y = rule("LayerNormalization", [q, gamma, beta], [grid, None, None], INT8)
        np.testing.assert_array_equal(y, np.tile(want, (2, 1)))


def test_a_beta_beyond_32_bits_is_refused():
    out = QParams(scale=1e-9, bits=32)
    with pytest.raises(RangeError, match=r"beta up to 4.0 does not fit 32 bits"):
        rule("LayerNormalization", [np.zeros((1, 2), np.int8), np.ones(2), np.full(2, 4.0)], [INT8, None, None], out)


@given(bits=st.integers(2, 32), limit=st.one_of(st.floats(1e-3, 1e2), st.floats(1e2, 1e8)), seed=seeds)
def test_polynomials_fit_int32_at_the_scales_the_rules_choose(bits, limit, seed):
    grid = grid_over(limit, bits)
    seen = []

    def watch(function):
        def watched(q, scale, *rest):
            seen.append((np.abs(q).max(), scale))
            return function(q, scale, *rest)

        return watched

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ibert_rules, "i_gelu", watch(ibert.i_gelu))
        patch.setattr(ibert_rules, "i_softmax", watch(ibert.i_softmax))
        rule("Gelu", [drawn(grid, seed, (2, 3))], [grid], FINE)
        rule("Softmax", [drawn(grid, seed, (2, 3))], [grid], INT8)
    (largest, gelu_scale), (furthest, softmax_scale) = seen
    assert largest < 2**31
    assert max(abs(naive.erf_codes(q, gelu_scale / 1.4142)) for q in (1, int(largest))) < 2**31
    assert furthest < 2**31
    assert naive.exp_constant(softmax_scale) <= 2**31


def exact_gelu(x):
    return x / 2 * (1 + np.vectorize(erf)(x / sqrt(2)))


def exact_softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rows(bits: int, width: int, spread: float) -> np.ndarray:
    """Half of them over the whole grid on [-8, 8), half normal: sharp and flat, wide and narrow rows."""
    rng, half = np.random.default_rng(bits), 1 << (bits - 1)
    wide = rng.integers(-half, half, (500, width))
    narrow = np.clip(np.rint(rng.normal(0, spread, (500, width)) * half / 8), -half, half - 1)
    return np.concatenate([wide, narrow.astype(np.int64)])


def largest_errors(bits: int) -> dict[str, float | None]:
    """Largest error of every function over [-8, 8) with codes of a width; None where the function refuses the scale."""
    scale, half = 8 / 2 ** (bits - 1), 1 << (bits - 1)
    grid = QParams(scale=scale, bits=bits)
    line = np.arange(-half, half) if bits <= 16 else np.linspace(-half, half - 1, 300001).astype(np.int64)
    score, state = rows(bits, 64, 1.5), rows(bits, 256, 1.0)
    lowest = 1 << 15

    def published(function, *inputs):
        try:
            y, y_scale = function(*inputs)
        except RangeError:
            return None
        return y * y_scale

    found = {
        "GELU as published": (published(i_gelu, line, scale), exact_gelu(line * scale)),
        "softmax as published": (published(i_softmax, score, scale, 16), exact_softmax(score * scale)),
        "GELU rule": (rule("Gelu", [line], [grid], FINE) * float(FINE.scale), exact_gelu(line * scale)),
        "softmax rule": (
            (rule("Softmax", [score], [grid], QParams(scale=2.0**-16, bits=16, zero_point=-lowest)) + lowest) / 2**16,
            exact_softmax(score * scale),
        ),
        "normalization rule": (
            rule("LayerNormalization", [state, np.ones(256), np.zeros(256)], [grid, None, None], FINE)
            * float(FINE.scale),
            (state - state.mean(axis=-1, keepdims=True)) / np.sqrt(state.var(axis=-1, keepdims=True) + 1e-3 / scale**2),
        ),
    }
    return {name: None if y is None else float(np.abs(y - exact).max()) for name, (y, exact) in found.items()}


@pytest.mark.parametrize("column", range(len(WIDTHS)))
def test_the_stated_errors_are_those_of_this_measurement(column):
    lines = {
        line[:25].strip(): line[25:].split() for line in (ibert.__doc__ or "").splitlines() if line.startswith("    ")
    }
    assert lines["input bits"] == [str(bits) for bits in WIDTHS]
    for name, error in largest_errors(WIDTHS[column]).items():
        stated = lines[name][column]
        if error is None:
            assert stated == "-", name
        else:
            assert error <= float(stated) <= 1.15 * error, (name, error)


def test_gelu_at_int8_is_within_one_step_where_a_step_exceeds_the_polynomial_error():
    out = QParams(scale=0.0185, zero_point=-119)
    grid = QParams(scale=5 / 127)
    q = np.arange(-128, 128)
    y = np.clip(rule("Gelu", [q], [grid], out), -128, 127)
    exact = np.clip(np.rint(exact_gelu(q * float(grid.scale)) / float(out.scale)) - 119, -128, 127)
    assert np.abs(y - exact).max() == 1
