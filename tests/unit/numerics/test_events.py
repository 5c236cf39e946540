from dataclasses import replace

import numpy as np
import pytest

import refq
from refq.errors import AccumulatorOverflowError
from refq.graph import Graph, Node, QParams, TensorSpec
from refq.numerics import ANY, LITERT, Accumulator, Arithmetic, Events, double, pow2, single
from tests.naive import fixed_point as naive
from tests.unit.small_graphs import images, residual


def watched(requantizer=double, events=None, **fields) -> Arithmetic:
    return Arithmetic(name="test", requantize={ANY: requantizer}, **fields).watched(events or Events()).at("n")


def found(arithmetic: Arithmetic) -> dict[str, int]:
    return {kind: count for _, kind, count in arithmetic.events}


@pytest.mark.parametrize(("overflow", "kind"), [("wrap", "accumulator_wrapped"), ("saturate", "accumulator_saturated")])
def test_sums_beyond_both_ends_of_the_accumulator_are_counted(overflow, kind):
    arithmetic = watched(accumulator=Accumulator(bits=16, overflow=overflow))
    plain = Accumulator(bits=16, overflow=overflow)
    sums = np.array([-32769, -32768, 0, 32767, 32768, 10**6])
    np.testing.assert_array_equal(arithmetic.accumulator_for(8).fit(sums), plain.fit(sums))
    assert found(arithmetic) == {kind: 3}


def test_an_overflow_that_stops_the_run_is_counted_before_it_does():
    arithmetic = watched(accumulator=Accumulator(bits=16))
    with pytest.raises(AccumulatorOverflowError):
        arithmetic.accumulator_for(8).fit(np.array([40000, 3]))
    assert found(arithmetic) == {"accumulator_overflow": 1}


def test_left_shifts_that_wrap_are_counted():
    arithmetic = watched()
    acc = np.array([2**29, 2**29 - 1, -(2**29), -(2**29) - 1])
    y = arithmetic.requantizer("Conv2D")(acc, 3.0)  # m = 3/4 * 2**31, s = 2: wraps from 2**29 on
    assert found(arithmetic) == {"left_shift_wrapped": 2}
    assert y.tolist() == [naive.double(int(v), 3.0) for v in acc]


def test_ties_of_both_rounding_steps_are_counted_apart():
    arithmetic = watched()
    # M = 1/4: SRDHM halves (a tie for odd accumulators), then one more halving of that result.
    arithmetic.requantizer("Conv2D")(np.array([1, 2, 3, 4, -1, -2]), 0.25)
    halves = [naive.srdhm(v, 2**30) for v in (1, 2, 3, 4, -1, -2)]
    assert found(arithmetic) == {"tie": 3, "second_tie": sum(h % 2 for h in halves)}


def test_counts_of_two_rounding_steps_equal_those_of_big_integers():
    accs = np.random.default_rng(4).integers(-5000, 5000, 400)
    for m, s in ((2**30, -1), (3 * 2**29, -2), (2**30 + 2**29 + 2**27, -3), (2**30, 3)):
        arithmetic = watched()
        arithmetic.requantizer("Conv2D").apply(accs, np.array(m), np.array(s))
        left, right = max(s, 0), max(-s, 0)
        products = [(int(v) << left) * m for v in accs]
        highs = [naive.srdhm(int(v) << left, m) for v in accs]
        want = {
            "tie": sum(p % 2**31 == 2**30 for p in products),
            "second_tie": sum(right > 0 and h % 2**right == 2 ** (right - 1) for h in highs),
        }
        assert found(arithmetic) == {kind: count for kind, count in want.items() if count}


def test_ties_of_one_rounding_step_are_counted():
    for rule in (single, pow2):
        arithmetic = watched(rule)
        arithmetic.requantizer("Conv2D")(np.array([-3, -2, -1, 0, 1, 2, 3, 6]), 0.25)
        assert found(arithmetic) == {"tie": 3}  # -2, 2 and 6 quarters


def test_ties_per_channel_are_counted_for_every_element():
    arithmetic = watched(single)
    arithmetic.requantizer("Conv2D")(np.array([[1, 1], [1, 2]]), np.array([0.5, 0.25]))
    assert found(arithmetic) == {"tie": 3}


def one_dense(weight: int, out: QParams) -> Graph:
    x, w = QParams(scale=1.0), QParams(scale=1.0)
    specs = {
        "x": TensorSpec(name="x", shape=(1, 1), qparams=x),
        "w": TensorSpec(name="w", shape=(1, 1), dtype="int8", qparams=w),
        "y": TensorSpec(name="y", shape=(1, 1), qparams=out),
    }
    node = Node(op="Dense", name="fc", inputs=("x", "w"), outputs=("y",))
    weights = {"w": np.array([[weight]], np.int8)}
    return Graph(name="one", nodes=(node,), tensors=specs, constants=weights, inputs=("x",), outputs=("y",))


def test_outputs_clamped_low_and_high_are_counted_under_the_name_of_their_node():
    events, graph = Events(), one_dense(3, QParams(scale=1.0, zero_point=1))
    codes = np.array(
        [[-44], [-43], [42], [43], [44], [0]], np.int8
    )  # 3x + 1; both ends of the grid are reached exactly
    y = refq.run(graph, codes, path="integer", arithmetic=LITERT.watched(events))
    assert y.ravel().tolist() == [-128, -128, 127, 127, 127, 1]
    assert (events["fc", "clamped_low"], events["fc", "clamped_high"]) == (1, 2)
    assert "fc" in str(events)
    assert "clamped_high" in str(events)


def test_a_watched_run_is_bit_equal_and_its_chunks_add_up():
    x = images(12)
    graph = refq.quantize(residual(), images(32), recipe="int8")
    narrow = replace(LITERT, accumulator=Accumulator(bits=17, overflow="saturate"))
    whole, parts = Events(), Events()
    y = refq.run(graph, x, path="integer", arithmetic=narrow.watched(whole))
    np.testing.assert_array_equal(y, refq.run(graph, x, path="integer", arithmetic=narrow))
    for i in range(0, 12, 5):
        refq.run(graph, x[i : i + 5], path="integer", arithmetic=narrow.watched(parts))
    assert whole == parts
    assert whole.total("clamped_low") + whole.total("tie") > 0


def test_kinds_are_checked_and_nothing_prints_as_nothing():
    with pytest.raises(KeyError, match="'overflowed' is not one of accumulator_overflow"):
        Events().add("n", "overflowed")
    assert str(Events()) == "no events"


def test_the_table_has_a_row_a_node_and_the_totals():
    events = Events()
    events.add("conv", "tie", 12)
    events.add("fc", "clamped_low", 3)
    events.add("fc", "tie", 1)
    assert [line.split() for line in str(events).splitlines()] == [
        ["node", "tie", "clamped_low"],
        ["conv", "12", "0"],
        ["fc", "1", "3"],
        ["total", "13", "3"],
    ]
