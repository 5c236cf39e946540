import numpy as np
import pytest

from refq.errors import GraphError, RangeError, UnsupportedError
from refq.graph import Graph, Node, QParams, TensorSpec
from refq.layers import layer_for


def chain(*nodes: Node, tensors: str = "x y z") -> Graph:
    specs = {name: TensorSpec(name=name, shape=(1, 2)) for name in tensors.split()}
    return Graph(name="g", nodes=nodes, tensors=specs, constants={}, inputs=("x",), outputs=("y",))


def node(name: str, source: str, target: str) -> Node:
    return Node(op="Sigmoid", name=name, inputs=(source,), outputs=(target,))


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ((node("a", "z", "y"),), "'a' reads 'z', which nothing before it produces"),
        ((node("a", "x", "y"), node("b", "x", "y")), "'b' writes 'y', which already has a producer"),
        ((node("a", "x", "y"), node("a", "x", "z")), "two nodes are called 'a'"),
        ((node("a", "x", "w"),), "output 'y' has no producer"),
    ],
)
def test_a_graph_that_breaks_its_rules_is_refused(nodes, text):
    with pytest.raises(GraphError, match=text):
        chain(*nodes)


def test_dropping_nodes_drops_what_only_they_used():
    graph = chain(node("a", "x", "y"), node("b", "x", "z"))
    kept = graph.with_nodes(graph.nodes[:1])
    assert set(kept.tensors) == {"x", "y"}


def test_constants_of_a_graph_cannot_be_written():
    w = np.ones(3)
    graph = Graph(
        name="g",
        nodes=(),
        tensors={"w": TensorSpec(name="w", shape=(3,))},
        constants={"w": w},
        inputs=(),
        outputs=("w",),
    )
    with pytest.raises(ValueError, match="read-only"):
        graph.constants["w"][0] = 2


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"scale": 0.0}, "scale=0.0 must be positive and finite"),
        ({"scale": np.nan}, "must be positive and finite"),
        ({"scale": 1.0, "zero_point": 128}, r"zero_point=128 is outside the codes \[-128, 127\]"),
        ({"scale": [1.0, 2.0]}, "a vector of scales takes the axis"),
        ({"scale": 1.0, "bits": 65}, r"bits=65 is outside 1\.\.64"),
    ],
)
def test_grids_that_contradict_themselves_are_refused(kwargs, text):
    with pytest.raises(RangeError, match=text):
        QParams(**kwargs)


@pytest.mark.parametrize(
    ("bits", "signed", "narrow", "ends", "dtype"),
    [
        (8, True, False, (-128, 127), "int8"),
        (8, True, True, (-127, 127), "int8"),
        (8, False, False, (0, 255), "uint8"),
        (4, True, False, (-8, 7), "int8"),
        (12, False, False, (0, 4095), "uint16"),
        (32, True, False, (-(2**31), 2**31 - 1), "int32"),
    ],
)
def test_codes_of_a_width(bits, signed, narrow, ends, dtype):
    grid = QParams(scale=1.0, bits=bits, signed=signed, narrow=narrow)
    assert ((grid.qmin, grid.qmax), grid.dtype) == (ends, np.dtype(dtype))


def test_unknown_operations_and_attributes_are_named():
    with pytest.raises(UnsupportedError, match="operation 'Conv2d' has no layer; did you mean Conv2D"):
        layer_for(Node(op="Conv2d", name="n", inputs=(), outputs=()))
    with pytest.raises(GraphError, match="Conv2D 'n' has no attribute stride"):
        layer_for(Node(op="Conv2D", name="n", inputs=(), outputs=(), attrs={"stride": 2}))
