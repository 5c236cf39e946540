"""Sums in narrow registers, held to loops over Python integers that add one product after the other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import AccumulatorOverflowError, RangeError
from refq.graph import QParams
from refq.layers.batch_mat_mul import BatchMatMul
from refq.layers.conv2d import Conv2D
from refq.layers.conv2d_transpose import Conv2DTranspose
from refq.layers.dense import Dense
from refq.layers.depthwise_conv2d import DepthwiseConv2D
from refq.numerics import LITERT, Accumulator, Events
from refq.numerics.requantize import pow2

SHAPES = {
    "conv": (Conv2D(padding="same", strides=(2, 1), groups=2), (1, 4, 3, 4), (4, 3, 2, 2)),
    "depthwise": (DepthwiseConv2D(padding="same"), (1, 3, 4, 2), (1, 3, 2, 4)),
    "transpose": (Conv2DTranspose(strides=(2, 2), padding="same"), (1, 3, 2, 3), (2, 3, 3, 3)),
    "dense": (Dense(), (3, 9), (4, 9)),
}


class Register:
    """A register of Python integers."""

    def __init__(self, accumulator, start):
        self.low, self.high = -(2 ** (accumulator.bits - 1)), 2 ** (accumulator.bits - 1) - 1
        self.accumulator, self.each = accumulator, accumulator.order == "sequential"
        self.value, self.overflowed = 0, False
        self.add(start)

    def add(self, term):
        self.value += term
        if self.each:
            self.settle()

    def settle(self):
        if not self.low <= self.value <= self.high:
            self.overflowed = True
            if self.accumulator.overflow == "wrap":
                self.value = (self.value - self.low) % (2 * (self.high + 1)) + self.low
            else:
                self.value = min(max(self.value, self.low), self.high)
        return self.value


def pads(layer, size, kernel, stride, out):
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2


def products(name, layer, x, w, place):
    """The products of one output in the order kernel row, kernel column, input channel."""
    if name == "dense":
        n, o = place
        return [int(x[n, k]) * int(w[o, k]) for k in range(w.shape[1])]
    n, oy, ox, o = place
    if name == "transpose":
        found = []
        top = max((x.shape[1] - 1) * 2 + 3 - x.shape[1] * 2, 0) // 2
        left = max((x.shape[2] - 1) * 2 + 3 - x.shape[2] * 2, 0) // 2
        for fy, fx, i in np.ndindex(w.shape[1:]):
            iy, ix = oy + top - fy, ox + left - fx
            inside = iy % 2 == 0 and ix % 2 == 0 and 0 <= iy // 2 < x.shape[1] and 0 <= ix // 2 < x.shape[2]
            if inside:
                found.append(int(x[n, iy // 2, ix // 2, i]) * int(w[o, fy, fx, i]))
        return found
    sy, sx = layer.strides
    top = pads(layer, x.shape[1], w.shape[1], sy, -(-x.shape[1] // sy))
    left = pads(layer, x.shape[2], w.shape[2], sx, -(-x.shape[2] // sx))
    found = []
    channels = 1 if name == "depthwise" else w.shape[3]
    for fy, fx, c in np.ndindex(w.shape[1], w.shape[2], channels):
        iy, ix = oy * sy + fy - top, ox * sx + fx - left
        if 0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]:
            if name == "depthwise":
                found.append(int(x[n, iy, ix, o // (w.shape[3] // x.shape[3])]) * int(w[0, fy, fx, o]))
            else:
                group = o // (w.shape[0] // layer.groups)
                found.append(int(x[n, iy, ix, group * channels + c]) * int(w[o, fy, fx, c]))
    return found


def naive(name, layer, x, w, b, accumulator):
    shape = layer.infer_shape(x.shape, w.shape)
    y, overflowed = np.empty(shape, np.int64), False
    for place in np.ndindex(shape):
        register = Register(accumulator, int(b[place[-1]]))
        for term in products(name, layer, x, w, place):
            register.add(term)
        y[place] = register.settle()
        overflowed |= register.overflowed
    return y, overflowed


accumulators = st.builds(
    Accumulator,
    bits=st.integers(8, 40),
    overflow=st.sampled_from(["wrap", "saturate", "raise"]),
    order=st.sampled_from(["end", "sequential"]),
)


@pytest.mark.parametrize("name", SHAPES)
@given(accumulator=accumulators, seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([4, 8, 16]))
def test_layers_sum_as_a_register_of_python_integers(name, accumulator, seed, bits):
    layer, x_shape, w_shape = SHAPES[name]
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), x_shape), rng.integers(-128, 128, w_shape)
    b = rng.integers(-1000, 1000, layer.infer_shape(x_shape, w_shape)[-1])
    want, overflowed = naive(name, layer, x, w, b, accumulator)
    codes = [x.astype(np.int16), w.astype(np.int8), b.astype(np.int32)]
    if overflowed and accumulator.overflow == "raise":
        with pytest.raises(AccumulatorOverflowError, match=f"accumulator of {accumulator.bits} bits"):
            layer.register(codes, 0, 0, accumulator)
    else:
        np.testing.assert_array_equal(layer.register(codes, 0, 0, accumulator), want)


@pytest.mark.parametrize("name", SHAPES)
def test_saturation_follows_the_stated_order_and_no_other(name):
    """At every width at which something saturates, so that another order would show."""
    layer, x_shape, w_shape = SHAPES[name]
    reached = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, w = rng.integers(-128, 128, x_shape).astype(np.int8), rng.integers(-128, 128, w_shape).astype(np.int8)
        b = rng.integers(-1000, 1000, layer.infer_shape(x_shape, w_shape)[-1]).astype(np.int32)
        register = Accumulator(bits=int(rng.integers(12, 17)), overflow="saturate", order="sequential")
        want, overflowed = naive(name, layer, x, w, b, register)
        np.testing.assert_array_equal(layer.register([x, w, b], 0, 0, register), want)
        reached += overflowed
    assert reached > 10


@given(accumulator=accumulators, seed=st.integers(0, 2**32 - 1))
def test_products_of_two_activations_sum_as_a_register_of_python_integers(accumulator, seed):
    rng = np.random.default_rng(seed)
    layer = BatchMatMul(adj_b=True)
    a, b = rng.integers(-128, 128, (2, 3, 6)).astype(np.int8), rng.integers(-128, 128, (1, 2, 6)).astype(np.int8)
    want, overflowed = np.empty((2, 3, 2), np.int64), False
    for n, i, j in np.ndindex(want.shape):
        register = Register(accumulator, 0)
        for k in range(6):
            register.add((int(a[n, i, k]) - 3) * (int(b[0, j, k]) + 7))
        want[n, i, j] = register.settle()
        overflowed |= register.overflowed
    arithmetic = replace(LITERT, accumulator=accumulator, requantize={"*": pow2})
    grids = [QParams(scale=1.0, zero_point=3), QParams(scale=1.0, zero_point=-7)]
    out = QParams(scale=1.0, bits=40)
    if overflowed and accumulator.overflow == "raise":
        with pytest.raises(AccumulatorOverflowError):
            layer.integer([a, b], grids, out, arithmetic)
    else:
        np.testing.assert_array_equal(layer.integer([a, b], grids, out, arithmetic), want)


def test_the_order_decides_what_a_saturating_register_holds():
    x, w = np.array([[127, 127, -128]], np.int8), np.array([[1, 1, 1]], np.int8)
    in_order = Accumulator(bits=8, overflow="saturate", order="sequential")
    assert Dense().register([x, w], 0, 0, in_order).tolist() == [[-1]]  # 127, held at 127, then 127 - 128
    assert Dense().register([x, w], 0, 0, replace(in_order, order="end")).tolist() == [[126]]


def test_the_register_starts_with_the_bias():
    x, w, b = np.array([[-100]], np.int8), np.array([[1]], np.int8), np.array([127], np.int32)
    register = Accumulator(bits=8, overflow="saturate", order="sequential")
    assert Dense().register([x, w, b + 50], 0, 0, register).tolist() == [[27]]


def test_events_count_every_addition_that_saturates():
    events = Events()
    arithmetic = replace(
        LITERT, accumulator=Accumulator(bits=8, overflow="saturate", order="sequential"), requantize={"*": pow2}
    ).watched(events)
    x, w = np.array([[127, 127, 127]], np.int8), np.array([[1, 1, 1]], np.int8)
    unit = QParams(scale=1.0)
    Dense().integer([x, w], [unit, unit], unit, arithmetic.at("dense"))
    assert events["dense", "accumulator_saturated"] == 2


def test_an_unknown_order_or_overflow_is_refused():
    with pytest.raises(RangeError, match="order='random' is not one of end, sequential"):
        Accumulator(order="random")
    with pytest.raises(RangeError, match="overflow='clip' is not one of wrap, saturate, raise"):
        Accumulator(overflow="clip")
