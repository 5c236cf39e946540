"""Layers between grids of up to 32 bits, on the dyadic rules, against Python integers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import AccumulatorOverflowError
from refq.graph import Node, QParams
from refq.interpret import node_function
from refq.numerics import exact_matmul, find_arithmetic
from tests.naive.fixed_point import dyadic
from tests.unit.small_graphs import assemble

widths = st.sampled_from([8, 16, 22, 24, 32])
seeds = st.integers(0, 2**32 - 1)


def result(op, operands, grids, out, arithmetic="ibert", **attrs):
    """Codes of one node on the integer path."""
    names = tuple(f"t{i}" for i in range(len(operands)))
    node = Node(op=op, name="node", inputs=names, outputs=("y",), attrs=attrs)
    shapes = {name: q.shape for name, q in zip(names, operands, strict=True)} | {"y": ()}
    graph = assemble([node], shapes, {}, inputs=names)
    specs = dict(zip((*names, "y"), (*grids, out), strict=True))
    tensors = {name: replace(spec, qparams=specs[name]) for name, spec in graph.tensors.items()}
    graph = graph.with_nodes(graph.nodes, tensors=tensors)
    return node_function(graph, "integer", find_arithmetic(arithmetic))(node, list(operands))[0]


def grid(bits, rng, scale=None):
    zero = 0 if bits > 8 else int(rng.integers(-128, 128))
    return QParams(scale=scale or rng.uniform(1, 2) / 2.0**bits, bits=bits, zero_point=zero)


def drawn(g, rng, shape):
    codes = rng.integers(g.qmin, g.qmax, shape, endpoint=True)
    codes.flat[:2] = (g.qmin, g.qmax)
    return codes.astype(g.dtype)


def product(*factors: float) -> float:
    """HAWQ's product of scales: float32."""
    total = np.float32(1)
    for factor in factors:
        total = total * np.float32(factor)
    return float(total)


def clipped(value: int, out: QParams) -> int:
    return min(max(value, out.qmin), out.qmax)


@given(bits=widths, out_bits=widths, seed=seeds)
def test_dense_fills_any_output_width_exactly(bits, out_bits, seed):
    rng = np.random.default_rng(seed)
    x_grid = grid(bits, rng)
    w_grid = QParams(scale=rng.uniform(0.001, 0.01, 3), axis=0, narrow=True)
    b_grid = QParams(scale=x_grid.scale * w_grid.scale, axis=0, bits=32 if bits == 8 else 40)
    reach = float(x_grid.scale) * float(w_grid.scale.max()) * 127 * 2.0 ** (bits - 1)
    out = grid(out_bits, rng, scale=reach / 2.0 ** (out_bits - 1))
    x, w, b = drawn(x_grid, rng, (2, 5)), drawn(w_grid, rng, (3, 5)), drawn(b_grid, rng, (3,))
    b = b >> 4  # room for the products, in 32 bits beside 8-bit activations
    y = result("Dense", (x, w, b), (x_grid, w_grid, b_grid), out)
    assert y.dtype == out.dtype
    for n, o in np.ndindex(2, 3):
        acc = sum((int(p) - int(x_grid.zero_point)) * int(q) for p, q in zip(x[n], w[o], strict=True)) + int(b[o])
        real = product(float(x_grid.scale), float(w_grid.scale[o])) / float(out.scale)
        assert y[n, o] == clipped(dyadic(acc, real) + int(out.zero_point), out)


@given(bits=widths, out_bits=widths, seed=seeds)
def test_batched_products_fill_any_output_width_exactly(bits, out_bits, seed):
    rng = np.random.default_rng(seed)
    a_grid, b_grid = grid(bits, rng), grid(8, rng)
    out = grid(out_bits, rng, scale=float(a_grid.scale) * float(b_grid.scale) * 2.0 ** (bits + 8 - out_bits))
    a, b = drawn(a_grid, rng, (2, 3, 4)), drawn(b_grid, rng, (2, 4, 2))
    y = result("BatchMatMul", (a, b), (a_grid, b_grid), out)
    real = product(float(a_grid.scale), float(b_grid.scale)) / float(out.scale)
    for i, m, n in np.ndindex(2, 3, 2):
        acc = sum(
            (int(p) - int(a_grid.zero_point)) * (int(q) - int(b_grid.zero_point))
            for p, q in zip(a[i, m], b[i, :, n], strict=True)
        )
        assert y[i, m, n] == clipped(dyadic(acc, real) + int(out.zero_point), out)


@given(a_bits=widths, b_bits=widths, out_bits=widths, seed=seeds)
def test_sums_of_any_two_widths_are_rescaled_branch_by_branch(a_bits, b_bits, out_bits, seed):
    rng = np.random.default_rng(seed)
    grids = grid(a_bits, rng), grid(b_bits, rng)
    out = grid(out_bits, rng, scale=1.5 / 2.0**out_bits)
    operands = [drawn(g, rng, (7,)) for g in grids]
    y = result("Add", operands, grids, out)
    assert y.dtype == out.dtype
    for i in range(7):
        branches = (
            dyadic(int(q[i]) - int(g.zero_point), float(g.scale) / float(out.scale))
            for q, g in zip(operands, grids, strict=True)
        )
        assert y[i] == clipped(sum(branches) + int(out.zero_point), out)


@pytest.mark.parametrize("bits", [(8, 16), (16, 8)])
def test_litert_sums_of_two_widths_shift_by_the_wider_one(bits):
    rng = np.random.default_rng(0)
    grids = [QParams(scale=2.0 / 2**b, bits=b) for b in bits]
    out = QParams(scale=4.0 / 2**16, bits=16)
    operands = [drawn(g, rng, (50,)) for g in grids]
    y = result("Add", operands, grids, out, arithmetic="litert")
    real = sum(q * float(g.scale) for q, g in zip(operands, grids, strict=True))
    assert np.abs(y * float(out.scale) - real).max() <= float(out.scale)


def test_products_beyond_int64_are_refused():
    a = np.full((1, 3), 2**31, np.int64)
    with pytest.raises(AccumulatorOverflowError, match="up to 13835058055282163712 do not fit int64; use narrower"):
        exact_matmul(a, a.T)
