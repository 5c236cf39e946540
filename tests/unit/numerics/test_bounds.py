from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refq
from refq.errors import AccumulatorOverflowError, GraphError
from refq.graph import Node, QParams
from refq.layers import layer_for
from refq.numerics import LITERT, Accumulator, accumulator_bits, accumulator_range
from refq.numerics.bounds import signed_bits
from tests.unit.small_graphs import images, residual

OPS = {"Dense": ((3, 5), {}), "Conv2D": ((3, 2, 2, 4), {}), "DepthwiseConv2D": ((1, 2, 3, 4), {})}


def worst_input(w: np.ndarray, grid: QParams, highest: bool) -> np.ndarray:
    """The codes that drive the sum with weights w (zero point taken off) to one end."""
    return np.where((w > 0) == highest, grid.qmax, grid.qmin).astype(np.int64)


@given(seed=st.integers(0, 2**32 - 1), zero=st.integers(-128, 127), w_zero=st.integers(-8, 8))
def test_both_bounds_are_reached_by_an_input_and_never_passed(seed, zero, w_zero):
    rng = np.random.default_rng(seed)
    w_q, grid = rng.integers(-127, 128, (3, 11)).astype(np.int8), QParams(scale=1.0, zero_point=zero)
    b = rng.integers(-5000, 5000, 3)
    low, high = accumulator_range(w_q, grid, b, w_zero)
    for channel in range(3):
        w = w_q[channel].astype(int) - w_zero
        top = int(((worst_input(w, grid, True) - zero) * w).sum())
        bottom = int(((worst_input(w, grid, False) - zero) * w).sum())
        assert int(high[channel]) == max(top, top + b[channel])
        assert int(low[channel]) == min(bottom, bottom + b[channel])
        x = rng.integers(-128, 128, (50, 11))
        partial = ((x - zero) * w)[:, rng.permutation(11)].cumsum(axis=1)
        for sums in (partial, partial + b[channel]):
            assert sums.max() <= high[channel]
            assert sums.min() >= low[channel]


@given(low=st.integers(-(2**60), 0), high=st.integers(0, 2**60))
def test_bits_are_the_fewest_that_hold_both_ends(low, high):
    n = int(signed_bits(low, high))
    assert -(2 ** (n - 1)) <= low
    assert high < 2 ** (n - 1)
    assert n == 1 or low < -(2 ** (n - 2)) or high >= 2 ** (n - 2)


def one_layer(op: str, seed: int):
    """A layer of random codes, its weights as (channels, products) and the axis of its channels."""
    rng = np.random.default_rng(seed)
    shape, attrs = OPS[op]
    layer = layer_for(Node(op=op, name="n", inputs=(), outputs=(), attrs=attrs))
    return layer, rng.integers(-127, 128, shape).astype(np.int8)


@pytest.mark.parametrize("op", OPS)
def test_an_accumulator_of_the_safe_width_holds_the_worst_input_and_one_bit_less_does_not(op):
    grid = QParams(scale=1.0, zero_point=-128)
    layer, w_q = one_layer(op, 3)
    axis = layer.weight_axis
    bits = accumulator_bits(w_q, grid, axis=axis)
    for channel in range(w_q.shape[axis]):
        w = np.take(w_q, channel, axis).astype(int)
        low, high = (int(v[channel]) for v in accumulator_range(w_q, grid, axis=axis))
        x = worst_input(w, grid, high.bit_length() >= (~low).bit_length())
        # depthwise weights keep their leading 1 here, and each of the output channels has an input channel of its own
        codes = np.repeat(x[..., None], w_q.shape[axis], -1) if op == "DepthwiseConv2D" else x[None]
        sums = layer.accumulate(codes.astype(np.int8), w_q, None, -128)[..., channel]
        width = int(bits[channel])
        Accumulator(bits=width).fit(sums)
        with pytest.raises(AccumulatorOverflowError):
            Accumulator(bits=width - 1).fit(sums)


def test_a_graph_runs_in_the_widths_its_table_gives():
    graph = refq.quantize(residual(), images(32), recipe="int8")
    table = refq.safe_accumulators(graph)
    assert [row.node for row in table.rows] == ["conv", "conv_1", "dense"]
    assert table["conv"].bits == max(table["conv"].channel_bits)
    assert table.bits == max(row.bits for row in table.rows)
    narrow = replace(LITERT, accumulator=Accumulator(bits=table.bits))
    codes = np.random.default_rng(0).choice([-128, 127], (64, 6, 6, 3)).astype(np.int8)
    refq.run(graph, codes, path="integer", arithmetic=narrow)
    assert f"the whole graph needs {table.bits} bits" in str(table)
    with pytest.raises(KeyError, match="node 'add' sums no products; rows are conv, conv_1, dense"):
        table["add"]


def test_a_float_graph_has_no_bounds():
    with pytest.raises(GraphError, match="is not quantized, its sums have no codes"):
        refq.safe_accumulators(residual())
