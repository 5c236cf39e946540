"""Records of a run: their tensors are those of the trace, and their steps end in the output."""

import numpy as np
import pytest

import refq
from refq.errors import GraphError
from refq.graph import QParams
from refq.numerics.profiles import LITERT
from refq.verify import ArrayOrder, Golden, random_codes
from tests.unit.verify.graphs import convolution, one_node, quantized_residual

PROFILES = ("litert", "cmsis-nn", "xnnpack", "onnx", "dyadic", "ibert")


@pytest.fixture(scope="module")
def residual_net():
    return quantized_residual()


def steps_end_in_the_output(record):
    p, placed = record.parameters, record.tensors["placed"].values
    zero = p.get("y_zero", 0)
    np.testing.assert_array_equal(record.tensors["rounded"].values + zero, placed)
    np.testing.assert_array_equal(np.clip(placed, p["y_low"], p["y_high"]), record.tensors["y"].values)


def the_product_is_the_accumulator(record):
    a, b = record.product()
    acc = record.tensors["acc"].values
    total = [[sum(u * v for u, v in zip(row, col, strict=True)) for col in b.T.tolist()] for row in a.tolist()]
    if "bias" in record.tensors:
        total = np.array(total) + record.tensors["bias"].values
    np.testing.assert_array_equal(np.reshape(total, acc.shape), acc)


@pytest.mark.parametrize("profile", PROFILES)
def test_records_hold_what_the_trace_holds(profile, residual_net):
    graph, x = residual_net
    values = refq.trace(graph, x, "integer", profile)
    records = list(Golden(graph, profile).records(x))
    assert [record.node.name for record in records] == [node.name for node in graph.nodes]
    for record in records:
        np.testing.assert_array_equal(record.tensors["y"].values, values[record.node.outputs[0]])
        if record.node.op in ("Conv2D", "Dense"):
            steps_end_in_the_output(record)
            the_product_is_the_accumulator(record)


def test_powers_of_two_have_a_shift_and_no_multiplier():
    graph, x = quantized_residual("int8-pow2")
    record = next(Golden(graph, "pow2").records(x))
    assert "multiplier" not in record.tensors
    acc, shift = record.tensors["acc"].values, record.tensors["shift"].values.astype(np.int64)
    half = np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0)
    np.testing.assert_array_equal((acc + half) >> shift, record.tensors["rounded"].values)
    steps_end_in_the_output(record)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", [{}, {"unsigned": True, "w_zero": 117}, {"unsigned": True}, {"bits": 16}])
def test_unsigned_codes_weight_zero_points_wide_codes_and_batches(kind, batch):
    graph = convolution(**kind)
    x = random_codes(graph, batch)
    (record,) = Golden(graph).records(x)
    np.testing.assert_array_equal(record.tensors["y"].values, refq.run(graph, x, "integer"))
    steps_end_in_the_output(record)
    the_product_is_the_accumulator(record)
    assert record.zero("w") == kind.get("w_zero", 0)


def test_zero_points_of_single_channels_are_part_of_the_record():
    generator = np.random.default_rng(0)
    w = generator.integers(0, 16, (3, 6)).astype(np.uint8)
    zeros = np.array([3, 0, 15])
    graph = one_node(
        "Dense",
        {
            "x": ((1, 6), QParams(scale=0.1, zero_point=-3)),
            "w": (w, QParams(scale=np.float32([0.1, 0.2, 0.3]), zero_point=zeros, axis=0, bits=4, signed=False)),
        },
        {"y": ((1, 3), QParams(scale=0.5))},
    )
    (record,) = Golden(graph).records(random_codes(graph, 2))
    np.testing.assert_array_equal(record.tensors["w_zero"].values, zeros)
    the_product_is_the_accumulator(record)
    steps_end_in_the_output(record)


def test_a_rule_of_the_profile_leaves_operands_and_result_only():
    def doubled(layer, codes, grids, out, arithmetic):
        return 2 * type(layer).integer(layer, codes, grids, out, arithmetic)

    from dataclasses import replace

    profile = replace(LITERT, name="own", rules={**LITERT.rules, "Conv2D": doubled})
    graph = convolution()
    x = random_codes(graph)
    (record,) = Golden(graph, profile).records(x)
    assert set(record.tensors) == {"x0", "x1", "x2", "y"}
    np.testing.assert_array_equal(record.tensors["y"].values, refq.run(graph, x, "integer", profile))
    assert record.product() is None


def test_several_outputs_have_numbers_and_so_have_their_transactions():
    graph = one_node(
        "Split",
        {"x": ((1, 4), QParams(scale=0.1))},
        {"y": ((1, 2), QParams(scale=0.1)), "z": ((1, 2), QParams(scale=0.1))},
        {"axis": 1, "sizes": (2, 2)},
    )
    golden, x = Golden(graph), np.array([[1, 2, 3, 4]], np.int8)
    (record,) = golden.records(x)
    assert record.tensors["y1"].values.tolist() == [[3, 4]]
    steps = [(item.coordinates, item.value) for item in golden.step("layer", x)]
    assert steps == [((0, 0, 0), 1), ((0, 0, 1), 2), ((1, 0, 0), 3), ((1, 0, 1), 4)]


def test_a_step_gives_codes_in_order_and_sums_as_the_array_does(residual_net):
    graph, x = residual_net
    golden = Golden(graph)
    name = next(node.name for node in graph.nodes if node.op == "Conv2D")
    y = refq.trace(graph, x, "integer")[next(iter(golden.records(x, (name,)))).node.outputs[0]]
    items = list(golden.step(name, x))
    assert [item.value for item in items] == y.reshape(-1).tolist()
    assert items[-1].coordinates == tuple(size - 1 for size in y.shape)
    (record,) = golden.records(x, (name,))
    a, b = record.product()
    order = ArrayOrder(rows=3, cols=4)
    sums = list(golden.step(name, x, order))
    assert len(sums) == order.events(a, b).size
    for item in sums:
        if item.coordinates != (-1, -1, -1):
            row, column, _ = item.coordinates
            assert item.value == int(a[row] @ b[:, column])


def test_what_cannot_be_stepped_is_named(residual_net):
    graph, x = residual_net
    golden = Golden(graph)
    other = next(node.name for node in graph.nodes if node.op not in ("Conv2D", "Dense"))
    with pytest.raises(GraphError, match="not one matrix product"):
        list(golden.step(other, x, ArrayOrder(rows=2, cols=2)))
    with pytest.raises(GraphError, match="no node 'nowhere'"):
        list(golden.step("nowhere", x))
    from tests.unit.small_graphs import residual

    with pytest.raises(GraphError, match="not quantized"):
        Golden(residual())
