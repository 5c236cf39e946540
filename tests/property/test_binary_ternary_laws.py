"""Weights of one bit and of three levels, from the quantizer to the three paths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import refq
from refq.errors import CalibrationError, RangeError
from refq.graph import Graph, Node, QParams, TensorSpec
from refq.interpret import node_function
from refq.layers import layer_for
from refq.numerics import LITERT
from refq.quantizers import (
    Binary,
    PerChannel,
    PerTensor,
    Recipe,
    Scheme,
    Ternary,
    Uniform,
    dequantize_array,
    fake_quantize,
    quantize_array,
)
from tests.naive import objects, twin
from tests.naive.fixed_point import RULES

weights = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-8, 8, width=32))
MAC = ["Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense"]


def rows(w, per_channel):
    """The elements that share a scale, as lists of Python numbers."""
    return [[float(v) for v in row] for row in w] if per_channel else [[float(v) for v in w.ravel()]]


def granularity(per_channel):
    return PerChannel(0) if per_channel else PerTensor()


@given(w=weights, per_channel=st.booleans())
def test_binary_weights_are_the_mean_magnitude_times_the_sign(w, per_channel):
    grid, codes = Scheme(grid=Binary(), granularity=granularity(per_channel)).quantize(w)
    assert codes.tolist() == [[-1 if v < 0 else 1 for v in row] for row in w.tolist()]
    for scale, row in zip(np.atleast_1d(grid.scale), rows(w, per_channel), strict=True):
        assert float(scale) == pytest.approx(sum(map(abs, row)) / len(row), rel=1e-6, abs=1e-37)


@given(w=weights, per_channel=st.booleans())
def test_ternary_weights_follow_the_threshold_of_the_mean_magnitude(w, per_channel):
    grid, codes = Scheme(grid=Ternary(), granularity=granularity(per_channel)).quantize(w)
    found = rows(codes, per_channel)
    for scale, row, code in zip(np.atleast_1d(grid.scale), rows(w, per_channel), found, strict=True):
        delta = 0.7 * (sum(map(abs, row)) / len(row))
        kept = [abs(v) for v in row if abs(v) > delta]
        for v, c in zip(row, code, strict=True):
            if abs(abs(v) - delta) > 1e-9 * (1 + delta):
                assert c == (0 if abs(v) <= delta else -1 if v < 0 else 1)
        if kept and all(abs(abs(v) - delta) > 1e-9 * (1 + delta) for v in row):
            assert float(scale) == pytest.approx(sum(kept) / len(kept), rel=1e-6)


@given(w=weights, per_channel=st.booleans())
def test_the_scale_of_binary_weights_has_the_least_squared_error(w, per_channel):
    grid, codes = Scheme(grid=Binary(), granularity=granularity(per_channel)).quantize(w)
    scale = grid.along(grid.scale.astype(float), w.ndim)
    error = ((w - scale * codes) ** 2).sum()
    for factor in (0.9, 1.1):
        assert error <= ((w - scale * factor * codes) ** 2).sum() + 1e-9


def test_one_signed_bit_means_the_codes_minus_one_and_one():
    grid = QParams(scale=0.5, bits=1)
    assert (grid.qmin, grid.qmax, grid.dtype) == (-1, 1, np.int8)
    x = np.array([-3.0, -0.1, 0.0, -0.0, 0.1, 9.0], np.float32)
    assert quantize_array(x, grid).tolist() == [-1, -1, 1, 1, 1, 1]
    assert dequantize_array(np.array([-1, 1]), grid).tolist() == [-0.5, 0.5]
    assert fake_quantize(fake_quantize(x, grid), grid).tolist() == fake_quantize(x, grid).tolist()


@pytest.mark.parametrize("bad", [{"zero_point": 1}, {"narrow": True}])
def test_a_binary_grid_has_neither_zero_point_nor_narrow_range(bad):
    with pytest.raises(RangeError, match="one signed bit has the codes -1 and \\+1"):
        QParams(scale=1.0, bits=1, **bad)


def test_what_cannot_be_is_refused():
    with pytest.raises(RangeError, match="one signed bit has no zero: use Binary"):
        Uniform(bits=1)
    with pytest.raises(RangeError, match="activations on Binary"):
        Recipe(name="w1a1", activations=Scheme(grid=Binary()))
    with pytest.raises(RangeError, match="threshold=-1"):
        Ternary(threshold=-1)
    with pytest.raises(CalibrationError, match="no finite values"):
        Scheme(grid=Binary()).fit(np.array([np.nan]))


@pytest.mark.parametrize("op", MAC)
@pytest.mark.parametrize("grid", [Binary(), Ternary()])
def test_layers_with_few_weight_levels_equal_their_twins_and_their_fake_path(op, grid):
    for seed, case in enumerate(twin(op).CASES):
        rng = np.random.default_rng(seed)
        layer = layer_for(Node(op=op, name="node", inputs=(), outputs=(), attrs=case.attrs))
        x_shape, w_shape, b_shape = case.shapes
        x = rng.integers(-128, 128, x_shape).astype(np.int8)
        w_grid, w = Scheme(grid=grid, granularity=PerChannel(layer.weight_axis)).quantize(rng.normal(size=w_shape))
        b = None if b_shape is None else rng.integers(-500, 500, b_shape).astype(np.int32)
        x_grid = QParams(scale=0.03, zero_point=-11)
        b_grid = None if b is None else QParams(scale=x_grid.scale * w_grid.scale, axis=0, bits=32)
        out = QParams(scale=0.05, zero_point=9)
        y = layer.integer([x, w, b], [x_grid, w_grid, b_grid], out, LITERT)
        acc = twin(op).naive(layer, objects(x) + 11, objects(w), None if b is None else objects(b))
        scales = np.broadcast_to(w_grid.scale.astype(float), acc.shape[-1:])
        rule = RULES[LITERT.requantizer(op).name]
        for place in np.ndindex(acc.shape):
            real = float(x_grid.scale) * float(scales[place[-1]]) / float(out.scale)
            assert y[place] == rule(int(acc[place]), real) + 9
        grids = {"x": x_grid, "w": w_grid, "b": b_grid, "y": out}
        specs = {name: TensorSpec(name=name, shape=(), qparams=g) for name, g in grids.items()}
        names = ("x", "w", "b" if b is not None else "")
        node = Node(op=op, name="node", inputs=names, outputs=("y",), attrs=case.attrs)
        inputs = tuple(filter(None, names))
        graph = Graph(name="g", nodes=(node,), tensors=specs, constants={}, inputs=inputs, outputs=("y",))
        reals = [None if c is None else dequantize_array(c, grids[n]) for c, n in zip([x, w, b], "xwb", strict=True)]
        fake = quantize_array(node_function(graph, "fake", LITERT)(node, reals)[0], out).astype(int)
        assert np.abs(fake - np.clip(y, -128, 127)).max() <= 1


def small_network(rng):
    nodes = (
        Node(op="Conv2D", name="conv", inputs=("x", "w", "b"), outputs=("h",), clamp=(0.0, np.inf)),
        Node(op="Reshape", name="flat", inputs=("h",), outputs=("f",), attrs={"shape": (-1, 48)}),
        Node(op="Dense", name="dense", inputs=("f", "v", "c"), outputs=("y",)),
    )
    shapes = {"x": (1, 6, 6, 2), "w": (3, 3, 3, 2), "b": (3,), "h": (1, 4, 4, 3), "f": (1, 48), "v": (5, 48), "c": (5,)}
    constants = {name: rng.normal(size=shapes[name]).astype(np.float32) for name in "wbvc"}
    constants["v"][2] = 0  # a channel without weights, but with a bias
    tensors = {name: TensorSpec(name=name, shape=shape) for name, shape in {**shapes, "y": (1, 5)}.items()}
    return Graph(name="net", nodes=nodes, tensors=tensors, constants=constants, inputs=("x",), outputs=("y",))


@pytest.mark.parametrize(("recipe", "bits", "levels"), [("w1a8", 1, {-1, 1}), ("w2a8", 2, {-1, 0, 1})])
def test_a_network_quantized_to_few_levels_runs_on_three_paths_and_through_a_file(tmp_path, recipe, bits, levels):
    rng = np.random.default_rng(3)
    graph, x = small_network(rng), rng.normal(size=(20, 6, 6, 2)).astype(np.float32)
    q = refq.quantize(graph, x, recipe=recipe)
    for name in "wv":
        grid, held = q.tensors[name].qparams, q.constants[name]
        assert grid.bits == bits
        codes = held if held.dtype.kind == "i" else quantize_array(held, grid)
        assert set(np.unique(codes).tolist()) == levels
    fake, integer = refq.trace(q, x, "fake"), refq.trace(q, x, "integer")
    for name in ("h", "y"):
        grid = q.tensors[name].qparams
        assert np.abs(quantize_array(fake[name], grid).astype(int) - integer[name]).max() <= (1 if name == "h" else 3)
    reals = refq.run(q, x, path="integer")[:, 2]
    step = float(q.tensors["y"].qparams.scale)
    np.testing.assert_allclose(reals, graph.constants["c"][2], atol=step)  # nothing but the bias
    refq.save(q, tmp_path / "q.h5")
    again = refq.load(tmp_path / "q.h5")
    assert again.tensors["w"].qparams == q.tensors["w"].qparams
    np.testing.assert_array_equal(refq.run(again, x, path="integer"), refq.run(q, x, path="integer"))


@pytest.mark.parametrize(("recipe", "bits"), [("w1a8", 1), ("w2a8", 2)])
def test_the_accelerator_model_sees_the_bits_of_few_level_weights(recipe, bits):
    from hwsim.workload import from_graph

    rng = np.random.default_rng(0)
    graph = refq.quantize(small_network(rng), rng.normal(size=(4, 6, 6, 2)).astype(np.float32), recipe=recipe)
    assert {layer.weight_bits for layer in from_graph(graph).layers if layer.nest.kind == "mac"} == {bits}
