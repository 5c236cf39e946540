"""One-operator models, run by LiteRT and read by refq: every output element equal."""

from dataclasses import replace

import numpy as np
import pytest

import refq

pytest.importorskip("ai_edge_litert")

from tests.peers.agreement import agree
from tests.peers.litert import Op, Tensor, build, single

GRIDS = {"int8": (0.05, -3), "uint8": (0.05, 125), "int16": (0.0002, 0), "float32": (None, 0)}


def seeded(name):
    return np.random.default_rng(sum(map(ord, name)))


def tensor(name, shape, dtype, scale=None, zero_point=None):
    default_scale, default_zero = GRIDS[dtype]
    if dtype == "float32":
        return Tensor(name, shape, dtype)
    zero = 0 if dtype == "int16" else default_zero if zero_point is None else zero_point
    return Tensor(name, shape, dtype, scale=default_scale if scale is None else scale, zero_point=zero)


def ints(name, values):
    values = np.asarray(values, np.int32)
    return Tensor(name, values.shape, "int32", data=values)


def fresh(rng, given):
    if given.dtype == "float32":
        return rng.normal(size=given.shape).astype(np.float32)
    info = np.iinfo(given.dtype)
    return rng.integers(info.min, info.max + 1, given.shape).astype(given.dtype)


SAME_GRID = [  # operator, input shape, constant operands, output shapes, options
    ("RESHAPE", (1, 4, 6), [[1, 24]], [(1, 24)], {}),
    ("RESHAPE", (1, 4, 6), [[-1, 12]], [(2, 12)], {}),
    ("SQUEEZE", (1, 4, 1, 6), [], [(1, 4, 6)], {"squeeze_dims": (2,)}),
    ("SQUEEZE", (1, 4, 1, 6), [], [(4, 6)], {}),
    ("EXPAND_DIMS", (1, 4, 6), [[-2]], [(1, 4, 1, 6)], {}),
    ("TRANSPOSE", (1, 4, 6, 2), [[0, 3, 1, 2]], [(1, 2, 4, 6)], {}),
    ("SLICE", (1, 6, 7, 3), [[0, 2, 1, 0], [1, 3, -1, 2]], [(1, 3, 6, 2)], {}),
    (
        "STRIDED_SLICE",
        (1, 6, 7, 3),
        [[0, 1, 6, 0], [1, 6, 0, 3], [1, 2, -3, 1]],
        [(1, 3, 2, 3)],
        {"begin_mask": 1, "end_mask": 9},
    ),
    (
        "STRIDED_SLICE",
        (1, 6, 7, 3),
        [[0, -2, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]],
        [(1, 7, 3)],
        {"begin_mask": 13, "end_mask": 13, "shrink_axis_mask": 2},
    ),
    (
        "STRIDED_SLICE",
        (1, 6, 7, 3),
        [[0, 0, 1], [0, 0, 3], [1, 1, 1]],
        [(1, 6, 7, 1, 2)],
        {"ellipsis_mask": 1, "new_axis_mask": 2},
    ),
    (
        "STRIDED_SLICE",
        (1, 6, 7, 3),
        [[0, 1, 2, 0], [1, 4, 3, 2], [1, 1, 2, 1]],
        [(1, 4, 2, 2)],
        {"offset": True},
    ),
    (
        "STRIDED_SLICE",
        (1, 6, 7, 3),
        [[0, -2, -1, 0], [0, 0, 0, 0], [1, 1, 1, 1]],
        [(3,)],
        {"begin_mask": 8, "end_mask": 8, "shrink_axis_mask": 7},
    ),
    ("PAD", (1, 3, 4, 2), [[[0, 0], [1, 2], [0, 3], [2, 0]]], [(1, 6, 7, 4)], {}),
    ("MIRROR_PAD", (1, 3, 4, 2), [[[0, 0], [1, 2], [0, 3], [1, 0]]], [(1, 6, 7, 3)], {"mode": "REFLECT"}),
    ("MIRROR_PAD", (1, 3, 4, 2), [[[0, 0], [1, 3], [0, 4], [1, 0]]], [(1, 7, 8, 3)], {"mode": "SYMMETRIC"}),
    ("SPACE_TO_DEPTH", (1, 4, 6, 3), [], [(1, 2, 3, 12)], {"block_size": 2}),
    ("DEPTH_TO_SPACE", (1, 2, 3, 12), [], [(1, 4, 6, 3)], {"block_size": 2}),
    ("SPACE_TO_BATCH_ND", (1, 5, 6, 3), [[2, 3], [[1, 0], [2, 1]]], [(6, 3, 3, 3)], {}),
    ("BATCH_TO_SPACE_ND", (6, 3, 3, 2), [[2, 3], [[1, 0], [2, 1]]], [(1, 5, 6, 2)], {}),
    ("TILE", (1, 3, 4), [[1, 2, 3]], [(1, 6, 12)], {}),
    ("REVERSE_V2", (1, 3, 4), [[1]], [(1, 3, 4)], {}),
    ("UNPACK", (1, 3, 4), [], [(1, 4), (1, 4), (1, 4)], {"num": 3, "axis": 1}),
    ("RESIZE_NEAREST_NEIGHBOR", (1, 5, 7, 2), [[9, 4]], [(1, 9, 4, 2)], {}),
    ("RESIZE_NEAREST_NEIGHBOR", (1, 5, 7, 2), [[9, 4]], [(1, 9, 4, 2)], {"half_pixel_centers": True}),
    ("RESIZE_NEAREST_NEIGHBOR", (1, 5, 7, 2), [[9, 4]], [(1, 9, 4, 2)], {"align_corners": True}),
    ("RESIZE_BILINEAR", (1, 5, 7, 2), [[9, 4]], [(1, 9, 4, 2)], {}),
    ("RESIZE_BILINEAR", (1, 5, 7, 2), [[9, 4]], [(1, 9, 4, 2)], {"half_pixel_centers": True}),
    ("RESIZE_BILINEAR", (1, 5, 7, 2), [[9, 4]], [(1, 9, 4, 2)], {"align_corners": True}),
    ("REDUCE_MAX", (1, 5, 7, 2), [[1, -2]], [(1, 2)], {}),
    ("MAX_POOL_2D", (1, 6, 7, 3), [], [(1, 3, 4, 3)], {"padding": "SAME", "stride_w": 2, "stride_h": 2}),
    ("AVERAGE_POOL_2D", (1, 6, 7, 3), [], [(1, 3, 4, 3)], {"padding": "SAME", "stride_w": 2, "stride_h": 2}),
]


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "int16"])
@pytest.mark.parametrize("case", SAME_GRID, ids=lambda case: f"{case[0]}-{case[4]}" if case[4] else case[0])
def test_operators_on_one_grid_equal_litert(tmp_path, case, dtype):
    code, shape, constants, outputs, options = case
    if dtype == "uint8" and code == "RESIZE_BILINEAR":
        pytest.skip(
            "LiteRT interpolates uint8 in floating point, int8 and int16 in integers; refq has the integer rule"
        )
    if dtype == "int16" and code in ("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"):
        pytest.skip("LiteRT has no int16 kernel")
    if code.endswith("POOL_2D"):
        options = {**options, "filter_width": 3, "filter_height": 2}
    x = tensor("x", shape, dtype)
    ys = [tensor(f"y{i}", s, dtype) for i, s in enumerate(outputs)]
    model = single(code, [x, *(ints(f"c{i}", c) for i, c in enumerate(constants))], ys, options)
    agree(tmp_path, model, [fresh(seeded(code), x)])


OWN_GRID = [  # operator, input shapes, output shape, options
    ("ADD", [(1, 4, 6), (1, 4, 6)], (1, 4, 6), {"fused_activation_function": "RELU"}),
    ("ADD", [(1, 4, 6), (6,)], (1, 4, 6), {}),
    ("SUB", [(1, 4, 6), (1, 1, 6)], (1, 4, 6), {"fused_activation_function": "RELU6"}),
    ("MUL", [(1, 4, 6), (1, 4, 6)], (1, 4, 6), {"fused_activation_function": "RELU_N1_TO_1"}),
    ("BATCH_MATMUL", [(1, 4, 6), (1, 6, 5)], (1, 4, 5), {}),
    ("BATCH_MATMUL", [(1, 4, 6), (1, 5, 6)], (1, 4, 5), {"adj_y": True}),
    ("LEAKY_RELU", [(1, 4, 6)], (1, 4, 6), {"alpha": 0.3}),
    ("RELU", [(1, 4, 6)], (1, 4, 6), {}),
    ("RELU6", [(1, 4, 6)], (1, 4, 6), {}),
    ("RELU_N1_TO_1", [(1, 4, 6)], (1, 4, 6), {}),
    ("QUANTIZE", [(1, 4, 6)], (1, 4, 6), {}),
]


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "int16"])
@pytest.mark.parametrize("case", OWN_GRID, ids=lambda case: f"{case[0]}-{case[3]}" if case[3] else case[0])
def test_operators_on_their_own_grid_equal_litert(tmp_path, case, dtype):
    code, shapes, out, options = case
    if dtype == "float32" and code == "QUANTIZE":
        pytest.skip("QUANTIZE gives codes")
    if (dtype, code) in (("int16", "RELU_N1_TO_1"), ("uint8", "BATCH_MATMUL")):
        pytest.skip(f"LiteRT has no {dtype} kernel")
    scales = (0.07, 0.031) if dtype != "int16" else (0.0003, 0.00011)
    xs = [tensor(f"x{i}", s, dtype, scales[i], 15 - 9 * i) for i, s in enumerate(shapes)]
    y = tensor("y", out, dtype, 0.09 if dtype != "int16" else 0.0004, 11)
    rng = seeded(code)
    agree(tmp_path, single(code, xs, [y], options), [fresh(rng, x) for x in xs])


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pack_equals_litert(tmp_path, axis, dtype):
    xs = [tensor(f"x{i}", (3, 4), dtype) for i in range(2)]
    shape = [3, 4]
    shape.insert(axis, 2)
    model = single("PACK", xs, [tensor("y", shape, dtype)], {"values_count": 2, "axis": axis})
    rng = seeded("PACK")
    agree(tmp_path, model, [fresh(rng, x) for x in xs])


def test_padv2_margin_is_a_code_of_the_input_grid(tmp_path):
    x, value = tensor("x", (1, 3, 4), "int8"), replace(tensor("v", (1,), "int8"), data=[17])
    model = single("PADV2", [x, ints("p", [[0, 0], [1, 2], [3, 0]]), value], [tensor("y", (1, 6, 7), "int8")])
    agree(tmp_path, model, [fresh(seeded("PADV2"), x)])


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("kernel", [(3, 2), (1, 4), (4, 5)])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_transpose_conv_equals_litert(tmp_path, padding, stride, kernel, dtype):
    rng = seeded(padding)
    height, width = 4, 5
    size = [
        n * s if padding == "SAME" else (n - 1) * s + k for n, s, k in zip((height, width), stride, kernel, strict=True)
    ]
    x = tensor("x", (1, height, width, 3), dtype, 0.05, 4)
    scale = rng.uniform(0.01, 0.02, 2)
    w_shape = (2, *kernel, 3)
    if dtype == "float32":
        w = Tensor("w", w_shape, dtype, data=rng.normal(size=w_shape))
    else:
        w = Tensor("w", w_shape, dtype, scale=scale, data=rng.integers(-127, 128, w_shape))
    y = tensor("y", (1, *size, 2), dtype, 0.2, -6)
    options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1]}
    model = single("TRANSPOSE_CONV", [ints("s", [1, *size, 2]), w, x], [y], options, version=3)
    agree(tmp_path, model, [fresh(rng, x)])


def test_a_shape_computed_in_the_file_is_known_when_it_is_read(tmp_path):
    """SHAPE -> STRIDED_SLICE -> PACK -> RESHAPE: how converters write a flatten of unknown batch."""
    tensors = [
        tensor("x", (1, 4, 6), "int8"),
        Tensor("shape", (3,), "int32"),
        *(ints(n, [v]) for n, v in (("from", 0), ("to", 1), ("by", 1))),
        Tensor("batch", (), "int32"),
        Tensor("width", (), "int32", data=np.int32(24)),
        Tensor("target", (2,), "int32"),
        tensor("y", (1, 24), "int8"),
    ]
    ops = [
        Op("SHAPE", ["x"], ["shape"], {"out_type": 2}),
        Op("STRIDED_SLICE", ["shape", "from", "to", "by"], ["batch"], {"shrink_axis_mask": 1}),
        Op("PACK", ["batch", "width"], ["target"], {"values_count": 2}),
        Op("RESHAPE", ["x", "target"], ["y"]),
    ]
    model = build(tensors, ops, ["x"], ["y"])
    x = fresh(seeded("shape"), tensors[0])
    agree(tmp_path, model, [x])
    graph = refq.load(tmp_path / "model.tflite")
    assert refq.run(graph, np.concatenate([x] * 3), path="integer").shape == (3, 24)


@pytest.mark.parametrize("code", ["EMBEDDING_LOOKUP", "GATHER"])
def test_plain_integers_stay_integers_and_choose_rows_of_a_table(tmp_path, code):
    """Indices have no grid: their sum is the same on every path."""
    table = Tensor("table", (10, 4), "int8", scale=0.1, zero_point=3, data=np.arange(40).reshape(10, 4))
    tensors = [
        Tensor("x", (5,), "int32"),
        ints("two", [2]),
        Tensor("rows", (5,), "int32"),
        table,
        Tensor("y", (5, 4), "int8", scale=0.1, zero_point=3),
    ]
    operands = ["rows", "table"] if code == "EMBEDDING_LOOKUP" else ["table", "rows"]
    ops = [Op("ADD", ["x", "two"], ["rows"]), Op(code, operands, ["y"])]
    agree(tmp_path, build(tensors, ops, ["x"], ["y"]), [np.array([0, 7, 3, 3, 5], np.int32)])


@pytest.mark.parametrize("dtype", ["float32", "int8", "int16"])
def test_splits_equal_litert(tmp_path, dtype):
    x = tensor("x", (1, 4, 6), dtype)
    rng = seeded("SPLIT")
    parts = [tensor(f"y{i}", (1, 4, 2), dtype) for i in range(3)]
    agree(tmp_path, single("SPLIT", [ints("axis", 2), x], parts, {"num_splits": 3}), [fresh(rng, x)])
    parts = [tensor(f"y{i}", (1, 4, n), dtype) for i, n in enumerate((1, 3, 2))]
    operands = [x, ints("sizes", [1, -1, 2]), ints("axis", -1)]
    agree(tmp_path, single("SPLIT_V", operands, parts, {"num_splits": 3}), [fresh(rng, x)])


def test_casts_between_plain_types_equal_litert(tmp_path):
    x = Tensor("x", (1, 5), "float32")
    to_integer = single(
        "CAST", [x], [Tensor("y", (1, 5), "int32")], {"in_data_type": "FLOAT32", "out_data_type": "INT32"}
    )
    agree(tmp_path, to_integer, [np.array([[-2.7, -0.5, 0.5, 1.5, 100.0]], np.float32)])
