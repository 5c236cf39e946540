"""Graph -> Workload: folding, totals, lifetimes, refusals."""

import numpy as np
import pytest

from hwsim.errors import WorkloadError
from hwsim.workload import from_graph
from refq.graph import Graph, Node, TensorSpec


def graph_of(nodes, shapes, constants):
    tensors = {name: TensorSpec(name=name, shape=shape) for name, shape in shapes.items()}
    held = {name: np.zeros(shapes[name], np.float32) for name in constants}
    return Graph(name="g", nodes=nodes, tensors=tensors, constants=held, inputs=("x",), outputs=(nodes[-1].output,))


def two_dense(second_weight="w"):
    nodes = (
        Node(op="Dense", name="a", inputs=("x", "w", "b"), outputs=("h",)),
        Node(op="Relu", name="r", inputs=("h",), outputs=("hr",)),
        Node(op="Dense", name="c", inputs=("hr", second_weight), outputs=("y",)),
        Node(op="Add", name="s", inputs=("y", "x"), outputs=("z",)),
    )
    shapes = dict.fromkeys(("x", "h", "hr", "y", "z"), (1, 8)) | {"w": (8, 8), "b": (8,)}
    return graph_of(nodes, shapes, ("w", "b"))


def test_activations_are_fused_and_shared_weights_counted_once():
    workload = from_graph(two_dense())
    assert [layer.op for layer in workload.layers] == ["Dense", "Dense", "Add"]
    assert workload.macs == 2 * 64
    assert workload.params == 64 + 8
    assert workload.weight_bytes == 64 + 4 * 8


def test_peak_counts_what_is_alive_at_once():
    assert from_graph(two_dense()).activation_peak_bytes == 3 * 8  # x is kept for the Add beside input and output of c


def test_bits_come_from_the_arguments_where_the_graph_is_not_quantized():
    workload = from_graph(two_dense(), weights=4, activations=4)
    assert workload.weight_bytes == 32 + 4 * 8
    assert workload.activation_peak_bytes == 3 * 4


def test_batch_multiplies_work_and_activations_not_weights():
    one, four = from_graph(two_dense()), from_graph(two_dense(), batch=4)
    assert (four.macs, four.activation_peak_bytes) == (4 * one.macs, 4 * one.activation_peak_bytes)
    assert four.weight_bytes == one.weight_bytes


def test_a_batch_below_one_is_refused():
    with pytest.raises(WorkloadError, match="batch=0 must be at least 1"):
        from_graph(two_dense(), batch=0)
