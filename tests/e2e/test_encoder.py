"""Encoder blocks of a transformer in integers: attention, residual sums, normalizations, GELU."""

from math import erf, sqrt

import h5py
import numpy as np
import pytest

import refq
from models.keras_writer import Network
from refq.errors import UnsupportedError
from refq.graph import Node
from tests.unit.small_graphs import assemble

EPSILON = 1e-6
SIZES = [(16, 64, 4), (24, 96, 8), (64, 256, 8)]


def parameters(width: int, heads: int, hidden: int, seed: int) -> dict[str, np.ndarray]:
    """Keras names and layouts of one block's weights."""
    rng, size = np.random.default_rng(seed), width // heads

    def normal(*shape, scale):
        return rng.normal(0, scale, shape).astype(np.float32)

    found = {}
    for part in ("query", "key", "value"):
        found[f"attention/{part}/kernel"] = normal(width, heads, size, scale=sqrt(1 / width))
        found[f"attention/{part}/bias"] = normal(heads, size, scale=0.2)
    found["attention/attention_output/kernel"] = normal(heads, size, width, scale=sqrt(1 / width))
    found["attention/attention_output/bias"] = normal(width, scale=0.2)
    for name, shape in (("up", (width, hidden)), ("down", (hidden, width))):
        found[f"{name}/kernel"] = normal(*shape, scale=sqrt(1 / shape[0]))
        found[f"{name}/bias"] = normal(shape[1], scale=0.2)
    for name in ("norm", "norm_1"):
        found[f"{name}/gamma"] = rng.uniform(0.5, 1.5, width).astype(np.float32)
        found[f"{name}/beta"] = normal(width, scale=0.2)
    return found


def keras_file(path, length: int, width: int, heads: int, seed: int, causal: bool = False) -> dict[str, np.ndarray]:
    net = Network("encoder")
    x = net.input((length, width))
    x = net.layer_norm(
        net.add(x, net.attention(x, heads, width // heads, causal, "attention")), epsilon=EPSILON, name="norm"
    )
    y = net.dense(net.dense(x, 4 * width, activation="gelu", name="up"), width, name="down")
    net.output(net.layer_norm(net.add(x, y), epsilon=EPSILON, name="norm_1"))
    net.save(path)
    p = parameters(width, heads, 4 * width, seed)
    with h5py.File(path, "r+") as file:
        for name, value in p.items():
            layer = name.partition("/")[0]
            file[f"model_weights/{layer}/{name}"][...] = value
    return p


def graph_by_hand(length: int, width: int, heads: int, seed: int):
    """The same block without a file; the factor 1 / sqrt(size) is folded into the query's weights."""
    p, size = parameters(width, heads, 4 * width, seed), width // heads
    constants, nodes = {}, []
    shapes = {"x": (1, length, width), "y": (1, length, width)}

    def emit(op, name, inputs, sizes, **attrs):
        nodes.append(Node(op=op, name=name, inputs=tuple(inputs), outputs=(name,), attrs=attrs))
        shapes[name] = (1, *sizes)
        return name

    def dense(name, x, kernel, bias, out):
        constants[f"{name}/w"], constants[f"{name}/b"] = np.ascontiguousarray(kernel.T), bias
        return emit("Dense", name, [x, f"{name}/w", f"{name}/b"], (length, out))

    def norm(name, x, key):
        constants[f"{name}/gamma"], constants[f"{name}/beta"] = p[f"{key}/gamma"], p[f"{key}/beta"]
        inputs = [x, f"{name}/gamma", f"{name}/beta"]
        return emit("LayerNormalization", name, inputs, (length, width), axis=(-1,), epsilon=EPSILON)

    def by_head(part, factor):
        kernel, bias = p[f"attention/{part}/kernel"], p[f"attention/{part}/bias"]
        flat = dense(part, "x", kernel.reshape(width, width) * factor, bias.reshape(width) * factor, width)
        split = emit("Reshape", f"{part}/split", [flat], (length, heads, size), shape=(0, length, heads, size))
        return emit("Transpose", f"{part}/by_head", [split], (heads, length, size), perm=(0, 2, 1, 3))

    query = by_head("query", np.float32(1 / sqrt(size)))
    key, value = by_head("key", np.float32(1)), by_head("value", np.float32(1))
    scores = emit("BatchMatMul", "scores", [query, key], (heads, length, length), adj_b=True)
    weights = emit("Softmax", "weights", [scores], (heads, length, length))
    mixed = emit("BatchMatMul", "mixed", [weights, value], (heads, length, size))
    turned = emit("Transpose", "turned", [mixed], (length, heads, size), perm=(0, 2, 1, 3))
    joined = emit("Reshape", "joined", [turned], (length, width), shape=(0, length, width))
    out = p["attention/attention_output/kernel"].reshape(width, width)
    attended = dense("attended", joined, out, p["attention/attention_output/bias"], width)
    first = norm("first", emit("Add", "sum", ["x", attended], (length, width)), "norm")
    up = dense("up", first, p["up/kernel"], p["up/bias"], 4 * width)
    down = dense("down", emit("Gelu", "gelu", [up], (length, 4 * width)), p["down/kernel"], p["down/bias"], width)
    norm("y", emit("Add", "sum_1", [first, down], (length, width)), "norm_1")
    return assemble(nodes, shapes, constants)


def formula(p, x, heads, causal=False):
    """The block from its definition: Vaswani et al. 2017, in float64."""
    width = x.shape[-1]
    p = {name: value.astype(float) for name, value in p.items()}

    def project(part):
        return np.einsum("ntw,whs->nhts", x, p[f"attention/{part}/kernel"]) + p[f"attention/{part}/bias"][:, None]

    def normalized(v, name):
        spread = np.sqrt(v.var(axis=-1, keepdims=True) + EPSILON)
        return (v - v.mean(axis=-1, keepdims=True)) / spread * p[f"{name}/gamma"] + p[f"{name}/beta"]

    scores = np.einsum("nhts,nhus->nhtu", project("query"), project("key")) / sqrt(width // heads)
    if causal:
        scores = np.where(np.tri(x.shape[1], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    mixed = np.einsum("nhtu,nhus->nths", weights, project("value"))
    attended = np.einsum("nths,hsw->ntw", mixed, p["attention/attention_output/kernel"])
    first = normalized(x + attended + p["attention/attention_output/bias"], "norm")
    up = first @ p["up/kernel"] + p["up/bias"]
    gelu = up / 2 * (1 + np.vectorize(erf)(up / sqrt(2)))
    return normalized(first + gelu @ p["down/kernel"] + p["down/bias"], "norm_1")


def sequences(count, length, width, seed):
    return np.random.default_rng(seed).normal(0, 1, (count, length, width)).astype(np.float32)


def cosine(a, b):
    return float((a * b).sum() / sqrt(float((a * a).sum()) * float((b * b).sum())))


@pytest.fixture(params=[(*size, causal) for size in SIZES for causal in (False, True)], ids=str)
def encoder(request, tmp_path):
    """(float graph from a file, its weights, length, width, heads, causal)."""
    length, width, heads, causal = request.param
    p = keras_file(tmp_path / "encoder.h5", length, width, heads, seed=length, causal=causal)
    return refq.load(tmp_path / "encoder.h5"), p, length, width, heads, causal


def test_float_path_of_the_file_equals_the_definition(encoder):
    graph, p, length, width, heads, causal = encoder
    x = sequences(2, length, width, 1)
    np.testing.assert_allclose(refq.run(graph, x), formula(p, x.astype(float), heads, causal), atol=2e-5)


def test_encoder_in_integers_points_where_the_definition_points(encoder):
    graph, p, length, width, heads, causal = encoder
    quantized = refq.quantize(graph, sequences(8, length, width, 2), recipe="ibert")
    x = sequences(3, length, width, 3)
    y = refq.run(quantized, x, path="integer", arithmetic="ibert")
    assert cosine(formula(p, x.astype(float), heads, causal), y) >= 0.998
    for name, codes in refq.trace(quantized, x, "integer", "ibert").items():
        assert codes.dtype.kind == "i", name
    report = refq.compare(quantized, x, arithmetic="ibert")
    assert max(row.max_step for row in report.rows) <= 1, str(report)


@pytest.mark.parametrize("recipe", ["ibert", "int8"])
@pytest.mark.parametrize("seed", range(5))
def test_encoder_built_by_hand_runs_in_integers_with_either_recipe(recipe, seed):
    length, width, heads = 16, 64, 4
    graph = graph_by_hand(length, width, heads, seed)
    p = parameters(width, heads, 4 * width, seed)
    x = sequences(4, length, width, 10 + seed)
    exact = formula(p, x.astype(float), heads)
    np.testing.assert_allclose(refq.run(graph, x), exact, atol=2e-5)
    quantized = refq.quantize(graph, sequences(8, length, width, seed), recipe=recipe)
    assert cosine(exact, refq.run(quantized, x, path="integer", arithmetic="ibert")) >= 0.998
    report = refq.compare(quantized, x, arithmetic="ibert")
    assert max(row.max_step for row in report.rows) <= 1, str(report)


def test_recipe_ibert_widens_what_functions_read_and_nothing_else():
    graph = refq.quantize(graph_by_hand(8, 16, 2, 0), sequences(2, 8, 16, 0), recipe="ibert")
    bits = {spec.name: spec.qparams.bits for spec in graph.activations()}
    wide = {"scores": 16, "up": 16, "attended": 22, "sum": 22, "down": 22, "sum_1": 22}
    assert bits == {name: wide.get(name, 8) for name in bits}
    assert all(graph.tensors[name].qparams.is_symmetric for name in wide)


def test_integers_of_a_causal_encoder_do_not_see_later_positions(tmp_path):
    keras_file(tmp_path / "encoder.h5", 16, 64, 4, seed=5, causal=True)
    graph = refq.quantize(refq.load(tmp_path / "encoder.h5"), sequences(8, 16, 64, 0), recipe="ibert")
    x = sequences(2, 16, 64, 1)
    changed = x.copy()
    changed[:, 9:] = sequences(2, 7, 64, 2)
    y, other = (refq.run(graph, v, path="integer", arithmetic="ibert") for v in (x, changed))
    np.testing.assert_array_equal(y[:, :9], other[:, :9])
    assert (y[:, 9:] != other[:, 9:]).any()


def test_wide_codes_survive_a_file(tmp_path):
    graph = refq.quantize(graph_by_hand(8, 16, 2, 0), sequences(2, 8, 16, 0), recipe="ibert")
    refq.save(graph, tmp_path / "encoder_ibert.h5")
    x = sequences(2, 8, 16, 1)
    want = refq.trace(graph, x, "integer", "ibert")
    for name, codes in refq.trace(refq.load(tmp_path / "encoder_ibert.h5"), x, "integer", "ibert").items():
        np.testing.assert_array_equal(codes, want[name])


def test_wide_sums_are_refused_by_arithmetic_that_adds_in_shifted_int32():
    graph = refq.quantize(graph_by_hand(8, 16, 2, 0), sequences(2, 8, 16, 0), recipe="ibert")
    with pytest.raises(UnsupportedError, match="codes"):
        refq.run(graph, sequences(1, 8, 16, 1), path="integer", arithmetic="litert")
    node = next(node for node in graph.nodes if node.name == "sum")
    alone = assemble([node], dict.fromkeys(("x", "attended", "sum"), (1, 8, 16)), {}, ("x", "attended"), ("sum",))
    alone = alone.with_nodes(alone.nodes, tensors={name: graph.tensors[name] for name in alone.tensors})
    zeros = np.zeros((1, 8, 16), np.float32)
    with pytest.raises(UnsupportedError, match=r"Add of 22-bit codes leaves the int32 .* 'litert' adds in"):
        refq.run(alone, (zeros, zeros), path="integer", arithmetic="litert")


def test_steps_of_22_bits_are_told_from_rounding_errors_of_float32():
    rng = np.random.default_rng(0)
    rising_then_falling = np.where(np.arange(2048) < 1024, 3, -3)  # partial sums far beyond the sum
    weights = rng.normal(rising_then_falling, 1, (16, 2048))
    constants = {"w": weights, "b": rng.normal(0, 1, 16), "g": np.ones(16), "o": np.zeros(16)}
    constants = {name: value.astype(np.float32) for name, value in constants.items()}
    nodes = [
        Node(op="Dense", name="dense", inputs=("x", "w", "b"), outputs=("h",)),
        Node(op="LayerNormalization", name="norm", inputs=("h", "g", "o"), outputs=("y",)),
    ]
    graph = assemble(nodes, {"x": (1, 2048), "h": (1, 16), "y": (1, 16)}, constants)
    x = rng.uniform(0, 1, (64, 2048)).astype(np.float32)
    quantized = refq.quantize(graph, x, recipe="ibert")
    assert quantized.tensors["h"].qparams.bits == 22
    assert [row.max_step for row in refq.compare(quantized, x, arithmetic="ibert").rows] == [1, 1]
