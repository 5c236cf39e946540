"""LSTM: long short-term memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refq.errors import RangeError, UnsupportedError
from refq.graph import QParams
from refq.layers.base import Array, TableLayer
from refq.layers.hard_sigmoid import HardSigmoid
from refq.layers.lstm_integer import GATE_SCALE, LstmCodes, LstmRule, cmsis_rule, litert_rule
from refq.layers.recurrent import Recurrent, bias_codes
from refq.layers.registry import layer
from refq.layers.relu import Relu
from refq.layers.sigmoid import Sigmoid
from refq.layers.tanh import Tanh
from refq.numerics import Arithmetic, float32_factor
from refq.quantizers.apply import fake_quantize

_hard_sigmoid: Any = HardSigmoid

GATES: dict[str, TableLayer] = {
    "tanh": Tanh(),
    "sigmoid": Sigmoid(),
    "relu": Relu(),
    "hard_sigmoid": HardSigmoid(),
    "hard_sigmoid_2": _hard_sigmoid(slope=0.2),
}
"""Functions a gate may apply; hard_sigmoid_2 is that of Keras 2."""


def gate(name: str) -> TableLayer:
    """The function of a gate by name; UnsupportedError names it."""
    if name not in GATES:
        raise UnsupportedError(f"activation {name!r} in a recurrent layer; supported are {', '.join(GATES)}")
    return GATES[name]


@layer("LSTM")
class LSTM(Recurrent):
    """i, f, o = s(x w' + h u' + b), g = a(x w' + h u' + b);  c = f * c + i * g;  h = o * a(c)

    Gates stand in w, u, b in Keras' order i, f, g, o; s is `recurrent_activation`, a `activation`; h, c start at 0.

    Attributes
    ----------
    cell_clip : c is clamped to +-cell_clip; 0 for no clamp
    cell_power : on the fake and integer paths c lives on an int16 grid of scale 2**cell_power, -15..-9; `quantize` and
        file readers set it

    Notes
    -----
    Integer path (see `lstm_integer`): sigmoid and tanh gates only; h lives on the output grid, w and u have one scale a
    tensor or one a row. Hochreiter and Schmidhuber 1997, with forget gate.
    """

    has_integer = True

    return_sequences: bool = False
    go_backwards: bool = False
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    cell_clip: float = 0.0
    cell_power: int | None = None

    def _clipped(self, c: Array) -> Array:
        return np.clip(c, -self.cell_clip, self.cell_clip) if self.cell_clip else c

    def _run(
        self, x: Array, w: Array, u: Array, b: Array | None, on_c: Callable[[Array], Array], on_h: Callable[..., Array]
    ) -> list[dict[str, Any]]:
        s, a, size = gate(self.recurrent_activation), gate(self.activation), u.shape[1]
        h = c = np.zeros((len(x), size), x.dtype)
        steps: list[dict[str, Any]] = []
        for t in self.times(x.shape[1]):
            pre = x[:, t] @ w.T + h @ u.T
            pre = pre if b is None else pre + b
            i, f, g, o = (pre[:, k * size : (k + 1) * size] for k in range(4))
            step: dict[str, Any] = {"t": t, "h0": h, "c0": c, "i": i, "f": f, "g": g, "o": o}
            full = s.function(f) * c + s.function(i) * a.function(g)
            c = on_c(self._clipped(full))
            h = on_h(s.function(o) * a.function(c))
            steps.append({**step, "full": full, "c": c, "h": h})
        return steps

    def forward(self, x: Array, w: Array, u: Array, b: Array | None = None) -> Array:
        return self.collect([step["h"] for step in self._run(x, w, u, b, _same, _same)])

    def fake(self, arrays: Sequence[Any], grids: Sequence[Any], out: Any) -> Any:
        cell = self.cell_grid()
        steps = self._run(
            *_four(arrays),
            on_c=lambda c: fake_quantize(c, cell),
            on_h=_same if out is None else lambda h: fake_quantize(h, out),
        )
        return self.collect([step["h"] for step in steps])

    def inner(self, *arrays: Any) -> dict[str, Array]:
        """The cell state after every step, for calibration."""
        return {"cell": np.stack([step["c"] for step in self._run(*_four(arrays), on_c=_same, on_h=_same)])}

    def inner_attrs(self, limits: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
        """The finest power of two whose int16 codes hold the cell state."""
        largest = float(np.max(np.abs(limits["cell"])))
        power = int(np.ceil(np.log2(max(largest, 2.0**-20) / 32767)))
        return {"cell_power": min(max(power, -15), -9)}

    def cell_grid(self) -> QParams:
        """The grid of the cell state."""
        if self.cell_power is None:
            raise UnsupportedError("LSTM: cell_power is not set; calibrate with refq.quantize")
        if not -15 <= self.cell_power <= -9:
            raise RangeError(f"LSTM: cell_power={self.cell_power} is outside -15..-9")
        return QParams(scale=2.0**self.cell_power, bits=16)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        return self.run_codes(codes, grids, out, litert_rule(arithmetic, grids[0].bits))

    def integer_by_tables(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        """The integer path by CMSIS-NN's rule."""
        return self.run_codes(codes, grids, out, cmsis_rule(arithmetic, grids[0].bits))

    def run_codes(self, codes: Sequence[Any], grids: Sequence[Any], out: QParams, rule: LstmRule) -> Array:
        """The integer path by a rule of rounding."""
        if (self.activation, self.recurrent_activation) != ("tanh", "sigmoid"):
            raise UnsupportedError(
                f"integer LSTM has tanh and sigmoid gates, not {self.activation} and {self.recurrent_activation}"
            )
        x, w, u = (codes[k].astype(np.int64) - _rows(grids[k].zero_point) for k in range(3))
        s_x, s_w, s_u, power = grids[0].scale, grids[1].scale, grids[2].scale, int(np.log2(self.cell_grid().scale))
        parameters = LstmCodes(
            w=w,
            u=u,
            b=bias_codes(codes[3] if len(codes) > 3 else None, s_x, s_w),
            input_factor=float32_factor((s_w, s_x), GATE_SCALE),
            hidden_factor=float32_factor((s_u, out.scale), GATE_SCALE),
            forget_to_cell=2.0**-15,
            input_to_cell=2.0 ** (-30 - power),
            to_output=float(float32_factor((np.float32(2.0**-30),), out.scale)),
            power=power,
            cell_clip=int(min(self.cell_clip / 2.0**power, 32767.0)),
            h_zero=int(out.zero_point),
            h_limits=(out.qmin, out.qmax),
        )
        steps = (x[:, t] for t in self.times(x.shape[1]))
        return self.collect(parameters.run(steps, rule, len(x)))

    def grad(self, dy: Array, x: Array, w: Array, u: Array, b: Array | None = None) -> tuple[Any, ...]:
        s, a = gate(self.recurrent_activation), gate(self.activation)
        steps = self._run(x, w, u, b, _same, _same)
        dx, dw, du = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
        db = None if b is None else np.zeros_like(b)
        dh_next = dc_next = np.zeros((len(x), u.shape[1]), x.dtype)
        for step, dh_own in zip(reversed(steps), reversed(self.state_grads(dy, len(steps))), strict=True):
            i, f, g, o, c = step["i"], step["f"], step["g"], step["o"], step["c"]
            dh = dh_own + dh_next
            dc = (dc_next + dh * s.function(o) * a.derivative(c)) * (self._clipped(step["full"]) == step["full"])
            dpre = np.concatenate(
                [
                    dc * a.function(g) * s.derivative(i),
                    dc * step["c0"] * s.derivative(f),
                    dc * s.function(i) * a.derivative(g),
                    dh * a.function(c) * s.derivative(o),
                ],
                axis=1,
            )
            dx[:, step["t"]] += dpre @ w
            dw += dpre.T @ x[:, step["t"]]
            du += dpre.T @ step["h0"]
            if db is not None:
                db += dpre.sum(axis=0)
            dh_next, dc_next = dpre @ u, dc * s.function(f)
        return dx, dw, du, db


def _same(x: Array) -> Array:
    return x


def _four(arrays: Sequence[Any]) -> Sequence[Any]:
    """x, w, u, b with None for an absent b."""
    return arrays if len(arrays) == 4 else (*arrays, None)


def _rows(zero_point: Array) -> Array:
    """A zero point a row, or one for all."""
    return zero_point[:, None] if zero_point.ndim else zero_point
