"""The integer LSTM: 8- or 16-bit activations, 8-bit weights, 16-bit gates and cell.

    pre = clamp16(G(x w_q' + b_q)),  pre = clamp16(pre + G(h u_q'))       Q3.12, G requantizes
    i, f, o = sigmoid(pre),  g = tanh(pre)                                 Q0.15
    c = clamp(P(f * c) + P(i * g))                                         int16, scale 2**power
    h = clamp(H(o * tanh(c)) + z_h)                                        output codes

What G, P, H, sigmoid and tanh are is the hardware's rule; the two known here are LiteRT's and CMSIS-NN's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.layers.base import Array
from refq.numerics import Accumulator, Arithmetic, rounding_divide_by_power_of_two
from refq.numerics.logistic import logistic, tanh
from refq.numerics.sigmoid_table import sigmoid16, tanh16

GATE_SCALE = np.float32(2.0**-12)
"""Gates enter sigmoid and tanh in Q3.12."""
_INT16 = (-(1 << 15), (1 << 15) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LstmRule:
    """How a kind of hardware rounds.

    gates : (accumulators, real factor) -> Q3.12
    elementwise : (products of Q0.15 numbers and cell states, real factor) -> cell state
    output : (products, real factor) -> output steps
    sigmoid, tanh : Q3.12 -> Q0.15;  tanh_of_cell : (cell state, power of its scale) -> Q0.15
    accumulator : of the sums of products
    """

    gates: Callable[[Any, Any], Array]
    elementwise: Callable[[Any, Any], Array]
    output: Callable[[Any, Any], Array]
    sigmoid: Callable[[Any], Array]
    tanh: Callable[[Any], Array]
    tanh_of_cell: Callable[[Any, int], Array]
    accumulator: Accumulator


@dataclass(frozen=True, slots=True, kw_only=True)
class LstmCodes:
    """An LSTM in integers. Gates stand in the order i, f, g, o.

    w (4H, I), u (4H, H) : int64, zero points subtracted;  b (4H) : int64 or None
    input_factor, hidden_factor : float64, scalar or (4H)     from sums to Q3.12
    forget_to_cell, input_to_cell, to_output : float64        from products to cell state and output steps
    power : scale of the cell state is 2**power
    cell_clip : largest cell state, 0 for none
    h_zero, h_limits : zero point and ends of the output codes
    """

    w: Array
    u: Array
    b: Array | None
    input_factor: Any
    hidden_factor: Any
    forget_to_cell: float
    input_to_cell: float
    to_output: float
    power: int
    cell_clip: int
    h_zero: int
    h_limits: tuple[int, int]

    def run(self, steps: Iterable[Array], rule: LstmRule, samples: int) -> list[Array]:
        """Output codes (N, H) of every step from (N, I) input codes, zero point subtracted; h, c start at 0."""
        size = self.u.shape[1]
        h, c = np.zeros((samples, size), np.int64), np.zeros((samples, size), np.int64)
        found: list[Array] = []
        for x in steps:
            own = x @ self.w.T if self.b is None else x @ self.w.T + self.b
            pre = np.clip(rule.gates(rule.accumulator.fit(own), self.input_factor), *_INT16)
            back = rule.gates(rule.accumulator.fit(h @ self.u.T), self.hidden_factor)
            i, f, g, o = np.split(np.clip(pre + back, *_INT16), 4, axis=1)
            kept = np.clip(rule.elementwise(rule.sigmoid(f) * c, self.forget_to_cell), *_INT16)
            c = kept + rule.elementwise(rule.sigmoid(i) * rule.tanh(g), self.input_to_cell)
            c = np.clip(c, *(_INT16 if self.cell_clip == 0 else (-self.cell_clip, self.cell_clip)))
            product = rule.sigmoid(o) * rule.tanh_of_cell(c, self.power)
            codes = np.clip(rule.output(product, self.to_output) + self.h_zero, *self.h_limits)
            found.append(codes)
            h = codes - self.h_zero
        return found


def litert_rule(arithmetic: Arithmetic, bits: int) -> LstmRule:
    """LiteRT's integer kernel for int8 activations: gemmlowp functions, products rounded by one power of two.

    Notes
    -----
    lstm_eval.cc `LstmStepInteger8x8_16`, portable_tensor_utils.cc.
    """
    if bits != 8:
        raise UnsupportedError(f"LSTM with {bits}-bit activations has no LiteRT kernel; the rule of cmsis-nn has one")
    requantizer = arithmetic.requantizer("LSTM", bits)
    return LstmRule(
        gates=requantizer,
        elementwise=_power_of_two,
        output=requantizer,
        sigmoid=lambda v: logistic(v, 3, bits=16),
        tanh=lambda v: tanh(v, 3, bits=16),
        tanh_of_cell=lambda c, power: tanh(c, 15 + power, bits=16),
        accumulator=arithmetic.accumulator_for(bits),
    )


def cmsis_rule(arithmetic: Arithmetic, bits: int) -> LstmRule:
    """CMSIS-NN's kernels for int8 and int16 activations: sigmoid and tanh by table, every product requantized.

    Notes
    -----
    `arm_nn_lstm_step_s8`, `arm_nn_lstm_step_s16`: gates of 16-bit activations have 64-bit sums and their requantizer,
    products of 16-bit numbers fit 32 bits and take that of 8-bit activations.
    """
    narrow = arithmetic.requantizer("LSTM", 8)
    return LstmRule(
        gates=arithmetic.requantizer("LSTM", bits),
        elementwise=narrow,
        output=narrow,
        sigmoid=sigmoid16,
        tanh=tanh16,
        tanh_of_cell=lambda c, power: tanh16(c, power + 12),
        accumulator=arithmetic.accumulator_for(bits),
    )


def _power_of_two(product: Array, factor: float) -> Array:
    return rounding_divide_by_power_of_two(product, -int(np.log2(factor)))
