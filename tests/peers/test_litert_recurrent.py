"""SVDF and sequence LSTM against LiteRT's reference kernels: every element equal."""

import numpy as np
import pytest

import refq

pytest.importorskip("ai_edge_litert")

from refq.errors import UnsupportedError
from refq.layers import layer_for
from refq.numerics import LITERT
from tests.peers.agreement import agree
from tests.peers.litert import Op, Tensor, build, interpreter

SEEDS = range(12)


def int8(rng, shape, low=-127):
    return rng.integers(low, 128, shape).astype(np.int8)


def svdf_model(rng, rank, units, memory, width, batch, bias):
    filters = rank * units
    scales = np.float32(rng.uniform(0.002, 0.02, 3))
    # State codes of about 10000, output codes of about 60: few of them clamp.
    state_scale = np.float32(width**0.5 * scales[0] * scales[1] * rng.uniform(0.7, 1.5))
    y_scale = np.float32(state_scale * scales[2] * rank**0.5 * 1e5 * rng.uniform(0.7, 1.5))
    tensors = [
        Tensor("x", (batch, width), scale=scales[0], zero_point=int(rng.integers(-128, 128))),
        Tensor("w", (filters, width), scale=scales[1], data=int8(rng, (filters, width))),
        Tensor("u", (filters, memory), "int16", scale=scales[2], data=rng.integers(-999, 999, (filters, memory))),
        Tensor("b", (units,), "int32", scale=state_scale * scales[2], data=rng.integers(-(10**6), 10**6, units)),
        Tensor("state", (batch, memory * filters), "int16", scale=state_scale, is_variable=True),
        Tensor("y", (batch, units), scale=y_scale, zero_point=int(rng.integers(-128, 128))),
    ]
    inputs = ["x", "w", "u", "b" if bias else "", "state"]
    options = {"rank": rank, "fused_activation_function": "RELU"}  # the only one the integer kernel takes
    return build(tensors, [Op("SVDF", inputs, ["y"], options)], ["x"], ["y"])


@pytest.mark.parametrize("seed", SEEDS)
def test_svdf_of_int8_agrees(tmp_path, seed):
    rng = np.random.default_rng(seed)
    batch, width = int(rng.integers(1, 4)), int(rng.integers(1, 20))
    model = svdf_model(
        rng, int(rng.integers(1, 4)), int(rng.integers(1, 9)), int(rng.integers(1, 8)), width, batch, seed % 3 > 0
    )
    agree(tmp_path, model, [int8(rng, (batch, width), -128)], integer=True)


def test_svdf_steps_of_one_run_are_the_runs_of_a_model_that_keeps_its_state(tmp_path):
    rng = np.random.default_rng(99)
    model = svdf_model(rng, 2, 5, 4, 6, 2, True)
    steps = int8(rng, (7, 2, 6), -128)
    made, wanted = interpreter(model), []
    for step in steps:
        made.set_tensor(made.get_input_details()[0]["index"], step)
        made.invoke()
        wanted.append(made.get_tensor(made.get_output_details()[0]["index"]))
    path = tmp_path / "svdf.tflite"
    path.write_bytes(model)
    graph = refq.load(path)
    layer = layer_for(graph.nodes[0])
    grids = [graph.tensors[name].qparams if name else None for name in graph.nodes[0].inputs]
    codes = [None if not name else graph.constants.get(name) for name in graph.nodes[0].inputs]
    out = graph.tensors["y"].qparams
    found = layer.integer([steps.swapaxes(0, 1), *codes[1:]], grids, out, LITERT)
    np.testing.assert_array_equal(np.clip(found, out.qmin, out.qmax), np.stack(wanted, axis=1))


def lstm_model(rng, batch, time, width, size, time_major, clip=0.0, peephole=False):
    x_scale, h_scale = np.float32(rng.uniform(0.005, 0.03)), np.float32(rng.uniform(0.004, 0.0079))
    h_zero, power = int(rng.integers(-20, 20)), int(rng.integers(-15, -8))
    shape = (time, batch, width) if time_major else (batch, time, width)
    tensors, inputs = [Tensor("x", shape, scale=x_scale, zero_point=int(rng.integers(-128, 128)))], ["x"]

    def add(name, shape, dtype, scale, data):
        tensors.append(Tensor(name, shape, dtype, scale=scale, data=data))
        inputs.append(name)
        return scale

    input_scales = []
    for kind, columns in (("w", width), ("u", size)):
        for k in range(4):
            weights, scale = int8(rng, (size, columns)), np.float32(rng.uniform(0.002, 0.01))
            input_scales.append(add(f"{kind}{k}", weights.shape, "int8", scale, weights))
    if peephole:
        add("p", (size,), "int16", np.float32(2.0**-15), rng.integers(-999, 999, size))
    inputs += ["", ""] if peephole else ["", "", ""]
    for k in range(4):
        add(f"b{k}", (size,), "int32", x_scale * input_scales[k], rng.integers(-8000, 8000, size))
    inputs += ["", "", "h", "c", "", "", "", ""]
    y_shape = (*shape[:2], size)
    tensors += [
        Tensor("h", (batch, size), scale=h_scale, zero_point=h_zero, is_variable=True),
        Tensor("c", (batch, size), "int16", scale=2.0**power, is_variable=True),
        Tensor("y", y_shape, scale=h_scale, zero_point=h_zero),
        *(Tensor(f"i{k}", (), "int16", scale=2.0**-12) for k in range(4)),
        Tensor("i4", (), "int8", scale=h_scale, zero_point=h_zero),
    ]
    options = {"fused_activation_function": "TANH", "cell_clip": clip, "time_major": time_major}
    op = Op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, ["y"], options, intermediates=[f"i{k}" for k in range(5)], version=3
    )
    return build(tensors, [op], ["x"], ["y"]), shape


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_lstm_of_int8_agrees(tmp_path, seed, time_major):
    rng = np.random.default_rng(seed)
    batch, time, width, size = (int(rng.integers(1, n)) for n in (4, 9, 20, 17))
    model, shape = lstm_model(rng, batch, time, width, size, time_major, clip=0.4 if seed % 4 == 0 else 0.0)
    agree(tmp_path, model, [int8(rng, shape, -128)], integer=True)


def test_float_lstm_agrees_within_rounding(tmp_path):
    rng = np.random.default_rng(5)
    batch, time, width, size = 2, 7, 5, 6
    tensors, inputs = [Tensor("x", (batch, time, width), "float32")], ["x"]
    shapes = [*[(size, width)] * 4, *[(size, size)] * 4, *[None] * 3, *[(size,)] * 4, None, None]
    for k, shape in enumerate(shapes):
        inputs.append("" if shape is None else f"p{k}")
        if shape is not None:
            tensors.append(Tensor(f"p{k}", shape, "float32", data=rng.normal(0, 0.5, shape)))
    tensors += [
        Tensor("h", (batch, size), "float32", is_variable=True),
        Tensor("c", (batch, size), "float32", is_variable=True),
        Tensor("y", (batch, time, size), "float32"),
    ]
    options = {"fused_activation_function": "TANH", "cell_clip": 0.5}
    op = Op("UNIDIRECTIONAL_SEQUENCE_LSTM", [*inputs, "h", "c", "", "", "", ""], ["y"], options)
    model = build(tensors, [op], ["x"], ["y"])
    agree(tmp_path, model, [rng.normal(size=(batch, time, width)).astype(np.float32)])


def test_peepholes_are_refused_by_name(tmp_path):
    rng = np.random.default_rng(6)
    model, _ = lstm_model(rng, 1, 2, 3, 4, False, peephole=True)
    path = tmp_path / "peephole.tflite"
    path.write_bytes(model)
    with pytest.raises(UnsupportedError, match="peepholes not supported"):
        refq.load(path)
