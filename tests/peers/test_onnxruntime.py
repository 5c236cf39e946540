"""Quantized ONNX models: profile `onnx` on the integer path equals ONNX Runtime, code by code."""

import json

import numpy as np
import pytest

import refq

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.peers.onnx_models import answer, constant, model, node  # noqa: E402
from tests.peers.quantized_onnx_models import (  # noqa: E402
    FORMATS,
    TYPES,
    attention_net,
    branching_net,
    line_net,
    quantized,
    residual_net,
)

KINDS = {"int8": np.int8, "uint8": np.uint8}
SEEDS = range(12)


def file_order(graph, name, array):
    """An array of a trace as the file orders it."""
    return np.moveaxis(array, -1, 1) if name in json.loads(graph.meta.get("nhwc", "[]")) else array


NETS = {"residual": residual_net, "branching": branching_net, "attention": attention_net, "line": line_net}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("activations", "weights"), [("int8", "int8"), ("uint8", "int8"), ("uint8", "uint8")])
@pytest.mark.parametrize("per_channel", [False, True])
def test_networks_of_quantize_static_agree_in_every_output_code(tmp_path, net, form, activations, weights, per_channel):
    options = {"quant_format": FORMATS[form], "activation_type": TYPES[activations], "weight_type": TYPES[weights]}
    path = quantized(NETS[net](3), tmp_path, per_channel=per_channel, **options)
    graph = refq.load(path)
    grid, shape = graph.tensors[graph.outputs[0]].qparams, graph.tensors["x"].shape
    is_mixed = net == "branching" and form == "qoperator"  # ConvTranspose and ReduceMean stay real there
    for seed in range(6):
        x = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
        fake = refq.run(graph, x, path="fake")
        if is_mixed:
            with pytest.raises(
                refq.errors.GraphError, match="needs a grid on every real activation; t, pd, mp have none"
            ):
                refq.run(graph, x, path="integer", arithmetic="onnx")
            np.testing.assert_allclose(fake, answer(path, {"x": x})[0], atol=2.01 * grid.scale)
            continue
        y = refq.run(graph, x, path="integer", arithmetic="onnx")
        assert not np.rint((y - answer(path, {"x": x})[0]) / grid.scale).any()
        assert np.abs(fake - y).max() <= 3.01 * grid.scale


@pytest.mark.parametrize(("activations", "weights"), [("int8", "int8"), ("uint8", "int8"), ("uint8", "uint8")])
def test_every_code_inside_a_qoperator_network_agrees(tmp_path, activations, weights):
    options = {"activation_type": TYPES[activations], "weight_type": TYPES[weights], "per_channel": True}
    path = quantized(residual_net(7, 14), tmp_path, quant_format=FORMATS["qoperator"], **options)
    made, graph = onnx.load(path), refq.load(path)
    kind = onnx.TensorProto.INT8 if activations == "int8" else onnx.TensorProto.UINT8
    names = [name for n in made.graph.node for name in n.output if n.op_type != "DequantizeLinear"]
    made.graph.output.extend(onnx.helper.make_tensor_value_info(name, kind, None) for name in names)
    wide = tmp_path / "wide.onnx"
    onnx.save(made, wide)
    x = np.random.default_rng(4).normal(0, 1, (1, 3, 14, 14)).astype(np.float32)
    expected = dict(zip(names, answer(wide, {"x": x}, is_optimized=False)[1:], strict=True))
    found = refq.trace(graph, x, path="integer", arithmetic="onnx")
    assert {name for name in names if name in found} == set(names)
    for name in names:
        np.testing.assert_array_equal(file_order(graph, name, found[name]), expected[name], err_msg=name)


def grid(rng, kind, name, power=False, reach=1.0):
    """Scale and zero point initializers; powers of two put sums on ties, a small reach keeps zero in the middle."""
    scale = 2.0 ** rng.integers(-6, -2) if power else rng.uniform(0.01, 0.1)
    info = np.iinfo(kind)
    middle = (int(info.min) + int(info.max) + 1) // 2
    zero = middle + int(rng.uniform(-128, 128) * reach) if rng.random() < 0.8 else middle
    return [constant(f"{name}_s", np.float32(scale)), constant(f"{name}_z", np.asarray(zero, kind))]


def check_codes(made, kind, tmp_path, shapes, seed):
    """Run random codes through refq and ONNX Runtime and compare them."""
    path = tmp_path / "one.onnx"
    onnx.save(made, path)
    rng, info = np.random.default_rng(seed), np.iinfo(kind)
    feeds = {name: rng.integers(info.min, info.max + 1, shape).astype(kind) for name, shape in shapes.items()}
    y = refq.run(refq.load(path), feeds, path="integer", arithmetic="onnx")
    want = answer(path, feeds)[0]
    assert y.dtype == want.dtype == kind
    assert len(np.unique(want)) > 2
    np.testing.assert_array_equal(y, want)


def code_model(op, kind, inputs, initializers, shapes, domain="com.microsoft", **attrs):
    kind = onnx.TensorProto.INT8 if kind is np.int8 else onnx.TensorProto.UINT8
    return model([node(op, inputs, ["y"], domain=domain, **attrs)], shapes, ["y"], initializers, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_sums_and_products_of_codes(tmp_path, kind, seed, op):
    rng, kind, shape = np.random.default_rng(seed), KINDS[kind], (2, 5, 33, 7)
    held = [t for name in ("a", "b", "y") for t in grid(rng, kind, name, power=seed % 3 == 0)]
    names = ["a", "a_s", "a_z", "b", "b_s", "b_z", "y_s", "y_z"]
    shapes = {"a": shape, "b": shape}
    check_codes(code_model(op, kind, names, held, shapes), kind, tmp_path, shapes, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("QLinearSigmoid", {}),
        ("QLinearLeakyRelu", {"alpha": 0.13}),
        ("QLinearGlobalAveragePool", {"channels_last": 0}),
        ("QLinearAveragePool", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}),
    ],
)
def test_functions_and_pools_of_codes(tmp_path, kind, seed, op, attrs):
    rng, kind, shapes = np.random.default_rng(seed), KINDS[kind], {"x": (3, 40, 7, 9)}
    reach = 0.1 if "Pool" in op else 1.0
    held = [*grid(rng, kind, "x", seed % 3 == 0, reach), *grid(rng, kind, "y", seed % 3 == 0, reach)]
    if op == "QLinearSigmoid":  # a grid that holds [0, 1]
        held[2:] = [constant("y_s", np.float32(1 / 256)), constant("y_z", np.asarray(np.iinfo(kind).min, kind))]
    made = code_model(op, kind, ["x", "x_s", "x_z", "y_s", "y_z"], held, shapes, **attrs)
    check_codes(made, kind, tmp_path, shapes, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_softmax_of_codes(tmp_path, kind, seed):
    rng, kind, shapes = np.random.default_rng(seed), KINDS[kind], {"x": (50, 3, 37)}
    info, axis = np.iinfo(kind), [-1, 1, 2][seed % 3]
    held = grid(rng, kind, "x")
    low = 1 / 256 if seed % 2 else rng.uniform(0.001, 0.004)
    held += [constant("y_s", np.float32(low)), constant("y_z", np.asarray(info.min + 7 * (seed % 4 == 2), kind))]
    names = ["x", "x_s", "x_z", "y_s", "y_z"]
    made = code_model("QLinearSoftmax", kind, names, held, shapes, axis=axis, opset=13)
    check_codes(made, kind, tmp_path, shapes, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_concatenation_of_codes(tmp_path, kind, seed):
    rng, kind = np.random.default_rng(seed), KINDS[kind]
    shapes = {"a": (2, 5, 6, 7), "b": (2, 9, 6, 7)}
    held = [t for name in ("a", "b", "y") for t in grid(rng, kind, name, seed % 3 == 0)]
    names = ["y_s", "y_z", "a", "a_s", "a_z", "b", "b_s", "b_z"]
    check_codes(code_model("QLinearConcat", kind, names, held, shapes, axis=1), kind, tmp_path, shapes, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_convolutions_of_codes(tmp_path, kind, seed, groups):
    rng, kind, shapes = np.random.default_rng(seed), KINDS[kind], {"x": (2, 8, 11, 9)}
    per_channel, power = seed % 2 == 0, seed % 3 == 0
    w_kind = np.uint8 if kind is np.uint8 and seed % 4 == 1 else np.int8
    scales = 2.0 ** rng.integers(-9, -6, 16) if power else rng.uniform(0.001, 0.01, 16)
    zeros = np.zeros(16) if w_kind is np.int8 else rng.integers(100, 150, 16)
    count = slice(None) if per_channel and w_kind is np.int8 else 0
    info = np.iinfo(w_kind)
    held = [
        *grid(rng, kind, "x", power),
        *grid(rng, kind, "y", power),
        constant("w", rng.integers(info.min, info.max + 1, (16, 8 // groups, 3, 2)).astype(w_kind)),
        constant("w_s", scales[count].astype(np.float32)),
        constant("w_z", np.asarray(zeros[count], w_kind)),
        constant("b", rng.integers(-20000, 20000, 16).astype(np.int32)),
    ]
    names = ["x", "x_s", "x_z", "w", "w_s", "w_z", "y_s", "y_z", "b"]
    attrs = {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2], "group": groups}
    check_codes(code_model("QLinearConv", kind, names, held, shapes, "", **attrs), kind, tmp_path, shapes, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_matrix_products_of_codes(tmp_path, kind, seed):
    rng, kind, shapes = np.random.default_rng(seed), KINDS[kind], {"x": (2, 7, 19)}
    power, is_vector = seed % 3 == 0, seed % 2 == 0
    scales = 2.0 ** rng.integers(-9, -6, 13) if power else rng.uniform(0.001, 0.01, 13)
    held = [
        *grid(rng, kind, "x", power),
        *grid(rng, kind, "y", power),
        constant("w", rng.integers(-128, 128, (19, 13)).astype(np.int8)),
        constant("w_s", (scales if is_vector else scales[0]).astype(np.float32)),
        constant("w_z", np.zeros(13 if is_vector else (), np.int8)),
    ]
    names = ["x", "x_s", "x_z", "w", "w_s", "w_z", "y_s", "y_z"]
    check_codes(code_model("QLinearMatMul", kind, names, held, shapes, ""), kind, tmp_path, shapes, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_factor_of_a_convolution_is_formed_in_float32(tmp_path, seed):
    rng, kind = np.random.default_rng(seed), np.int8
    x_s, w_s, y_s = (np.float32(scale) for scale in rng.uniform([0.01, 0.001, 0.5], [0.02, 0.002, 5]))
    ties = (np.arange(-100, 100)[:, None] + 0.5) * float(y_s) / (float(x_s) * float(w_s)) + np.arange(-3, 4)
    bias = np.rint(ties).astype(np.int32).ravel()  # sums beside the ties, where the last bit of the factor decides
    held = [constant(f"{name}_s", scale) for name, scale in (("x", x_s), ("w", w_s), ("y", y_s))]
    held += [constant("zero", np.int8(0)), constant("w", np.ones((len(bias), 1, 1, 1), np.int8)), constant("b", bias)]
    names = ["x", "x_s", "zero", "w", "w_s", "zero", "y_s", "zero", "b"]
    shapes = {"x": (1, 1, 2, 2)}
    check_codes(code_model("QLinearConv", kind, names, held, shapes, ""), kind, tmp_path, shapes, seed)
