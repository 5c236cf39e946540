"""Operators that move elements, over random shapes: every element as LiteRT's reference kernels have it."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from tests.peers.litert import Tensor
from tests.peers.random_grids import codes, compare, integers

DTYPES = ["int8", "int16", "uint8", "float32"]
GRIDS = {"int8": (0.03, -9), "uint8": (0.03, 141), "int16": (0.0004, 0)}


def tensor(name, shape, dtype):
    scale, zero = GRIDS.get(dtype, (None, 0))
    return Tensor(name, tuple(int(n) for n in shape), dtype, scale=scale, zero_point=zero)


def moved(tmp_path, code, dtype, shapes, outputs, constants=(), options=None, seed=0, first=(), **others):
    """Run an operator: constants `first`, then the inputs, then `constants`."""
    xs = [tensor(f"x{i}", shape, dtype) for i, shape in enumerate(shapes)]
    ys = [tensor(f"y{i}", shape, dtype) for i, shape in enumerate(outputs)]
    before = [integers(f"b{i}", c) for i, c in enumerate(first)]
    after = [integers(f"c{i}", c) for i, c in enumerate(constants)]
    rng = np.random.default_rng(seed)
    return compare(tmp_path, code, [*before, *xs, *after], ys, [codes(rng, x) for x in xs], options, **others)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gather_along_any_axis_equals_litert(tmp_path, dtype):
    for axis, batch_dims, places in ((0, 0, (3,)), (1, 0, (2, 2)), (-1, 0, ()), (2, 1, (2, 3)), (2, 2, (2, 3, 2))):
        shape = (2, 3, 4)
        rng = np.random.default_rng(axis % 3)
        x = tensor("x", shape, dtype)
        size = shape[axis]
        indices = integers("i", rng.integers(0, size, places))
        at = axis % 3
        y = tensor("y", (*shape[:at], *places[batch_dims:], *shape[at + 1 :]), dtype)
        compare(tmp_path, "GATHER", [x, indices], [y], [codes(rng, x)], {"axis": axis, "batch_dims": batch_dims})


def test_gather_by_computed_indices_equals_litert(tmp_path):
    x, i = tensor("x", (5, 4), "int8"), Tensor("i", (2, 3), "int32")
    values = [codes(np.random.default_rng(1), x), np.array([[0, 4, 2], [1, 1, 3]], np.int32)]
    compare(tmp_path, "GATHER", [x, i], [tensor("y", (2, 3, 4), "int8")], values, {"axis": 0})


@pytest.mark.parametrize("dtype", DTYPES)
def test_gather_nd_equals_litert(tmp_path, dtype):
    for rows, tail in ((1, (4, 5)), (2, (5,)), (3, ())):
        rng = np.random.default_rng(rows)
        places = np.stack([rng.integers(0, n, (2, 6)) for n in (3, 4, 5)[:rows]], axis=-1)
        moved(tmp_path, "GATHER_ND", dtype, [(3, 4, 5)], [(2, 6, *tail)], [places], seed=rows)


@pytest.mark.parametrize("dtype", DTYPES)
def test_splits_equal_litert(tmp_path, dtype):
    for axis in (1, -1, 2):
        part, sizes = [1, 6, 12], [2, 1, 3] if axis == 1 else [5, -1, 4]
        part[axis] //= 3
        moved(tmp_path, "SPLIT", dtype, [(1, 6, 12)], [part] * 3, first=[axis], options={"num_splits": 3})
        known = [3 if size == -1 else size for size in sizes]
        parts = [[size if i == axis % 3 else n for i, n in enumerate((1, 6, 12))] for size in known]
        moved(tmp_path, "SPLIT_V", dtype, [(1, 6, 12)], parts, [sizes, axis], {"num_splits": 3})
    moved(tmp_path, "SPLIT", dtype, [(1, 6)], [(1, 6)], first=[1], options={"num_splits": 1})


@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_and_depth_equal_litert(tmp_path, dtype):
    if dtype == "int16":
        pytest.skip("LiteRT has no int16 kernel")
    for block in (1, 2, 3):
        small, large = (2, 2, 3, 5 * block**2), (2, 2 * block, 3 * block, 5)
        moved(tmp_path, "DEPTH_TO_SPACE", dtype, [small], [large], options={"block_size": block})
        moved(tmp_path, "SPACE_TO_DEPTH", dtype, [large], [small], options={"block_size": block})


@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_and_batch_equal_litert(tmp_path, dtype):
    cases = [((2, 3), ((0, 0), (0, 0))), ((2, 2), ((1, 1), (0, 2))), ((1, 3), ((0, 0), (2, 1)))]
    for block, pairs in cases:
        tiles = (3, 4)
        whole = [n * b - sum(pair) for n, b, pair in zip(tiles, block, pairs, strict=True)]
        many, one = (2 * block[0] * block[1], *tiles, 3), (2, *whole, 3)
        moved(tmp_path, "SPACE_TO_BATCH_ND", dtype, [one], [many], [block, pairs])
        moved(tmp_path, "BATCH_TO_SPACE_ND", dtype, [many], [one], [block, pairs])
    moved(tmp_path, "SPACE_TO_BATCH_ND", dtype, [(2, 5, 3)], [(6, 2, 3)], [[3], [[1, 0]]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("code", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def test_resizing_to_random_sizes_equals_litert(tmp_path, code, dtype):
    if (code, dtype) == ("RESIZE_BILINEAR", "uint8"):
        pytest.skip("LiteRT interpolates uint8 in floating point; refq has the integer rule of int8 and int16")
    for number in range(100):
        rng = np.random.default_rng(number)
        before, after = rng.integers(1, 24, 2), rng.integers(1, 40, 2)
        options = [{}, {"half_pixel_centers": True}, {"align_corners": True}][number % 3]
        moved(tmp_path, code, dtype, [(1, *before, 2)], [(1, *after, 2)], [after], options, seed=number)


@pytest.mark.parametrize("dtype", DTYPES)
def test_margins_of_random_widths_equal_litert(tmp_path, dtype):
    for number in range(30):
        rng = np.random.default_rng(number)
        shape, margins = rng.integers(2, 5, 4), rng.integers(0, 3, (4, 2))
        shape[0] = 1
        margins[0] = 0
        out = shape + margins.sum(axis=1)
        moved(tmp_path, "PAD", dtype, [shape], [out], [margins], seed=number)
        if dtype != "float32":
            value = Tensor("v", (1,), dtype, scale=GRIDS[dtype][0], zero_point=GRIDS[dtype][1], data=[4 * number])
            x = tensor("x", shape, dtype)
            y = tensor("y", out, dtype)
            compare(tmp_path, "PADV2", [x, integers("m", margins), value], [y], [codes(rng, x)])
        mode = ["REFLECT", "SYMMETRIC"][number % 2]
        narrow = np.minimum(margins, shape[:, None] - (mode == "REFLECT"))
        narrow[0] = 0
        widths = shape + narrow.sum(axis=1)
        moved(tmp_path, "MIRROR_PAD", dtype, [shape], [widths], [narrow], {"mode": mode}, seed=number)


@pytest.mark.parametrize("dtype", DTYPES)
def test_orders_repeats_and_strides_equal_litert(tmp_path, dtype):
    for number in range(30):
        rng = np.random.default_rng(number)
        shape = rng.integers(2, 6, 4)
        perm = [0, *rng.permutation([1, 2, 3])]
        moved(tmp_path, "TRANSPOSE", dtype, [shape], [shape[perm]], [perm], seed=number)
        times = [1, *rng.integers(1, 4, 3)]
        moved(tmp_path, "TILE", dtype, [shape], [shape * times], [times], seed=number)
        moved(tmp_path, "REVERSE_V2", dtype, [shape], [shape], [[int(rng.integers(1, 4))]], seed=number)
        begin = [int(rng.integers(-n, n)) for n in shape]
        end, stride = (
            [int(rng.integers(-n - 2, n + 3)) for n in shape],
            [int(s) for s in rng.choice([-2, -1, 1, 2, 3], 4)],
        )
        masks = {"begin_mask": int(rng.integers(0, 16)) | 1, "end_mask": int(rng.integers(0, 16)) | 1}
        index = tuple(
            slice(None if masks["begin_mask"] >> i & 1 else b, None if masks["end_mask"] >> i & 1 else e, s)
            for i, (b, e, s) in enumerate(zip(begin, end, stride, strict=True))
        )
        out = np.empty(shape)[index].shape
        if 0 not in out:
            moved(tmp_path, "STRIDED_SLICE", dtype, [shape], [out], [begin, end, stride], masks, seed=number)


@pytest.mark.parametrize("dtype", DTYPES)
def test_joining_on_one_grid_equals_litert(tmp_path, dtype):
    for axis in (1, 2, -1):
        shapes = [[1, 3, 4], [1, 3, 4], [1, 3, 4]]
        shapes[1][axis] = 2
        out = [1, 3, 4]
        out[axis] = sum(shape[axis] for shape in shapes)
        moved(tmp_path, "CONCATENATION", dtype, shapes, [out], options={"axis": axis})
        stacked = [1, 3, 4]
        stacked.insert(axis % 4, 2)
        moved(tmp_path, "PACK", dtype, [(1, 3, 4)] * 2, [stacked], options={"axis": axis, "values_count": 2})


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "float32"])
def test_the_largest_of_every_row_equal_litert(tmp_path, dtype):
    for k in (1, 3, 9):
        x, out = tensor("x", (1, 4, 9), dtype), (1, 4, k)
        values = codes(np.random.default_rng(k), x)
        values[0, 1] = values[0, 1, 0]  # all equal: lower places come first
        compare(
            tmp_path, "TOPK_V2", [x, integers("k", k)], [tensor("y", out, dtype), Tensor("i", out, "int32")], [values]
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_stretching_equals_litert(tmp_path, dtype):
    for shape, target in (((1, 1, 4), (1, 3, 4)), ((4,), (2, 3, 4)), ((2, 1), (2, 5))):
        moved(tmp_path, "BROADCAST_TO", dtype, [shape], [target], [target], version=2)


@pytest.mark.parametrize("pair", [("int32", "float32"), ("float32", "int32"), ("bool", "float32"), ("int32", "int64")])
def test_casts_of_plain_numbers_equal_litert(tmp_path, pair):
    x, y = Tensor("x", (1, 50), pair[0]), Tensor("y", (1, 50), pair[1])
    values = codes(np.random.default_rng(2), x)
    compare(tmp_path, "CAST", [x], [y], [values * 20 if pair[0] == "float32" else values])
