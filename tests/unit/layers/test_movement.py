"""Layers that move, choose and compare: what they refuse, and how they live in a quantized graph."""

import numpy as np
import pytest

import refq
from refq.errors import AccumulatorOverflowError, RangeError, ShapeError, UnsupportedError
from refq.execute import run, trace
from refq.graph import Node, QParams
from refq.interpret import infer_shapes
from refq.layers import layer_for
from refq.numerics import LITERT
from tests.unit.small_graphs import assemble


def layer(op, **attrs):
    return layer_for(Node(op=op, name="node", inputs=(), outputs=(), attrs=attrs))


@pytest.mark.parametrize("op", ["MaxPool2D", "AveragePool2D"])
def test_a_window_of_padding_only_is_refused(op):
    wide = layer(op, pool=(2, 3), strides=(1, 1), padding=((0, 0), (0, 3)))
    with pytest.raises(RangeError, match=r"reaches pool=\(2, 3\)"):
        wide.infer_shape((1, 5, 5, 2))
    with pytest.raises(RangeError, match="a window would hold padding only"):
        wide.forward(np.zeros((1, 5, 5, 2), np.float32))
    narrow = layer(op, pool=(2, 3), strides=(1, 1), padding=((1, 1), (2, 2)))
    assert np.isfinite(narrow.forward(np.zeros((1, 5, 5, 2), np.float32))).all()


REFUSED = [  # op, attributes, input shapes, text
    ("Concatenate", {"axis": 2}, [(1, 3), (1, 3)], r"axis=2 does not exist in input shape \(1, 3\)"),
    ("Concatenate", {"axis": -3}, [(1, 3), (1, 3)], r"axis=-3 does not exist"),
    ("Concatenate", {"axis": 0}, [(1, 3), (1, 4)], r"shapes \(1, 3\) and \(1, 4\) differ"),
    ("Reverse", {"axes": (2,)}, [(1, 3)], r"axes \(2,\) do not exist"),
    ("ArgMax", {"axis": 2}, [(1, 3)], "axis=2 does not exist"),
    ("Softmax", {"axis": 2}, [(1, 3)], "axis=2 does not exist"),
    ("LogSoftmax", {"axis": -3}, [(1, 3)], "axis=-3 does not exist"),
    ("Cumsum", {"axis": -3}, [(1, 3)], "axis=-3 does not exist"),
    ("Split", {"sizes": (1, 1), "axis": 1}, [(1, 3)], r"sizes \(1, 1\) do not add up to 3"),
    ("Split", {"sizes": (3,), "axis": 2}, [(1, 3)], "axis=2 does not exist"),
    ("Gather", {"axis": 3}, [(1, 3), (2,)], "axis=3 does not exist"),
    ("Gather", {"axis": 1, "batch_dims": 1}, [(2, 3), (3, 4)], "batch_dims=1 does not fit"),
    ("GatherNd", {}, [(2, 3), (4, 3)], "rows of 1 to 2 numbers"),
    ("SpaceToDepth", {"block": 2}, [(1, 3, 4, 1)], "multiples of block=2"),
    ("DepthToSpace", {"block": 2}, [(1, 3, 4, 6)], "C a multiple of block=2 squared"),
    ("SpaceToBatch", {"block": (2,), "paddings": ((0, 0),)}, [(1, 3, 4)], r"is no multiple of block=\(2,\)"),
    ("SpaceToBatch", {"block": (1,), "paddings": ((-1, 0),)}, [(1, 3, 4)], "padded by"),
    ("BatchToSpace", {"block": (2,), "crops": ((0, 0),)}, [(3, 3, 4)], "does not fit block"),
    ("BatchToSpace", {"block": (2,), "crops": ((3, 3),)}, [(2, 3, 4)], "leave nothing"),
    ("Sum", {"axes": (2,)}, [(1, 3)], r"axes \(2,\) do not exist"),
    ("Select", {}, [(2,), (3,), (3,)], r"shapes \(2,\) and \(3,\) do not broadcast"),
    ("Less", {}, [(2,), (3,)], "do not broadcast"),
]


@pytest.mark.parametrize(("op", "attrs", "shapes", "text"), REFUSED)
def test_shapes_that_do_not_fit_are_refused_with_both_named(op, attrs, shapes, text):
    with pytest.raises(ShapeError, match=text):
        layer(op, **attrs).infer_shape(*shapes)


@pytest.mark.parametrize("op", ["Gather", "GatherNd"])
@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_its_axis_is_refused(op, index):
    with pytest.raises(RangeError, match=r"leave axis 0 of input shape \(3, 2\)"):
        layer(op).forward(np.zeros((3, 2)), np.array([[index]]))


def test_a_sum_beyond_the_accumulator_is_refused():
    grid = QParams(scale=1.0, zero_point=-128)
    codes = np.full((1, 2**24), 127, np.int8)
    with pytest.raises(AccumulatorOverflowError, match=str(255 * 2**24)):
        layer("Sum", axes=(1,)).integer([codes], [grid], grid, LITERT)


def graph_of_many_outputs():
    """Two halves of x, the larger of each place, and where along the line it is largest."""
    nodes = [
        Node(op="Split", name="split", inputs=("x",), outputs=("a", "b"), attrs={"sizes": (3, 3), "axis": 1}),
        Node(op="Greater", name="greater", inputs=("a", "b"), outputs=("first",)),
        Node(op="Select", name="select", inputs=("first", "a", "b"), outputs=("y",)),
        Node(op="ArgMax", name="place", inputs=("y",), outputs=("at",), attrs={"axis": 1, "output_type": "int32"}),
        Node(op="Gather", name="gather", inputs=("b", "order"), outputs=("turned",), attrs={"axis": 1}),
    ]
    shapes = {"x": (1, 6), **dict.fromkeys(("a", "b", "first", "y", "turned"), (1, 3)), "at": (1,)}
    constants = {"order": np.array([2, 0, 1], np.int32)}
    return assemble(nodes, shapes, constants, outputs=("y", "at", "turned"), name="many")


def test_a_graph_of_several_outputs_and_conditions_runs_on_every_path():
    graph = graph_of_many_outputs()
    x = np.random.default_rng(0).uniform(-1, 1, (32, 6)).astype(np.float32)
    a, b = x[:, :3], x[:, 3:]
    want = (np.maximum(a, b), np.maximum(a, b).argmax(axis=1), b[:, [2, 0, 1]])
    for found, expected in zip(run(graph, x), want, strict=True):
        np.testing.assert_array_equal(found, expected)
    quantized = refq.quantize(graph, x)
    step = float(quantized.tensors["x"].qparams.scale)
    for path in ("fake", "integer"):
        y, at, turned = run(quantized, x, path=path)
        assert np.abs(y - want[0]).max() <= 1.5 * step
        assert np.abs(turned - want[2]).max() <= 1.5 * step
        picked = np.take_along_axis(want[0], at[:, None].astype(int), axis=1)[:, 0]
        assert np.abs(picked - want[0].max(axis=1)).max() <= 1.5 * step
        assert at.dtype == np.int32


def test_integers_and_conditions_have_no_grid_and_parts_share_that_of_the_whole():
    x = np.random.default_rng(1).uniform(-1, 1, (8, 6)).astype(np.float32)
    quantized = refq.quantize(graph_of_many_outputs(), x)
    grids = {name: quantized.tensors[name].qparams for name in ("x", "a", "b", "first", "at", "turned")}
    assert grids["first"] is None
    assert grids["at"] is None
    assert grids["a"] == grids["b"] == grids["turned"] == grids["x"]
    values = trace(quantized, x, path="integer")
    assert values["first"].dtype == bool
    assert values["a"].dtype == np.int8


def test_the_batch_axis_follows_blocks_into_it_and_back():
    block, margins = (2, 2), ((0, 1), (0, 0))
    nodes = [
        Node(op="SpaceToBatch", name="in", inputs=("x",), outputs=("t",), attrs={"block": block, "paddings": margins}),
        Node(op="BatchToSpace", name="out", inputs=("t",), outputs=("y",), attrs={"block": block, "crops": margins}),
    ]
    graph = assemble(nodes, {"x": (1, 3, 4, 2), "t": (4, 2, 2, 2), "y": (1, 3, 4, 2)}, {})
    assert infer_shapes(graph, 5)["t"] == (20, 2, 2, 2)
    x = np.random.default_rng(0).uniform(-1, 1, (5, 3, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(run(graph, x), x)


def test_equal_codes_of_unlike_grids_compare_by_what_they_stand_for():
    grids = [QParams(scale=0.5), QParams(scale=0.25)]
    codes = [np.array([4, 4, 4], np.int8), np.array([8, 4, 9], np.int8)]  # 2.0 against 2.0, 1.0, 2.25
    for op, want in (("Equal", [1, 0, 0]), ("Greater", [0, 1, 0]), ("LessEqual", [1, 0, 1])):
        assert layer(op).integer(codes, grids, None, LITERT).tolist() == list(map(bool, want))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_codes_are_not_compared_with_plain_integers(order):
    grids = [QParams(scale=0.5), None]
    codes = [np.zeros(3, np.int8), np.zeros(3, np.int64)]
    less = layer_for(Node(op="Less", name="less", inputs=(), outputs=()))
    with pytest.raises(UnsupportedError, match="Less of codes and plain integers"):
        less.integer([codes[i] for i in order], [grids[i] for i in order], None, LITERT)
