"""What inner layers of binary networks read, against the convolutions and grids of their papers."""

from dataclasses import replace

import numpy as np
import pytest

import refq
from refq.errors import GraphError, RangeError
from refq.graph import Node
from refq.layers.conv2d import Conv2D
from refq.quantizers import HORQ, ABCActivations
from refq.quantizers.xnor import xnor_convolution
from refq.transforms import binarize, residual_signs, scaled_signs, shifted_signs, without_relu
from tests.unit.small_graphs import assemble, images, residual
from tests.unit.training.test_quantized import chain

RNG = np.random.default_rng(0)


def signed(graph, strides=(1, 1), padding="same"):
    """The graph with weights -1 and +1 in the inner convolutions, and a stride and padding in the second one."""
    constants = dict(graph.constants)
    for name in ("conv1/kernel", "conv2/kernel"):
        constants[name] = np.where(constants[name] < 0, -1, 1).astype(np.float32)
    nodes = [
        replace(node, attrs={"strides": strides, "padding": padding}) if node.name == "conv1" else node
        for node in graph.nodes
    ]
    return replace(graph, constants=constants, nodes=tuple(nodes))


def test_signs_take_the_place_of_relu_in_front_of_inner_layers():
    graph = chain()
    assert [node.op for node in binarize(graph).nodes if node.name.startswith("relu")] == [
        "Binarize",
        "Binarize",
        "Relu",
    ]
    assert [node.op for node in without_relu(graph).nodes if node.name.startswith("relu")] == [
        "Identity",
        "Identity",
        "Relu",
    ]
    for form in (binarize, without_relu, scaled_signs, residual_signs(), shifted_signs()):
        with pytest.raises(GraphError, match="no ReLU in front of an inner layer"):
            form(residual(relu=False))


@pytest.mark.parametrize(
    ("strides", "padding", "before"),
    [((1, 1), "same", (1, 1)), ((2, 2), "same", (0, 0)), ((2, 1), ((2, 1), (0, 1)), (2, 0)), ((1, 1), "valid", (0, 0))],
)
def test_scaled_signs_are_the_convolution_of_xnor_net(strides, padding, before):
    graph = scaled_signs(signed(chain(), strides, padding))
    traced = refq.trace(graph, images(3), path="float")
    w = graph.constants["conv1/kernel"]
    found = traced["conv1"]
    wanted = xnor_convolution(traced["bn0"], w, strides=strides, before=before, out=found.shape[1:3])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_residual_signs_are_the_planes_of_horq_for_every_image(order):
    graph = residual_signs(order)(signed(chain()))
    traced = refq.trace(graph, images(4), path="float")
    x, w = traced["bn0"], graph.constants["conv1/kernel"]
    fitted = HORQ(order=order).fit(x, (1, 0, 0, 0))
    planes = fitted.dequantize(fitted.quantize(x))
    np.testing.assert_allclose(traced["conv1"], Conv2D(padding="same").forward(planes, w), rtol=1e-4, atol=1e-4)
    assert sum(node.op == "Conv2D" for node in graph.nodes) == 1 + 2 * order


@pytest.mark.parametrize("bases", [1, 3])
def test_shifted_signs_are_the_activations_of_abc_net(bases):
    graph = shifted_signs(bases)(signed(chain()))
    constants = dict(graph.constants)
    betas = RNG.uniform(0.2, 1, bases).astype(np.float32)
    shifts = RNG.uniform(-0.5, 0.5, bases).astype(np.float32)
    for n in range(bases):
        constants[f"conv1/scale{n + 1}"] = betas[n]
        constants[f"conv1/shift{n + 1}"] = shifts[n] - np.float32(0.5)
    traced = refq.trace(replace(graph, constants=constants), images(4), path="float")
    x = traced["bn0"]
    bits = [(np.clip(x + shift, 0, 1) >= 0.5) * 2.0 - 1 for shift in shifts]
    planes = sum(beta * b for beta, b in zip(betas, bits, strict=True))
    sums = Conv2D(padding="same").forward(planes, constants["conv1/kernel"])
    np.testing.assert_allclose(traced["conv1"], sums, rtol=1e-4, atol=1e-4)


def test_thresholds_start_as_those_of_the_grid():
    graph = shifted_signs(3)(chain())
    shifts = [float(graph.constants[f"conv1/shift{n}"]) + 0.5 for n in (1, 2, 3)]
    np.testing.assert_allclose(shifts, ABCActivations.spread_over(3).shifts, atol=1e-7)


def test_products_stay_binary_on_the_integer_path():
    graph = refq.quantize(residual_signs(2)(chain()), images(16), "w1a8", fold=False)
    codes = refq.trace(graph, images(4), path="integer")
    for node in graph.nodes:
        if node.op == "Conv2D" and node.name != "conv0":
            assert set(np.unique(codes[node.inputs[0]])) == {-1, 1}
            assert graph.tensors[node.inputs[1]].qparams.is_binary


def dense_chain():
    """Dense, normalization, ReLU, three times."""
    constants, nodes, shapes, x = {}, [], {"x": (1, 6)}, "x"
    for i in range(3):
        names = [f"bn{i}/{kind}" for kind in ("gamma", "beta", "mean", "variance")]
        constants[f"d{i}/kernel"] = RNG.choice([-1, 1], (6, 6)).astype(np.float32)
        constants |= dict(zip(names, RNG.uniform(0.5, 1, (4, 6)).astype(np.float32), strict=True))
        nodes += [
            Node(op="Dense", name=f"d{i}", inputs=(x, f"d{i}/kernel"), outputs=(f"d{i}",)),
            Node(op="BatchNormalization", name=f"bn{i}", inputs=(f"d{i}", *names), outputs=(f"bn{i}",)),
            Node(op="Relu", name=f"relu{i}", inputs=(f"bn{i}",), outputs=(f"relu{i}",)),
        ]
        x = f"relu{i}"
        shapes |= dict.fromkeys((f"d{i}", f"bn{i}", x), (1, 6))
    return assemble(nodes, shapes, constants, outputs=(x,))


def test_a_dense_layer_is_scaled_by_the_mean_magnitude_of_its_inputs():
    graph = scaled_signs(dense_chain())
    traced = refq.trace(graph, RNG.normal(size=(5, 6)).astype(np.float32), path="float")
    x, w = traced["bn0"], graph.constants["d1/kernel"]
    wanted = np.where(x >= 0, 1, -1) @ w.T * np.abs(x).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(traced["d1"], wanted, rtol=1e-5)


def test_layers_without_a_form_are_named():
    nodes = [
        replace(node, attrs={**node.attrs, "dilation": (2, 2)}) if node.name == "conv1" else node
        for node in chain().nodes
    ]
    with pytest.raises(GraphError, match="Conv2D 'conv1' has no map of scales"):
        scaled_signs(replace(chain(), nodes=tuple(nodes)))
    graph = chain()
    biased = [
        replace(node, inputs=(*node.inputs, "dense/bias")) if node.name == "conv2" else node for node in graph.nodes
    ]
    with pytest.raises(GraphError, match="Conv2D 'conv2' adds a bias"):
        shifted_signs(2)(replace(graph, nodes=tuple(biased)))
    for form in (residual_signs, shifted_signs):
        for count in (0, 9):
            with pytest.raises(RangeError, match=rf"={count} is outside 1\.\.8"):
                form(count)
