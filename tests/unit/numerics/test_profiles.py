"""Profiles dyadic and pow2: whole graphs end to end, and their rules against exact fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refq
from refq.errors import RangeError
from refq.graph import Node, QParams
from refq.layers import layer_for
from refq.layers.multiply import Multiply
from refq.numerics.profiles import DYADIC, LITERT, POW2, find_arithmetic
from refq.quantizers import find_recipe
from refq.quantizers.uniform import Uniform
from tests.naive import fixed_point as naive
from tests.unit.small_graphs import assemble, images, residual

PAIRS = [("pow2", "int8-pow2"), ("dyadic", "int8")]


def branching():
    """Convolutions, an average of three branches, a difference, a global mean, pooling, softmax."""
    rng = np.random.default_rng(3)
    constants = {f"w{i}": rng.uniform(-0.4, 0.4, (4, 3, 3, c)).astype(np.float32) for i, c in enumerate((3, 4, 4))}
    constants |= {"fc": rng.uniform(-1, 1, (6, 4)).astype(np.float32), "b": rng.uniform(-1, 1, 6).astype(np.float32)}
    same = {"padding": "same"}
    nodes = [
        Node(op="Conv2D", name="a", inputs=("x", "w0", ""), outputs=("a",), attrs=same),
        Node(op="Conv2D", name="c", inputs=("a", "w1", ""), outputs=("c",), attrs=same),
        Node(op="Conv2D", name="d", inputs=("c", "w2", ""), outputs=("d",), attrs=same),
        Node(op="Average", name="avg", inputs=("a", "c", "d"), outputs=("avg",)),
        Node(op="Subtract", name="sub", inputs=("avg", "c"), outputs=("sub",)),
        Node(op="Multiply", name="mul", inputs=("sub", "a"), outputs=("mul",)),
        Node(op="Add", name="add", inputs=("mul", "d"), outputs=("add",)),
        Node(op="AveragePool2D", name="pool", inputs=("add",), outputs=("pool",), attrs={"pool": (2, 2)}),
        Node(op="Mean", name="mean", inputs=("pool",), outputs=("mean",), attrs={"axes": (1, 2)}),
        Node(op="Dense", name="fc", inputs=("mean", "fc", "b"), outputs=("fc_y",)),
        Node(op="Softmax", name="y", inputs=("fc_y",), outputs=("y",)),
    ]
    shapes = {"x": (1, 6, 6, 3), "pool": (1, 3, 3, 4), "mean": (1, 4), "fc_y": (1, 6), "y": (1, 6)}
    shapes |= dict.fromkeys(("a", "c", "d", "avg", "sub", "mul", "add"), (1, 6, 6, 4))
    return assemble(nodes, shapes, constants)


@pytest.mark.parametrize("build", [residual, branching])
@pytest.mark.parametrize(("profile", "recipe"), PAIRS)
def test_fake_and_integer_differ_by_one_step_at_most_at_every_node(build, profile, recipe):
    graph, x = build(), images(24, seed=9)
    quantized = refq.quantize(graph, images(64), recipe=recipe)
    table = refq.compare(quantized, x, arithmetic=profile)
    assert {row.node for row in table.rows} >= {"add"}
    assert max(row.max_step for row in table.rows) <= 1
    y, real = refq.run(quantized, x, path="integer", arithmetic=profile), refq.run(graph, x)
    assert np.abs(y - real).max() < 0.2 * np.abs(real).max()


def test_every_scale_of_the_power_of_two_recipe_is_a_power_of_two():
    quantized = refq.quantize(residual(), images(32), recipe="int8-pow2")
    scales = np.concatenate([np.ravel(t.qparams.scale) for t in quantized.tensors.values() if t.qparams is not None])
    assert len(scales) > 10
    assert np.all(np.frexp(scales)[0] == 0.5)


def test_a_channel_whose_bias_needs_a_larger_scale_still_gets_a_power_of_two():
    graph = residual()
    constants = {k: v.copy() for k, v in graph.constants.items()}
    constants["dense/kernel"][2] *= 1e-12
    constants["dense/bias"][2] = 50.0
    graph = graph.with_nodes(graph.nodes, constants=constants)
    quantized = refq.quantize(graph, images(16), recipe="int8-pow2")
    scale = quantized.tensors["dense/kernel"].qparams.scale
    assert np.all(np.frexp(scale)[0] == 0.5)
    y = refq.run(quantized, images(4), path="integer", arithmetic="pow2")
    assert np.abs(y[:, 2] - 50).max() < 1


def test_scales_that_are_no_powers_of_two_are_refused_by_the_shift_only_profile():
    quantized = refq.quantize(residual(), images(16), recipe="int8")
    with pytest.raises(RangeError, match="is not a power of two; quantize with power-of-two scales"):
        refq.run(quantized, images(2), path="integer", arithmetic="pow2")


@given(low=st.floats(-1e4, 0), high=st.floats(1e-3, 1e4))
def test_a_power_of_two_scale_is_the_smallest_one_that_covers_the_range(low, high):
    plain = Uniform().qparams(low, high)
    rounded = Uniform(power_of_two_scale=True).qparams(low, high)
    assert np.frexp(rounded.scale)[0] == 0.5
    assert plain.scale <= rounded.scale < 2 * plain.scale
    top = float(rounded.scale) * (rounded.qmax - int(rounded.zero_point))
    assert top >= high - 0.51 * float(rounded.scale)


def test_a_scale_that_is_a_power_of_two_already_stays():
    powers = 2.0 ** np.arange(-30, 5)
    assert Uniform(power_of_two_scale=True).admissible_scale(powers).tolist() == powers.tolist()


def test_recipes_from_files_take_the_key(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[activations]\npower_of_two_scale = true\nsymmetric = true\n")
    assert find_recipe(path).activations.grid == Uniform(symmetric=True, power_of_two_scale=True)
    assert not find_recipe(path).weights.grid.power_of_two_scale


def grid(exponent: int, zero: int) -> QParams:
    return QParams(scale=2.0**exponent, zero_point=zero)


def half_away(value: Fraction) -> int:
    return int(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


exponents, zeros = st.integers(-6, 2), st.integers(-128, 127)


@given(seed=st.integers(0, 999), a=exponents, b=exponents, out=exponents, za=zeros, zb=zeros)
@pytest.mark.parametrize(("op", "sign"), [("Add", 1), ("Subtract", -1)])
def test_shift_only_sums_are_exact_and_round_half_up_once(op, sign, seed, a, b, out, za, zb):
    layer = layer_for(Node(op=op, name="n", inputs=(), outputs=()))
    x, y = np.random.default_rng(seed).integers(-128, 128, (2, 7)).astype(np.int8)
    found = layer.integer((x, y), (grid(a, za), grid(b, zb)), grid(out, 5), POW2)
    for got, p, q in zip(found, x.tolist(), y.tolist(), strict=True):
        exact = (Fraction(2) ** a * (p - za) + sign * Fraction(2) ** b * (q - zb)) / Fraction(2) ** out
        assert got == int((exact + Fraction(1, 2)).__floor__()) + 5


@given(seed=st.integers(0, 999), a=exponents, out=exponents, za=zeros)
def test_shift_only_mean_rounds_the_exact_quotient_half_away_once(seed, a, out, za):
    layer = layer_for(Node(op="Mean", name="n", inputs=(), outputs=(), attrs={"axes": (1,)}))
    x = np.random.default_rng(seed).integers(-128, 128, (5, 6)).astype(np.int8)
    found = POW2.rule("Mean")(layer, (x,), (grid(a, za),), grid(out, -3), POW2)
    for got, row in zip(found, x.tolist(), strict=True):
        assert got == half_away(Fraction(sum(row) - 6 * za, 6) * Fraction(2) ** (a - out)) - 3


@given(seed=st.integers(0, 999), scales=st.lists(exponents, min_size=3, max_size=3), out=exponents)
def test_shift_only_average_rounds_the_exact_quotient_half_away_once(seed, scales, out):
    layer = layer_for(Node(op="Average", name="n", inputs=(), outputs=()))
    xs = np.random.default_rng(seed).integers(-128, 128, (3, 6)).astype(np.int8)
    grids = [grid(e, 10 * i) for i, e in enumerate(scales)]
    found = POW2.rule("Average")(layer, tuple(xs), grids, grid(out, 0), POW2)
    for k, got in enumerate(found):
        total = sum(Fraction(2) ** e * (int(x[k]) - 10 * i) for i, (e, x) in enumerate(zip(scales, xs, strict=True)))
        assert got == half_away(total / 3 / Fraction(2) ** out)


@given(seed=st.integers(0, 999), scales=st.tuples(*[st.floats(0.01, 0.1)] * 3))
@pytest.mark.parametrize(("op", "sign"), [("Add", 1), ("Subtract", -1)])
def test_dyadic_residuals_round_each_branch_before_the_sum(op, sign, seed, scales):
    layer = layer_for(Node(op=op, name="n", inputs=(), outputs=()))
    s1, s2, s3 = (np.float32(s) for s in scales)
    x, y = np.random.default_rng(seed).integers(-128, 128, (2, 9)).astype(np.int8)
    grids = (QParams(scale=s1, zero_point=4), QParams(scale=s2, zero_point=-7))
    found = DYADIC.rule(op)(layer, (x, y), grids, QParams(scale=s3, zero_point=1), DYADIC)
    for got, p, q in zip(found, x.tolist(), y.tolist(), strict=True):
        a = naive.dyadic(p - 4, float(s1) / float(s3))
        assert got == a + sign * naive.dyadic(q + 7, float(s2) / float(s3)) + 1


def test_profiles_are_found_by_name_and_unknown_ones_refused():
    assert find_arithmetic("pow2") is POW2
    assert find_arithmetic(replace(POW2, name="mine")).name == "mine"
    with pytest.raises(RangeError, match="arithmetic='tflite' is unknown; profiles are litert"):
        find_arithmetic("tflite")


def test_cmsis_nn_forms_the_multiplier_of_a_product_in_float64_where_litert_uses_float32():
    """TensorFlow Lite Micro's MUL; it shows at 16 bits."""
    rng, differing = np.random.default_rng(0), 0
    for _ in range(20):
        grids = [QParams(scale=rng.uniform(1e-5, 1e-4), bits=16) for _ in range(2)]
        out = QParams(scale=float(grids[0].scale) * float(grids[1].scale) * 2.0**15 * rng.uniform(1, 2), bits=16)
        a, b = (rng.integers(-(2**15), 2**15, 500).astype(np.int16) for _ in range(2))
        y = Multiply().integer([a, b], grids, out, find_arithmetic("cmsis-nn"))
        real = float(grids[0].scale) * float(grids[1].scale) / float(out.scale)
        assert y.tolist() == [naive.double(int(p) * int(q), real) for p, q in zip(a, b, strict=True)]
        differing += int((y != Multiply().integer([a, b], grids, out, LITERT)).sum())
    assert differing > 0
