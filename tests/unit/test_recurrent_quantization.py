"""Recurrent layers from float weights to integers: what quantize gives the inner states."""

from dataclasses import replace

import numpy as np
import pytest

import refq
from refq.errors import UnsupportedError
from refq.graph import Graph, Node, TensorSpec
from refq.layers import layer_for
from refq.quantizers.apply import quantize_array


def recurrent_graph(op, shapes, seed=0, **attrs):
    rng = np.random.default_rng(seed)
    constants = {name: rng.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items() if name != "x"}
    specs = {name: TensorSpec(name=name, shape=shape) for name, shape in shapes.items()}
    node = Node(op=op, name="cell", inputs=tuple(shapes), outputs=("y",), attrs=attrs)
    shape = layer_for(node).infer_shape(*shapes.values())
    shapes_out = shape if isinstance(shape[0], tuple) else (shape,)
    specs |= {name: TensorSpec(name=name, shape=s) for name, s in zip(("y", "state"), shapes_out, strict=False)}
    outputs = ("y", "state")[: len(shapes_out)]
    node = replace(node, outputs=outputs)
    return Graph(name="net", nodes=(node,), tensors=specs, constants=constants, inputs=("x",), outputs=outputs)


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(64, 12, 5)).astype(np.float32)


LSTM_SHAPES = {"x": (1, 12, 5), "w": (28, 5), "u": (28, 7), "b": (28,)}
SVDF_SHAPES = {"x": (1, 12, 5), "w": (8, 5), "u": (8, 3), "b": (4,)}


@pytest.mark.parametrize("arithmetic", ["litert", "cmsis-nn"])
def test_quantized_lstm_stays_close_to_the_float_one(x, arithmetic):
    graph = recurrent_graph("LSTM", LSTM_SHAPES, return_sequences=True)
    quantized = refq.quantize(graph, x)
    difference = refq.run(quantized, x, path="integer", arithmetic=arithmetic) - refq.run(graph, x)
    step = float(quantized.tensors["y"].qparams.scale)
    assert np.abs(difference).max() < 8 * step
    assert np.sqrt((difference**2).mean()) < 1.5 * step


def test_cell_state_gets_the_finest_power_of_two_that_holds_it(x):
    graph = recurrent_graph("LSTM", LSTM_SHAPES, return_sequences=True)
    layer = layer_for(graph.nodes[0])
    largest = np.abs(layer.inner(x, *(graph.constants[name] for name in "wub"))["cell"]).max()
    power = refq.quantize(graph, x).nodes[0].attrs["cell_power"]
    assert largest <= 32767 * 2.0**power
    assert largest > 32767 * 2.0 ** (power - 1)


@pytest.mark.parametrize(("op", "shapes", "attrs"), [("LSTM", LSTM_SHAPES, {}), ("Svdf", SVDF_SHAPES, {"rank": 2})])
def test_fake_and_integer_of_a_sequence_differ_by_few_steps_and_rarely(x, op, shapes, attrs):
    quantized = refq.quantize(recurrent_graph(op, shapes, **attrs), x)
    out = quantized.tensors["y"].qparams
    fake = quantize_array(refq.run(quantized, x, path="fake"), out).astype(int)
    integer = quantize_array(refq.run(quantized, x, path="integer"), out).astype(int)
    assert np.abs(fake - integer).max() <= 2
    assert np.mean(fake != integer) < 0.1


def test_svdf_memory_gets_a_grid_that_holds_it(x):
    graph = recurrent_graph("Svdf", SVDF_SHAPES, rank=2)
    attrs = refq.quantize(graph, x).nodes[0].attrs
    assert attrs["state_scale"] == pytest.approx(np.abs(x @ graph.constants["w"].T).max() / 32767, rel=1e-5)


def test_an_lstm_without_a_cell_grid_says_what_to_do(x):
    layer = layer_for(recurrent_graph("LSTM", LSTM_SHAPES).nodes[0])
    with pytest.raises(UnsupportedError, match=r"cell_power is not set; calibrate with refq\.quantize"):
        layer.fake([x, *(np.zeros(s, np.float32) for s in list(LSTM_SHAPES.values())[1:])], [], None)


def test_svdf_state_handed_over_continues_the_sequence(x):
    graph = recurrent_graph("Svdf", SVDF_SHAPES, rank=2, return_state=True)
    layer = layer_for(graph.nodes[0])
    operands = [graph.constants[name] for name in "wub"]
    whole, end = layer.forward(x, *operands)
    first, state = layer.forward(x[:, :5], *operands)
    second, last = layer.forward(x[:, 5:], *operands, state)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, end)
