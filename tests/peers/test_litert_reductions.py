"""Operators that reduce axes or windows under random grids: every element as LiteRT's reference kernels have it."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

import refq
from tests.peers.litert import Tensor, run, single
from tests.peers.random_grids import codes, compare, grid_tensor, integers, scales, zero_points

TRIALS = 100
CASES = [((1, 4, 5, 3), (1, 2)), ((1, 7, 6), (-1,)), ((1, 3, 2, 5), (1, 3)), ((1, 9), (1, 1)), ((1, 2, 3, 4), (2, -3))]


def reduced(shape, axes, keepdims):
    gone = {axis % len(shape) for axis in axes}
    return [1 if i in gone else n for i, n in enumerate(shape) if keepdims or i not in gone]


def trial(code, dtype, number):
    rng = np.random.default_rng([number, *map(ord, code + dtype)])
    shape, axes = CASES[number % len(CASES)]
    keepdims = bool(number % 2)
    (s_x, _), (z_x, z_y) = scales(rng, dtype, 2, number), zero_points(rng, dtype, 2, number)
    count = np.prod([shape[a] for a in {axis % len(shape) for axis in axes}])
    levels = 2.0 ** (np.iinfo(dtype).bits - 1)
    reach = {
        "SUM": s_x * levels * np.sqrt(count),
        "REDUCE_PROD": (s_x * levels) ** count / 2.0**count,
        "MEAN": s_x * levels,
    }[code]
    s_y = reach / levels * rng.uniform(0.2, 1.5)
    if number % 6 == 0:
        s_y, z_y = s_x, z_x
    elif number % 3 == 0:
        s_y = 2.0 ** np.round(np.log2(s_y))
    x = grid_tensor("x", shape, dtype, s_x, z_x)
    y = grid_tensor("y", reduced(shape, axes, keepdims), dtype, s_y, z_y)
    return rng, x, y, axes, keepdims


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(code, dtype) for code in ("MEAN", "REDUCE_PROD") for dtype in ("int8", "int16")]
    + [("MEAN", "uint8"), ("SUM", "uint8")],
)
def test_sums_and_products_on_random_grids_equal_litert(tmp_path, code, dtype):
    for number in range(TRIALS):
        rng, x, y, axes, keepdims = trial(code, dtype, number)
        compare(tmp_path, code, [x, integers("axes", axes)], [y], [codes(rng, x)], {"keep_dims": keepdims})


def test_sums_of_int8_equal_litert_where_it_does_not_take_them_for_uint8(tmp_path):
    """LiteRT 2.3.0 reads int8 as uint8 in SUM: codes from 0 to 127 with results from 0 to 127 are the same in both."""
    told = 0
    for number in range(300):
        rng, x, y, axes, keepdims = trial("SUM", "int8", number)
        values = np.abs(codes(rng, x).astype(int)).clip(0, 127).astype(np.int8)
        path, model = (
            tmp_path / "model.tflite",
            single("SUM", [x, integers("axes", axes)], [y], {"keep_dims": keepdims}),
        )
        path.write_bytes(model)
        ours, theirs = refq.run(refq.load(path), values, path="integer"), run(model, [values])[0]
        inside = (ours > 0) & (ours < 127)
        told += np.count_nonzero(inside)
        assert np.array_equal(ours[inside], theirs[inside])
    assert told > 100


@pytest.mark.parametrize("count", [49, 1000, 4096])
@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8"])
def test_a_mean_of_many_saturated_codes_equals_litert(tmp_path, dtype, count):
    info = np.iinfo(dtype)
    for number, value in enumerate((info.min, info.max)):
        s, z = 0.02 + 0.001 * number, 0 if dtype == "int16" else int(info.max - value + info.min)
        x, y = grid_tensor("x", (1, count, 3), dtype, s, z), grid_tensor("y", (1, 3), dtype, 2.3 * s, z)
        compare(tmp_path, "MEAN", [x, integers("axes", [1])], [y], [np.full(x.shape, value, dtype)])


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "float32", "int32"])
@pytest.mark.parametrize("code", ["REDUCE_MAX", "REDUCE_MIN", "SUM", "REDUCE_PROD", "MEAN"])
def test_reductions_on_one_grid_or_none_equal_litert(tmp_path, code, dtype):
    is_plain = dtype in ("float32", "int32")
    if (dtype, code) == ("int32", "MEAN") or (not is_plain and not code.startswith("REDUCE_M")):
        pytest.skip("rounds towards zero, or tested with grids of their own")
    for number, (shape, axes) in enumerate(CASES):
        grid = {} if is_plain else {"scale": 0.03, "zero_point": 0 if dtype == "int16" else 7}
        x = Tensor("x", shape, dtype, **grid)
        y = Tensor("y", reduced(shape, axes, bool(number % 2)), dtype, **grid)
        values = [codes(np.random.default_rng(number), x)]
        compare(tmp_path, code, [x, integers("axes", axes)], [y], values, {"keep_dims": bool(number % 2)})


@pytest.mark.parametrize("code", ["REDUCE_ANY", "REDUCE_ALL"])
def test_logical_reductions_equal_litert(tmp_path, code):
    for number, (shape, axes) in enumerate(CASES):
        x, y = Tensor("x", shape, "bool"), Tensor("y", reduced(shape, axes, bool(number % 2)), "bool")
        values = np.random.default_rng(number).random(shape) < (0.2 if code == "REDUCE_ANY" else 0.9)
        compare(tmp_path, code, [x, integers("axes", axes)], [y], [values], {"keep_dims": bool(number % 2)})


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32", "int32"])
@pytest.mark.parametrize("output", ["int32", "int64"])
@pytest.mark.parametrize("code", ["ARG_MAX", "ARG_MIN"])
def test_places_of_extremes_equal_litert(tmp_path, code, output, dtype):
    for number, axis in enumerate((1, -1, 2)):
        grid = {"scale": 0.1, "zero_point": 3} if dtype.endswith("8") else {}
        x, shape = Tensor("x", (1, 4, 5, 6), dtype, **grid), [1, 4, 5, 6]
        del shape[axis]
        values = codes(np.random.default_rng(number), x)
        values = values if dtype == "float32" else np.clip(values, 0, 3)  # several extremes: the first one counts
        y = Tensor("y", shape, output)
        compare(tmp_path, code, [x, integers("axis", axis)], [y], [values], {"output_type": output})


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8"])
@pytest.mark.parametrize("code", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pooling_of_random_windows_equals_litert(tmp_path, code, dtype):
    for number in range(TRIALS):
        rng = np.random.default_rng(number)
        size, window, stride = rng.integers(4, 10, 2), rng.integers(1, 5, 2), rng.integers(1, 4, 2)
        padding = ["SAME", "VALID"][number % 2]
        out = [
            -(-n // s) if padding == "SAME" else (n - k) // s + 1 for n, k, s in zip(size, window, stride, strict=True)
        ]
        scale, zero = scales(rng, dtype, 1, number)[0], zero_points(rng, dtype, 1, number)[0]
        x = grid_tensor("x", (1, *map(int, size), 3), dtype, scale, zero)
        y = grid_tensor("y", (1, *map(int, out), 3), dtype, scale, zero)
        options = {
            "filter_height": int(window[0]),
            "filter_width": int(window[1]),
            "stride_h": int(stride[0]),
            "stride_w": int(stride[1]),
            "padding": padding,
            "fused_activation_function": ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"][number % 4],
        }
        compare(tmp_path, code, [x], [y], [codes(rng, x)], options)
