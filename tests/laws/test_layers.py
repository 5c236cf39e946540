"""The laws every registered layer obeys. A layer without a twin, a gradient or a loop nest fails them."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refq.graph import Graph, Node, QParams, TensorSpec
from refq.interpret import node_function
from refq.layers import ExplicitLayer, FixedGrid, MacLayer, MoveLayer, TableLayer, layer_class, layer_for, layer_ops
from refq.numerics import LITERT
from refq.numerics.element_types import element_type, integer_limits, is_integer
from refq.quantizers.apply import dequantize_array, quantize_array
from tests.naive import Case, objects, twin
from tests.naive.fixed_point import RULES
from tests.naive.lookup import interpolated

OPS = layer_ops()
CASES = [pytest.param(op, case, id=f"{op}-{i}") for op in OPS for i, case in enumerate(twin(op).CASES)]
DERIVED_CASES = [case for case in CASES if not issubclass(layer_class(case.values[0]), ExplicitLayer)]
INTEGER_CASES = [case for case in DERIVED_CASES if layer_class(case.values[0]).has_integer]
STEP_CASES = [case for case in INTEGER_CASES if layer_class(case.values[0]).output_grid != "none"]
# Twins that are LiteRT's 8-bit kernel; the 16-bit kernels are other ones, held to LiteRT in tests/peers.
COMPARISONS = {"Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"}
INTERPOLATED = {"Exp", "Gelu", "Log", "Rsqrt", "Sigmoid", "Softmax", "Tanh"}
WITH_WIDE_TWINS = {"Exp", "Gelu", "Log", "Rsqrt"}
NARROW_ONLY = {"L2Normalization", "LogSoftmax"}
NARROW_TWINS = {"LSTM", "Svdf", "SquaredDifference", "HardSwish", *NARROW_ONLY, *COMPARISONS}
NARROW_TWINS |= INTERPOLATED - WITH_WIDE_TWINS
# Kernels whose inner fractional bits are coarser than a step of 16-bit codes, such as tables with interpolation.
COARSE = {"LSTM", "Svdf", "LayerNormalization", "ResizeBilinear", "SquaredDifference", "ReduceProd"}
COARSE |= INTERPOLATED | NARROW_ONLY


def widths(cases: list, narrow_only: set[str]) -> list:
    """The cases at 8 bits, and at 16 where the op is not among `narrow_only`."""
    return [
        pytest.param(*case.values, bits, id=f"{case.id}-{bits}")
        for case in cases
        for bits in ((8,) if case.values[0] in narrow_only else (8, 16))
    ]


seeds = st.integers(0, 2**32 - 1)


def build(op: str, case: Case):
    return layer_for(Node(op=op, name="node", inputs=(), outputs=(), attrs=case.attrs))


def draw(case: Case, seed: int) -> list:
    """Operands of a case: reals in float64, indices, or a stated type."""
    rng = np.random.default_rng(seed)

    def operand(i: int, shape: tuple[int, ...]) -> np.ndarray:
        if i in case.indices:
            return rng.integers(0, case.indices[i], shape)
        if i in case.types and is_integer(dtype := element_type(case.types[i])):
            return rng.integers(*integer_limits(dtype), shape, endpoint=True).astype(dtype)
        if case.types.get(i) == "bool":
            return rng.integers(0, 2, shape).astype(bool)
        return rng.uniform(case.low, case.high, shape).astype(case.types.get(i, "float64"))

    return [None if shape is None else operand(i, shape) for i, shape in enumerate(case.shapes)]


def outputs_of(y) -> tuple:
    return y if isinstance(y, tuple) else (y,)


@pytest.mark.parametrize("op", OPS)
def test_every_layer_documents_its_formula_and_has_a_twin_for_its_own_op(op):
    assert op == twin(op).OP
    assert "=" in (layer_class(op).__doc__ or "")


@pytest.mark.parametrize(("op", "case"), CASES)
@settings(max_examples=3, deadline=None)
@given(seed=seeds)
def test_forward_equals_the_naive_twin_and_the_inferred_shape(op, case, seed):
    layer, arrays = build(op, case), draw(case, seed)
    found = outputs_of(layer.forward(*arrays))
    expected = outputs_of(twin(op).naive(layer, *arrays))
    shapes = layer.infer_shape(*case.shapes)
    shapes = shapes if shapes and isinstance(shapes[0], tuple) else (shapes,)
    for y, want, shape in zip(found, expected, shapes, strict=True):
        assert y.shape == want.shape == shape
        if want.dtype.kind == "b":
            assert y.dtype.kind == "b"
            np.testing.assert_array_equal(y, want)
        else:
            np.testing.assert_allclose(y, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("op", "case"), DERIVED_CASES)
def test_forward_keeps_the_floating_type_of_its_input(op, case):
    arrays = [a if a is None or a.dtype.kind != "f" else a.astype(np.float32) for a in draw(case, 1)]
    layer = build(op, case)
    first, *others = outputs_of(layer.forward(*arrays))
    assert (first.dtype.kind in "biu") if layer.output_grid == "none" else (first.dtype == np.float32)
    assert all(y.dtype == np.float32 or y.dtype.kind in "biu" for y in others)


@pytest.mark.parametrize(("op", "case"), DERIVED_CASES)
def test_gradient_equals_central_differences(op, case):
    layer, arrays = build(op, case), draw(case, 2)
    rng = np.random.default_rng(3)
    dys = tuple(rng.uniform(-1, 1, y.shape) for y in outputs_of(layer.forward(*arrays)))
    grads = layer.grad(dys if isinstance(layer.forward(*arrays), tuple) else dys[0], *arrays)
    assert len(grads) == len(arrays)
    step = 1e-6
    for i, (array, gradient) in enumerate(zip(arrays, grads, strict=True)):
        if array is None or array.dtype.kind != "f":
            assert gradient is None
            continue
        assert gradient.shape == array.shape
        places = list(np.ndindex(array.shape))
        for place in (places[k] for k in np.random.default_rng(4).permutation(len(places))[:12]):
            moved = [None if a is None else a.copy() for a in arrays]
            moved[i][place] += step
            above = [y.astype(float) for y in outputs_of(layer.forward(*moved))]
            moved[i][place] -= 2 * step
            below = [y.astype(float) for y in outputs_of(layer.forward(*moved))]
            numeric = sum(((a - b) * dy).sum() for a, b, dy in zip(above, below, dys, strict=True)) / (2 * step)
            assert gradient[place] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("op", "case"), CASES)
def test_loop_nest_counts_every_operand_once(op, case):
    layer = build(op, case)
    nest = layer.nest(*case.shapes)
    names = [name.rstrip("?") for name in layer.operands]
    if names[-1].startswith("*"):
        names = [names[-1]] * len(case.shapes)
    sizes = {True: 0, False: 0}
    for name, shape in zip(names, case.shapes, strict=False):
        sizes[name in layer.parameters] += 0 if shape is None else prod(shape)
    shapes = layer.infer_shape(*case.shapes)
    shapes = shapes if shapes and isinstance(shapes[0], tuple) else (shapes,)
    assert nest.outputs == sum(map(prod, shapes))
    assert sum(nest.inputs) == sizes[False]
    assert nest.weights + nest.biases == sizes[True]
    if nest.kind in ("mac", "depthwise", "matmul"):
        assert nest.macs > 0
    elif nest.kind != "none" and nest.kind != "move":
        assert nest.operations > 0


def activation_grid(x: np.ndarray, seed: int, bits: int = 8) -> QParams:
    """A grid over the data and zero, asymmetric at 8 bits, jittered so that scales are no round numbers."""
    jitter = np.random.default_rng(seed).uniform(0.7, 1.3)
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    if bits > 8:
        return QParams(scale=max(high, -low, 1e-3) / ((1 << (bits - 1)) - 1) * jitter, bits=bits)
    scale = np.float32(max(high - low, 1e-3) / 255 * jitter)
    return QParams(scale=scale, zero_point=int(np.clip(round(-128 - low / scale), -128, 127)))


def stays_real(layer, position: int) -> bool:
    """Parameters that a layer prepares into integers itself, such as those of a normalization."""
    name = layer.operands[min(position, len(layer.operands) - 1)].strip("*?")
    return not isinstance(layer, MacLayer) and name in layer.parameters - {"w", "u", "alpha"}


def output_grid(layer, grids, y: np.ndarray, seed: int, bits: int) -> QParams | None:
    if y.dtype.kind != "f":
        return None
    if isinstance(layer.output_grid, FixedGrid):
        return layer.output_grid.qparams(bits, True)
    return grids[0] if layer.output_grid == "same" and seed % 2 else activation_grid(y, seed + 7, bits)


def quantized_case(op: str, case: Case, seed: int, bits: int = 8):
    """A layer with integer operands: (layer, codes, grids, output grid or a tuple of them, None for integers)."""
    layer, arrays = build(op, case), draw(case, seed)
    grids: list[QParams | None] = []
    for i, array in enumerate(arrays):
        if array is None or i in case.indices or array.dtype.kind != "f" or stays_real(layer, i):
            grids.append(None)
        elif isinstance(layer, MacLayer) and layer.operands[i] == "w":
            others = tuple(axis for axis in range(array.ndim) if axis != layer.weight_axis)
            grids.append(QParams(scale=np.abs(array).max(axis=others) / 127, axis=layer.weight_axis, narrow=True))
        elif isinstance(layer, MacLayer) and layer.operands[i] == "b?":
            grids.append(QParams(scale=grids[0].scale * grids[1].scale, axis=0, bits=32 if bits <= 8 else 64))
        elif case.on_one_symmetric_grid:
            grids.append(QParams(scale=activation_grid(array, seed + i, bits).scale * 2, bits=bits, narrow=True))
        else:
            grids.append(activation_grid(array, seed + i, bits))
    y = layer.forward(*arrays)
    shared = grids[0] if case.on_one_symmetric_grid else None
    outs = tuple(shared or output_grid(layer, grids, part, seed, bits) for part in outputs_of(y))
    out = outs if len(outs) > 1 else outs[0]
    codes = [a if a is None or g is None else quantize_array(a, g) for a, g in zip(arrays, grids, strict=True)]
    return layer, codes, grids, out


def naive_codes(op: str, layer, codes, grids, out):
    """What the integer path must give, on Python integers, before the clamp."""
    module = twin(op)
    exact = [None if c is None else objects(c) for c in codes]
    if hasattr(module, "naive_integer"):
        return module.naive_integer(layer, exact, grids, out)
    zero = int(out.zero_point)
    if isinstance(layer, MacLayer):
        rule = RULES[LITERT.requantizer(op, grids[0].bits).name]
        acc = module.naive(layer, exact[0] - int(grids[0].zero_point), *exact[1:])
        acc = np.array([int(v) for v in acc.flat], object).reshape(acc.shape)
        scales = np.broadcast_to(grids[1].scale.astype(float), acc.shape[-1:])
        y = np.empty(acc.shape, object)
        for place in np.ndindex(acc.shape):
            real = float(grids[0].scale) * float(scales[place[-1]]) / float(out.scale)
            y[place] = rule(acc[place], real) + zero
        return y
    if isinstance(layer, MoveLayer):
        moved = module.naive(layer, exact[0] - int(grids[0].zero_point))
        real, same = float(grids[0].scale) / float(out.scale), grids[0] == out
        return np.vectorize(lambda v: zero + (v if same else RULES["double"](v, real)), otypes=[object])(moved)
    assert isinstance(layer, TableLayer), f"{op} has its own integer path and needs a naive_integer twin"
    if layer.is_interpolated and grids[0].bits == 16:
        return interpolated(lambda x: layer.function(x.reshape(1))[0], exact[0], grids[0], out)
    reals = (codes[0].astype(np.int64) - grids[0].zero_point).astype(np.float32) * grids[0].scale
    y = np.empty(reals.shape, object)
    for place in np.ndindex(reals.shape):
        steps = float(layer.function(reals[place].reshape(1))[0] * (np.float32(1) / out.scale))
        y[place] = int(abs(steps) + 0.5) * (1 if steps >= 0 else -1) + zero
    return y


@pytest.mark.parametrize(("op", "case", "bits"), widths(INTEGER_CASES, NARROW_TWINS))
@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_integer_path_equals_the_naive_twin_bit_for_bit(op, case, bits, seed):
    layer, codes, grids, out = quantized_case(op, case, seed, bits)
    found = outputs_of(layer.integer(codes, grids, out, LITERT))
    expected = outputs_of(naive_codes(op, layer, codes, grids, out))
    for y, want, grid in zip(found, expected, outputs_of(out), strict=True):
        assert y.dtype.kind == ("i" if grid is not None else want.dtype.kind)
        if grid is not None:
            y, want = np.clip(y, grid.qmin, grid.qmax), np.asarray(np.clip(want, grid.qmin, grid.qmax), np.int64)
        np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize(("op", "case", "bits"), widths(STEP_CASES, COARSE))
@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_fake_and_integer_differ_by_one_step_at_most_on_equal_inputs(op, case, bits, seed):
    _, codes, grids, out = quantized_case(op, case, seed, bits)
    names = tuple(f"t{i}" if c is not None else "" for i, c in enumerate(codes))
    outs = outputs_of(out)
    results = tuple(f"y{i}" for i in range(len(outs)))
    node = Node(op=op, name="node", inputs=names, outputs=results, attrs=case.attrs)
    specs = {n: TensorSpec(name=n, shape=c.shape, qparams=g) for n, c, g in zip(names, codes, grids, strict=True) if n}
    specs |= {n: TensorSpec(name=n, shape=(), qparams=g) for n, g in zip(results, outs, strict=True)}
    graph = Graph(
        name="one", nodes=(node,), tensors=specs, constants={}, inputs=tuple(filter(None, names)), outputs=results
    )
    reals = [c if g is None else dequantize_array(c, g) for c, g in zip(codes, grids, strict=True)]
    fakes = node_function(graph, "fake", LITERT)(node, reals)
    integers = node_function(graph, "integer", LITERT)(node, list(codes))
    for fake, integer, grid in zip(fakes, integers, outs, strict=True):
        if grid is None:
            np.testing.assert_array_equal(fake, integer)
            continue
        assert integer.dtype == grid.dtype
        assert np.abs(quantize_array(fake, grid).astype(np.int64) - integer).max() <= 1
