"""Operators on two operands under a hundred random grids each: every element as LiteRT's reference kernels have it."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

import refq
from refq.errors import RangeError
from tests.peers.litert import Tensor, run, single
from tests.peers.random_grids import codes, compare, grid_tensor, integers, scales, zero_points

TRIALS = 100
SHAPES = [
    ((1, 4, 6), (1, 4, 6)),
    ((1, 5, 3, 4), (4,)),
    ((1, 1, 7), (1, 6, 1)),
    ((1, 3, 2, 2), (1, 1, 1, 1)),
    ((9,), ()),
]
COMPARISONS = ["EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"]


def natural_scale(code, rng, dtype, s):
    """A scale for the output at which some results saturate and some do not."""
    levels = 2.0 ** (np.iinfo(dtype).bits - 1)
    largest = max(s) * levels
    reach = {"MUL": s[0] * s[1] * levels**2, "DIV": s[0] / s[1] * 20, "SQUARED_DIFFERENCE": 4 * largest**2}
    return reach.get(code, 2 * largest) / levels * rng.uniform(0.1, 1.5)


def trial(code, dtype, number, options=None):
    """(inputs, output, codes) of one random model."""
    rng = np.random.default_rng([number, *map(ord, code + dtype)])
    shapes = SHAPES[number % len(SHAPES)]
    s, z = scales(rng, dtype, 2, number), zero_points(rng, dtype, 3, number)
    s_y = natural_scale(code, rng, dtype, s)
    if number % 3 == 0:
        s_y = 2.0 ** np.round(np.log2(s_y))
    shape = np.broadcast_shapes(*shapes)
    inputs = [grid_tensor(name, *pair) for name, *pair in zip("ab", shapes, (dtype, dtype), s, z[:2], strict=True)]
    output = grid_tensor("y", shape, dtype, s_y, z[2])
    values = [codes(rng, tensor) for tensor in inputs]
    return rng, inputs, output, values


ACTIVATIONS = ["NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"]


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8"])
@pytest.mark.parametrize("code", ["ADD", "SUB", "MUL", "DIV", "SQUARED_DIFFERENCE"])
def test_arithmetic_on_random_grids_equals_litert(tmp_path, code, dtype):
    if code == "SQUARED_DIFFERENCE" and dtype != "int8":
        pytest.skip("LiteRT has an int8 kernel only")
    for number in range(TRIALS):
        _, inputs, output, values = trial(code, dtype, number)
        if code == "DIV":
            zero = inputs[1].zero_point
            values[1][values[1] == zero] = zero - 1 if zero == np.iinfo(dtype).max else zero + 1
        options = {}
        if code != "SQUARED_DIFFERENCE":
            options["fused_activation_function"] = ACTIVATIONS[number % 5]
        if code in ("ADD", "SUB"):
            options["pot_scale_int16"] = False
        compare(tmp_path, code, inputs, [output], values, options)


@pytest.mark.parametrize("code", ["ADD", "SUB"])
def test_int16_sums_at_powers_of_two_shift_where_the_file_says_so(tmp_path, code):
    rng = np.random.default_rng(5)
    for number in range(TRIALS):
        low, places = 2.0 ** rng.integers(-16, -8), int(rng.integers(0, 9)) if number % 7 else 0
        s = [low, low * 2**places] if number % 2 else [low * 2**places, low]
        shape = (1, 3, 8)
        inputs = [grid_tensor(name, shape, "int16", scale, 0) for name, scale in zip("ab", s, strict=True)]
        output = grid_tensor("y", shape, "int16", max(s), 0)
        values = [codes(rng, tensor) for tensor in inputs]
        options = {"pot_scale_int16": True, "fused_activation_function": ACTIVATIONS[number % 5]}
        graph = compare(tmp_path, code, inputs, [output], values, options)
        assert graph.nodes[0].attrs["shift_only"]


@pytest.mark.parametrize("code", ["ADD", "SUB"])
def test_int16_sums_that_may_shift_but_have_other_scales_follow_the_general_rule(tmp_path, code):
    for number in range(1, TRIALS, 3):
        _, inputs, output, values = trial(code, "int16", number)
        compare(tmp_path, code, inputs, [output], values, {"pot_scale_int16": True})


def test_division_by_the_code_of_zero_is_refused_by_both(tmp_path):
    x, y = grid_tensor("a", (1, 2), "int8", 0.1, 3), grid_tensor("y", (1, 2), "int8", 0.1, 0)
    b, values = grid_tensor("b", (1, 2), "int8", 0.1, 5), np.array([[4, 5]], np.int8)
    model, path = single("DIV", [x, b], [y]), tmp_path / "model.tflite"
    path.write_bytes(model)
    with pytest.raises(RuntimeError):
        run(model, [values, values])
    with pytest.raises(RangeError, match="divisor code is its zero point 5"):
        refq.run(refq.load(path), [values, values], path="integer")


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8"])
@pytest.mark.parametrize("code", ["MAXIMUM", "MINIMUM"])
def test_extremes_on_one_grid_equal_litert(tmp_path, code, dtype):
    for number in range(TRIALS):
        _, inputs, output, values = trial(code, dtype, number)
        one = [grid_tensor(t.name, t.shape, dtype, output.scale, output.zero_point) for t in inputs]
        compare(tmp_path, code, one, [output], values)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "float32", "int32"])
@pytest.mark.parametrize("code", COMPARISONS)
def test_comparisons_on_random_grids_equal_litert(tmp_path, code, dtype):
    for number in range(TRIALS if dtype.endswith("8") else 20):
        if dtype in ("float32", "int32"):
            rng = np.random.default_rng(number)
            shapes = SHAPES[number % len(SHAPES)]
            inputs = [Tensor(name, shape, dtype) for name, shape in zip("ab", shapes, strict=True)]
            values = [codes(rng, tensor) for tensor in inputs]
            values[1].flat[0] = values[0].flat[0]
        else:
            _, inputs, _, values = trial(code, dtype, number)
        shape = np.broadcast_shapes(*(t.shape for t in inputs))
        compare(tmp_path, code, inputs, [Tensor("y", shape, "bool")], values)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "float32", "int32"])
@pytest.mark.parametrize("code", ["SELECT", "SELECT_V2"])
def test_selection_equals_litert(tmp_path, code, dtype):
    shapes = [((1, 3, 4),) * 3, ((2,), (2, 3), (2, 3)) if code == "SELECT" else ((1, 3, 1), (1, 1, 4), (1, 3, 4))]
    for number, (c, a, b) in enumerate(shapes):
        rng = np.random.default_rng(number)
        grid = (0.02, 3 if dtype != "int16" else 0) if dtype not in ("float32", "int32") else (None, 0)
        make = [Tensor(name, shape, dtype, scale=grid[0], zero_point=grid[1]) for name, shape in (("a", a), ("b", b))]
        out = np.broadcast_shapes(a, b, c if code == "SELECT_V2" else a)
        y = Tensor("y", out, dtype, scale=grid[0], zero_point=grid[1])
        inputs = [Tensor("c", c, "bool"), *make]
        compare(tmp_path, code, inputs, [y], [codes(rng, tensor) for tensor in inputs])


def test_concatenation_of_uint8_on_several_grids_equals_litert(tmp_path):
    for number in range(TRIALS):
        rng = np.random.default_rng(number)
        s, z = scales(rng, "uint8", 3, number), zero_points(rng, "uint8", 3, number)
        inputs = [grid_tensor(n, (1, 2, 128), "uint8", *g) for n, *g in zip("ab", s[:2], z[:2], strict=True)]
        every = np.arange(256, dtype=np.uint8).reshape(1, 2, 128)
        y = grid_tensor("y", (1, 4, 128), "uint8", s[2], z[2])
        compare(tmp_path, "CONCATENATION", inputs, [y], [every, every[:, ::-1].copy()], {"axis": 1})


def test_floor_of_reals_equals_litert(tmp_path):
    x, y = Tensor("x", (1, 9), "float32"), Tensor("y", (1, 9), "float32")
    values = np.array([[-2.5, -1.0, -0.5, -0.0, 0.5, 1.5, 2.5, 1e9, -1e-9]], np.float32)
    compare(tmp_path, "FLOOR", [x], [y], [values])


def test_cumulative_sums_equal_litert(tmp_path):
    for dtype in ("float32", "int32"):
        for exclusive in (False, True):
            for reverse in (False, True):
                x, y = Tensor("x", (1, 4, 6), dtype), Tensor("y", (1, 4, 6), dtype)
                values = codes(np.random.default_rng(1), x)
                options = {"exclusive": exclusive, "reverse": reverse}
                compare(tmp_path, "CUMSUM", [x, integers("axis", 2)], [y], [values], options)


@pytest.mark.parametrize("code", ["LOGICAL_AND", "LOGICAL_OR"])
def test_logic_equals_litert(tmp_path, code):
    for number, shapes in enumerate(SHAPES):
        inputs = [Tensor(name, shape, "bool") for name, shape in zip("ab", shapes, strict=True)]
        rng = np.random.default_rng(number)
        y = Tensor("y", np.broadcast_shapes(*shapes), "bool")
        compare(tmp_path, code, inputs, [y], [codes(rng, tensor) for tensor in inputs])


def test_negation_of_conditions_equals_litert(tmp_path):
    x, y = Tensor("x", (1, 9), "bool"), Tensor("y", (1, 9), "bool")
    compare(tmp_path, "LOGICAL_NOT", [x], [y], [codes(np.random.default_rng(3), x)])
