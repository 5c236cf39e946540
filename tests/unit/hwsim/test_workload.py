"""Graph -> Workload: folding, totals, lifetimes, refusals."""

import numpy as np
import pytest

from hwsim.errors import WorkloadError
from hwsim.validate import Workloads
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


def test_a_concatenation_copies_the_inputs_that_something_else_reads():
    def joined(*extra):
        nodes = (
            Node(op="Relu", name="a", inputs=("x",), outputs=("p",)),
            Node(op="Dense", name="b", inputs=("p", "w"), outputs=("q",)),
            Node(op="Concatenate", name="c", inputs=("p", "q"), outputs=("y",)),
            *extra,
        )
        shapes = {"x": (1, 8), "p": (1, 8), "q": (1, 6), "y": (1, 14), "z": (1, 14), "w": (6, 8), "v": (1, 6)}
        return from_graph(graph_of(nodes, shapes, ("w",)), batch=3)

    copied = {layer.name: layer.copied for layer in joined().layers}
    assert copied == {"a": 0, "b": 0, "c": 3 * 8}  # q is written in place, p feeds b as well
    again = joined(Node(op="Relu", name="d", inputs=("q",), outputs=("v",)))
    assert next(layer.copied for layer in again.layers if layer.name == "c") == 3 * (8 + 6)


@pytest.mark.parametrize(("name", "joins"), [("densenet121", 58), ("inception_v1", 9), ("inception_v4", 19)])
def test_dense_blocks_copy_what_came_before_and_parallel_branches_nothing(name, joins):
    layers = [layer for layer in Workloads().find(name).layers if layer.op == "Concatenate"]
    assert len(layers) == joins
    before = 0
    if name == "densenet121":
        for first, count, size in ((64, 6, 56), (128, 12, 28), (256, 24, 14), (512, 16, 7)):
            before += size * size * sum(first + 32 * i for i in range(count))
    assert sum(layer.copied for layer in layers) == before
