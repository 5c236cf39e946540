"""Plans with registers that overflow equal the NumPy path, whose registers tests hold to Python integers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refq.numerics import LITERT, Accumulator
from refq.numerics.register_sums import word_for
from tests.unit.plan.test_plan import assert_equal_to_numpy, codes_of, needs_block, one_node

narrow = st.builds(
    Accumulator,
    bits=st.integers(8, 30),
    overflow=st.sampled_from(["wrap", "saturate"]),
    order=st.sampled_from(["end", "sequential"]),
)
pair = st.tuples(st.integers(1, 3), st.integers(1, 3))


def check(graph, seed, batch, register):
    rng = np.random.default_rng(seed + 1)
    arithmetic = replace(LITERT, name="narrow", accumulator=register)
    with pytest.MonkeyPatch.context() as patch:
        assert_equal_to_numpy(graph, codes_of(rng, graph, batch), arithmetic, patch)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    register=narrow,
    image=st.tuples(st.integers(3, 9), st.integers(3, 21), st.integers(1, 19)),
    kernel=pair,
    strides=pair,
    outputs=st.sampled_from([1, 5, 16, 17, 40, 70]),
)
def test_convolutions_in_narrow_registers(seed, register, image, kernel, strides, outputs):
    needs_block()
    attrs = {"strides": strides, "padding": "same"}
    graph = one_node(np.random.default_rng(seed), "Conv2D", [(1, *image)], attrs, ((outputs, *kernel, image[2]), 0))
    check(graph, seed, 2, register)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.integers(8, 14),
    groups=st.integers(1, 3),
    share=st.sampled_from([1, 3, 17]),
    channels=st.integers(1, 5),
    dilation=pair,
)
def test_grouped_and_dilated_convolutions_saturate_in_order(seed, bits, groups, share, channels, dilation):
    attrs = {"padding": "same", "dilation": dilation, "groups": groups}
    weights = ((groups * share, 3, 2, channels), 0)
    graph = one_node(np.random.default_rng(seed), "Conv2D", [(1, 7, 9, groups * channels)], attrs, weights)
    check(graph, seed, 2, Accumulator(bits=bits, overflow="saturate", order="sequential"))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    register=narrow,
    image=st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(1, 40)),
    strides=pair,
    dilation=pair,
)
def test_depthwise_convolutions_in_narrow_registers(seed, register, image, strides, dilation):
    attrs = {"strides": strides, "padding": "same", "dilation": dilation}
    graph = one_node(np.random.default_rng(seed), "DepthwiseConv2D", [(1, *image)], attrs, ((1, 3, 2, image[2]), 3))
    check(graph, seed, 2, register)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    register=narrow,
    depth=st.integers(1, 70),
    outputs=st.integers(1, 40),
    batch=st.integers(1, 11),
)
def test_dense_layers_in_narrow_registers(seed, register, depth, outputs, batch):
    needs_block()
    graph = one_node(np.random.default_rng(seed), "Dense", [(1, depth)], None, ((outputs, depth), 0))
    check(graph, seed, batch, register)


def test_a_register_that_a_product_does_not_fit_beside_is_left_to_the_layer():
    """2**30 and a product stay below 2**31; a register of 32 bits that could overflow would not."""
    assert word_for(Accumulator(bits=31), (1 << 30) - 1) == np.int32
    assert word_for(Accumulator(bits=31), 1 << 30) == np.int64
    assert word_for(Accumulator(bits=32), 1) == np.int64
    assert word_for(Accumulator(bits=64), 1) is None
