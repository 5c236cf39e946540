"""Moves, joins, tables, means and the less usual convolutions in plans, held to the NumPy path."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refq.graph import QParams, TensorSpec
from refq.numerics import LITERT, Accumulator, find_arithmetic
from refq.plan import Plan
from tests.unit.plan.test_plan import assert_equal_to_numpy, codes_of, needs_block, one_node

SAME = {"out": lambda grids: grids[0]}
OTHER = {}
NEAR = {"out": lambda grids: QParams(scale=float(grids[0].scale) * 0.9, zero_point=-7)}
seeds = st.integers(0, 2**32 - 1)
PROFILES = ["litert", "cmsis-nn", "xnnpack", "onnx", "dyadic"]


def check(graph, seed=0, batch=3, arithmetic=LITERT, native=True):
    with pytest.MonkeyPatch.context() as patch:
        codes = codes_of(np.random.default_rng(seed + 1), graph, batch)
        assert_equal_to_numpy(graph, codes, arithmetic, patch, native)


MOVES = {
    "pad": ("Pad", {"paddings": ((0, 0), (1, 2), (0, 3), (0, 0))}),
    "pad with a value": ("Pad", {"paddings": ((0, 0), (1, 0), (0, 1), (2, 0)), "value": 0.3}),
    "pad mirrored": ("Pad", {"paddings": ((0, 0), (1, 2), (2, 1), (0, 0)), "mode": "reflect"}),
    "slice": ("Slice", {"begin": (None, 1, 0, 2), "end": (None, 4, None, None), "strides": (1, 2, 1, 1)}),
    "slice backwards": ("Slice", {"begin": (None,) * 4, "end": (None,) * 4, "strides": (1, 1, -1, -2)}),
    "transpose": ("Transpose", {"perm": (0, 3, 1, 2)}),
    "nearest": ("ResizeNearest", {"scale": (2, 3)}),
    "nearest smaller": ("ResizeNearest", {"size": (3, 2), "half_pixel_centers": True}),
    "depth to space": ("DepthToSpace", {"block": 2}),
    "space to depth": ("SpaceToDepth", {"block": 2}),
    "tile": ("Tile", {"multiples": (1, 2, 1, 3)}),
}


@pytest.mark.parametrize("out", [SAME, OTHER], ids=["same grid", "another grid"])
@pytest.mark.parametrize("name", MOVES)
def test_moves_within_images(name, out):
    op, attrs = MOVES[name]
    rng = np.random.default_rng(5)
    check(one_node(rng, op, [(1, 6, 4, 8)], attrs, **out))
    check(one_node(rng, op, [(1, 6, 4, 8)], attrs, clamp=(0.0, 1.0), **out))


def test_a_move_between_images_is_left_to_the_layer():
    rng = np.random.default_rng(6)
    check(one_node(rng, "Reverse", [(1, 3, 2)], {"axes": (0,)}, **SAME), native=False)
    check(one_node(rng, "Reverse", [(1, 3, 2)], {"axes": (1,)}, **SAME))


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds, axis=st.sampled_from([1, 2, 3, -1]), count=st.integers(1, 3), clamped=st.booleans())
def test_joins_of_inputs_on_any_grid(profile, seed, axis, count, clamped):
    rng = np.random.default_rng(seed)
    shapes = [[1, 3, 4, 5] for _ in range(count)]
    for shape in shapes:
        shape[axis] = int(rng.integers(1, 9))
    clamp = (0.0, 1.5) if clamped else None
    graph = one_node(rng, "Concatenate", [tuple(s) for s in shapes], {"axis": axis}, clamp=clamp, out=lambda g: g[-1])
    check(graph, seed, arithmetic=find_arithmetic(profile))


def test_a_join_of_images_is_left_to_the_layer():
    rng = np.random.default_rng(7)
    check(one_node(rng, "Concatenate", [(1, 3)] * 2, {"axis": 0}, **SAME), native=False)


@settings(max_examples=25, deadline=None)
@given(
    seed=seeds,
    shape=st.lists(st.integers(2, 9), min_size=1, max_size=3),  # at least two, whose mean needs no left shift
    channels=st.integers(1, 40),
    keepdims=st.booleans(),
    profile=st.sampled_from(["litert", "cmsis-nn"]),
)
def test_means_over_all_but_channels(seed, shape, channels, keepdims, profile):
    rng = np.random.default_rng(seed)
    axes = tuple(range(1, len(shape) + 1))
    graph = one_node(rng, "Mean", [(1, *shape, channels)], {"axes": axes, "keepdims": keepdims}, **NEAR)
    check(graph, seed, arithmetic=find_arithmetic(profile))


def test_a_mean_over_some_places_is_left_to_the_layer():
    rng = np.random.default_rng(8)
    check(one_node(rng, "Mean", [(1, 4, 3, 5)], {"axes": (1,), "keepdims": False}), native=False)


PAIRS = ["Add", "Subtract", "Multiply", "Maximum", "Minimum"]


@pytest.mark.parametrize("profile", ["litert", "xnnpack", "onnx"])
@pytest.mark.parametrize("op", PAIRS)
@settings(max_examples=6, deadline=None)
@given(seed=seeds, other=st.sampled_from([(1, 5, 3, 7), (1, 1, 1, 7), (1, 1, 1, 1), (1, 5, 1, 1), (1, 5, 3, 1)]))
def test_pairs_of_codes_whatever_their_shapes(op, profile, seed, other):
    rng = np.random.default_rng(seed)
    shapes = [(1, 5, 3, 7), other] if seed % 2 else [other, (1, 5, 3, 7)]
    graph = one_node(rng, op, shapes, clamp=(0.0, 2.0) if seed % 3 == 0 else None)
    check(graph, seed, arithmetic=find_arithmetic(profile))


@pytest.mark.parametrize("profile", ["litert", "xnnpack", "onnx", "dyadic"])
@pytest.mark.parametrize("op", PAIRS)
@settings(max_examples=6, deadline=None)
@given(seed=seeds, shape=st.sampled_from([(), (1,), (7,), (1, 1, 7), (1, 1, 1, 7)]), first=st.booleans())
def test_codes_beside_a_constant_of_the_channel(op, profile, seed, shape, first):
    rng = np.random.default_rng(seed)
    graph = with_constant(rng, op, rng.integers(-128, 128, shape).astype(np.int8), first)
    check(graph, seed, arithmetic=find_arithmetic(profile))


def test_a_constant_of_the_place_is_left_to_the_layer():
    rng = np.random.default_rng(9)
    constant = rng.integers(-128, 128, (1, 5, 1, 1)).astype(np.int8)
    check(with_constant(rng, "Multiply", constant, False), native=False)


def with_constant(rng, op, constant, first):
    graph = one_node(rng, op, [(1, 5, 3, 7)])
    grid = QParams(scale=rng.uniform(0.01, 0.1), zero_point=int(rng.integers(-128, 128)))
    spec = TensorSpec(name="c", shape=constant.shape, dtype="int8", qparams=grid)
    node = replace(graph.nodes[0], inputs=("c", "x0") if first else ("x0", "c"))
    return replace(graph, nodes=(node,), tensors={**graph.tensors, "c": spec}, constants={"c": constant})


@settings(max_examples=20, deadline=None)
@given(seed=seeds, channels=st.integers(1, 20), axis=st.sampled_from([-1, 3]))
def test_normalizations_of_channels(seed, channels, axis):
    rng = np.random.default_rng(seed)
    graph = one_node(rng, "BatchNormalization", [(1, 3, 2, channels)], {"axis": axis, "epsilon": 1e-3})
    vectors = {
        "gamma": rng.normal(0, 1, channels),
        "beta": rng.normal(0, 1, channels),
        "mean": rng.normal(0, 1, channels),
        "variance": rng.uniform(0.1, 2, channels),
    }
    constants = {name: vector.astype(np.float32) for name, vector in vectors.items()}
    specs = {name: TensorSpec(name=name, shape=(channels,), dtype="float32") for name in constants}
    node = replace(graph.nodes[0], inputs=("x0", *constants))
    graph = replace(graph, nodes=(node,), tensors={**graph.tensors, **specs}, constants=constants)
    check(graph, seed)


@settings(max_examples=30, deadline=None)
@given(
    seed=seeds,
    groups=st.integers(1, 4),
    share=st.sampled_from([1, 2, 5, 18]),
    channels=st.integers(1, 6),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_grouped_and_dilated_convolutions(seed, groups, share, channels, strides, dilation):
    attrs = {"padding": "same", "strides": strides, "dilation": dilation, "groups": groups}
    weights = ((groups * share, 3, 2, channels), 0)
    check(one_node(np.random.default_rng(seed), "Conv2D", [(1, 7, 9, groups * channels)], attrs, weights), seed)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, channels=st.integers(1, 20), times=st.integers(2, 4))
def test_depthwise_convolutions_with_several_filters_a_channel(seed, channels, times):
    rng = np.random.default_rng(seed)
    weights = ((1, 3, 2, channels * times), 3)
    check(one_node(rng, "DepthwiseConv2D", [(1, 5, 4, channels)], {"padding": "same"}, weights), seed)


@pytest.mark.parametrize("route", ["generic", "native-avx2"])
@settings(max_examples=10, deadline=None)
@given(seed=seeds, outputs=st.sampled_from([1, 16, 40]), dense=st.booleans())
def test_products_on_processors_without_the_byte_instruction(route, seed, outputs, dense):
    needs_block()
    rng = np.random.default_rng(seed)
    if dense:
        graph = one_node(rng, "Dense", [(1, 30)], None, ((outputs, 30), 0))
    else:
        graph = one_node(rng, "Conv2D", [(1, 6, 9, 5)], {"padding": "same"}, ((outputs, 3, 3, 5), 0))
    codes = codes_of(rng, graph, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFQ_KERNELS", route)
        plan = Plan(graph, LITERT)
        assert plan.native == ("node",)
        found = plan.run(codes)["y"]
        patch.setenv("REFQ_KERNELS", "native-avx512vnni")
        np.testing.assert_array_equal(found, Plan(graph, LITERT).run(codes)["y"])
        patch.setenv("REFQ_KERNELS", "numpy")
        check(graph, seed)


@settings(max_examples=30, deadline=None)
@given(
    seed=seeds,
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.sampled_from(["same", "valid", ((1, 0), (0, 1))]),
    extra=st.sampled_from([None, (1, 0)]),
    register=st.sampled_from([Accumulator(), Accumulator(bits=13, overflow="saturate", order="sequential")]),
)
def test_transposed_convolutions(seed, strides, dilation, padding, extra, register):
    attrs = {"strides": strides, "dilation": dilation, "padding": padding, "output_padding": extra}
    graph = one_node(np.random.default_rng(seed), "Conv2DTranspose", [(1, 4, 3, 5)], attrs, ((7, 3, 2, 5), 0))
    check(graph, seed, arithmetic=replace(LITERT, name="narrow", accumulator=register))
