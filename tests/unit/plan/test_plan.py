"""Plans equal the integer path computed in NumPy, node by node and as whole networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refq
from refq.errors import AccumulatorOverflowError, UnsupportedError
from refq.graph import Graph, Node, QParams, TensorSpec
from refq.kernels.cpu import has_instructions
from refq.numerics import ANY, LITERT, Arithmetic, Events, double, single, single_away
from refq.plan import Plan
from tests.unit.small_graphs import images, residual

RULES = [LITERT, *(Arithmetic(name=rule.name, requantize={ANY: rule}) for rule in (double, single, single_away))]


def grid(rng, bits=8) -> QParams:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    return QParams(scale=rng.uniform(0.01, 0.1), zero_point=int(rng.integers(low, high + 1)), bits=bits)


def one_node(rng, op, shapes, attrs=None, weights=(), out=None, clamp=None) -> Graph:
    """A quantized graph of one node; `weights` is the shape of its weight and the axis its scales run along."""
    attrs = attrs or {}
    x_grids = [grid(rng) for _ in shapes]
    names = [f"x{i}" for i in range(len(shapes))]
    tensors = {
        n: TensorSpec(name=n, shape=s, dtype="int8", qparams=g) for n, s, g in zip(names, shapes, x_grids, strict=True)
    }
    constants, inputs = {}, list(names)
    if weights:
        w_shape, axis = weights
        channels = w_shape[axis]
        w_grid = QParams(scale=rng.uniform(0.001, 0.02, channels), axis=axis, narrow=True)
        b_grid = QParams(scale=x_grids[0].scale * w_grid.scale, axis=0, bits=32)
        constants = {
            "w": rng.integers(-127, 128, w_shape).astype(np.int8),
            "b": rng.integers(-20000, 20000, channels).astype(np.int32),
        }
        tensors |= {
            "w": TensorSpec(name="w", shape=w_shape, dtype="int8", qparams=w_grid),
            "b": TensorSpec(name="b", shape=(channels,), dtype="int32", qparams=b_grid),
        }
        inputs += ["w", "b"]
    node = Node(op=op, name="node", inputs=tuple(inputs), outputs=("y",), attrs=attrs, clamp=clamp)
    tensors["y"] = TensorSpec(name="y", shape=(1,), dtype="int8", qparams=grid(rng) if out is None else out(x_grids))
    return Graph(name="one", nodes=(node,), tensors=tensors, constants=constants, inputs=tuple(names), outputs=("y",))


def codes_of(rng, graph: Graph, batch: int) -> dict[str, np.ndarray]:
    return {
        name: rng.integers(-128, 128, (batch, *graph.tensors[name].shape[1:])).astype(np.int8) for name in graph.inputs
    }


def assert_equal_to_numpy(graph, codes, arithmetic, monkeypatch, native=True) -> None:
    monkeypatch.setenv("REFQ_KERNELS", "native")
    plan = Plan(graph, arithmetic)
    found = plan.run(codes)["y"]
    again = plan.run(codes)["y"]
    monkeypatch.setenv("REFQ_KERNELS", "numpy")
    expected = refq.run(graph, codes, path="integer", arithmetic=arithmetic)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(again, expected)
    if has_instructions() or not native:
        assert (len(plan.native) == len(graph.nodes)) == native


def needs_block() -> None:
    from refq.kernels.cpu import available

    if "avx512vnni" not in available():
        pytest.skip("this processor has no VPDPBUSD")


sizes = st.integers(1, 9)


@pytest.mark.parametrize("arithmetic", RULES, ids=lambda profile: profile.name)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    image=st.tuples(sizes, st.integers(1, 33), st.integers(1, 37)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    outputs=st.sampled_from([1, 5, 16, 17, 32, 33, 64, 70]),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    batch=st.integers(1, 3),
)
def test_convolutions_of_any_shape(arithmetic, seed, image, kernel, outputs, strides, batch):
    needs_block()
    rng = np.random.default_rng(seed)
    attrs = {"strides": strides, "padding": "same"}
    clamp = (0.0, 1.5) if seed % 2 else None
    graph = one_node(rng, "Conv2D", [(1, *image)], attrs, ((outputs, *kernel, image[2]), 0), clamp=clamp)
    with pytest.MonkeyPatch.context() as patch:
        assert_equal_to_numpy(graph, codes_of(rng, graph, batch), arithmetic, patch)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    image=st.tuples(sizes, st.integers(1, 12), st.integers(1, 70)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_depthwise_convolutions_of_any_shape(seed, image, kernel, strides, dilation):
    rng = np.random.default_rng(seed)
    attrs = {"strides": strides, "padding": "same", "dilation": dilation}
    graph = one_node(rng, "DepthwiseConv2D", [(1, *image)], attrs, ((1, *kernel, image[2]), 3))
    with pytest.MonkeyPatch.context() as patch:
        assert_equal_to_numpy(graph, codes_of(rng, graph, 2), LITERT, patch)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), depth=st.integers(1, 70), outputs=st.integers(1, 130), batch=st.integers(1, 20))
def test_dense_layers_of_any_shape(seed, depth, outputs, batch):
    needs_block()
    rng = np.random.default_rng(seed)
    graph = one_node(rng, "Dense", [(1, depth)], None, ((outputs, depth), 0))
    with pytest.MonkeyPatch.context() as patch:
        assert_equal_to_numpy(graph, codes_of(rng, graph, batch), LITERT, patch)


@pytest.mark.parametrize("op", ["Add", "Subtract"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shape=st.tuples(sizes, st.integers(1, 400)))
def test_sums_and_differences(op, seed, shape):
    rng = np.random.default_rng(seed)
    graph = one_node(rng, op, [(1, *shape)] * 2, clamp=(0.0, np.inf) if seed % 2 else None)
    with pytest.MonkeyPatch.context() as patch:
        assert_equal_to_numpy(graph, codes_of(rng, graph, 2), LITERT, patch)


@pytest.mark.parametrize("op", ["AveragePool2D", "MaxPool2D"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), image=st.tuples(st.integers(4, 9), st.integers(4, 9), st.integers(1, 40)))
def test_pools(op, seed, image):
    rng = np.random.default_rng(seed)
    attrs = {"pool": (3, 2), "strides": (2, 1), "padding": "same"}
    graph = one_node(rng, op, [(1, *image)], attrs, out=lambda grids: grids[0])
    with pytest.MonkeyPatch.context() as patch:
        assert_equal_to_numpy(graph, codes_of(rng, graph, 2), LITERT, patch)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 40))
def test_softmax_rows(seed, width):
    rng = np.random.default_rng(seed)
    graph = one_node(rng, "Softmax", [(1, width)], out=lambda _: QParams(scale=1 / 256, zero_point=-128))
    with pytest.MonkeyPatch.context() as patch:
        assert_equal_to_numpy(graph, codes_of(rng, graph, 5), LITERT, patch)


@pytest.mark.parametrize("op", ["Tanh", "Relu", "HardSwish", "Exp"])
def test_tables_hold_what_the_layer_gives_for_every_code(op, monkeypatch):
    rng = np.random.default_rng(1)
    graph = one_node(rng, op, [(1, 256)])
    codes = {"x0": np.arange(-128, 128).astype(np.int8)[None]}
    assert_equal_to_numpy(graph, codes, LITERT, monkeypatch)


def test_a_layer_that_could_overflow_is_left_to_the_layer_and_raises(monkeypatch):
    graph = one_node(np.random.default_rng(2), "Dense", [(1, 8)], None, ((2, 8), 0))
    narrow = Arithmetic(name="narrow", requantize={ANY: double}, accumulator=refq.numerics.Accumulator(bits=12))
    monkeypatch.setenv("REFQ_KERNELS", "native")
    plan = Plan(graph, narrow)
    assert plan.native == ()
    with pytest.raises(AccumulatorOverflowError, match="does not fit an accumulator of 12 bits"):
        plan.run({"x0": np.full((1, 8), 127, np.int8)})


def test_a_watched_arithmetic_has_no_plan():
    with pytest.raises(UnsupportedError, match="kernels count no events"):
        Plan(one_node(np.random.default_rng(3), "Tanh", [(1, 4)]), LITERT.watched(Events()))


def test_a_large_batch_goes_through_in_pieces_and_traces_whole(monkeypatch):
    graph = refq.quantize(residual(), images(32))
    x = images(700, seed=2)
    monkeypatch.setenv("REFQ_KERNELS", "native")
    found = refq.trace(graph, x, path="integer")
    monkeypatch.setenv("REFQ_KERNELS", "numpy")
    expected = refq.trace(graph, x, path="integer")
    assert list(found) == list(expected)
    for name, codes in expected.items():
        np.testing.assert_array_equal(found[name], codes)
        assert found[name].dtype == codes.dtype


def test_results_do_not_change_when_the_plan_runs_again():
    graph = refq.quantize(residual(), images(32))
    plan = refq.compile(graph)
    codes = {"x": np.zeros((2, 6, 6, 3), np.int8)}
    first = plan.run(codes)["y"]
    kept = first.copy()
    plan.run({"x": np.full((2, 6, 6, 3), 90, np.int8)})
    np.testing.assert_array_equal(first, kept)
