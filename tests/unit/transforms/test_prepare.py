from dataclasses import replace
from math import inf

import numpy as np

import refq
from refq.transforms import fold_batchnorm, fuse_activation, prepare
from tests.unit.small_graphs import images, residual


def test_folding_and_fusing_keep_every_remaining_tensor():
    graph = residual()
    prepared = prepare(graph)
    before, after = refq.trace(graph, images(3)), refq.trace(prepared, images(3))
    assert [node.op for node in prepared.nodes] == ["Conv2D", "Conv2D", "Add", "Reshape", "Dense"]
    assert set(after) == set(before) - {"conv", "bn"}
    for name, values in after.items():
        np.testing.assert_allclose(values, before[name], rtol=1e-5, atol=1e-6)


def test_a_fused_relu_becomes_a_clamp_of_the_node_that_feeds_it():
    first = prepare(residual()).nodes[0]
    assert (first.name, first.outputs, first.clamp) == ("conv", ("act",), (0.0, inf))


def test_a_normalization_whose_input_has_another_reader_stays():
    graph = residual()
    shared = replace(graph, outputs=(*graph.outputs, "conv"))
    assert "BatchNormalization" in [node.op for node in fold_batchnorm(shared).nodes]


def test_other_activations_are_not_fused():
    assert [node.op for node in fuse_activation(residual(relu=False)).nodes].count("Sigmoid") == 1


def test_folding_shapes_only_gives_shapes_only():
    graph = residual()
    hollow = replace(
        graph,
        constants={name: np.broadcast_to(np.float32(0), a.shape) for name, a in graph.constants.items()},
        shape_only=frozenset(graph.constants),
    )
    folded = fold_batchnorm(hollow)
    assert folded.shape_only == set(folded.constants)
    assert all(array.strides == (0,) * array.ndim for array in folded.constants.values())


def test_the_transformed_graph_is_another_value():
    graph = residual()
    names = [node.name for node in graph.nodes]
    prepare(graph)
    assert [node.name for node in graph.nodes] == names
