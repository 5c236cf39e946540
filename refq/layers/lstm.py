"""LSTM: long short-term memory."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, TableLayer, elements
from refq.layers.hard_sigmoid import HardSigmoid
from refq.layers.registry import layer
from refq.layers.relu import Relu
from refq.layers.sigmoid import Sigmoid
from refq.layers.tanh import Tanh

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


class Recurrent(Layer):
    """Shape rule, order of time and loop nest of recurrent layers; x (N, T, I), w (G*H, I), u (G*H, H)."""

    operands = ("x", "w", "u", "b?")
    parameters = frozenset({"w", "u", "b"})
    has_integer = False

    return_sequences: bool
    go_backwards: bool

    def units(self, u: Shape) -> int:
        """H, the size of the state."""
        return u[1]

    def infer_shape(self, x: Shape, w: Shape, u: Shape, b: Shape | None = None) -> Shape:
        if len(x) != 3 or x[2] != w[1] or w[0] != u[0] or u[0] % u[1]:
            raise ShapeError(
                f"input shape {x}, kernel {w} and recurrent kernel {u} do not fit (N, T, I), (GH, I), (GH, H)"
            )
        return (x[0], x[1], u[1]) if self.return_sequences else (x[0], u[1])

    def times(self, steps: int) -> range:
        """The order in which time steps are visited."""
        return range(steps - 1, -1, -1) if self.go_backwards else range(steps)

    def collect(self, states: list[Array]) -> Array:
        """The output: every state in the order of visiting, or the last."""
        return np.stack(states, axis=1) if self.return_sequences else states[-1]

    def state_grads(self, dy: Array, steps: int) -> list[Array]:
        """dy as one array a visited step."""
        if self.return_sequences:
            return [dy[:, i] for i in range(steps)]
        return [np.zeros_like(dy)] * (steps - 1) + [dy]

    def nest(self, x: Shape, w: Shape, u: Shape, b: Shape | None = None) -> LoopNest:
        return LoopNest(
            kind="mac",
            N=x[0] * x[1],
            K=w[0],
            C=w[1] + u[1],
            inputs=(prod(x),),
            weights=prod(w) + prod(u),
            biases=elements(b),
            outputs=prod(self.infer_shape(x, w, u, b)),
        )


@layer("LSTM")
class LSTM(Recurrent):
    """i, f, o = s(x w' + h u' + b), g = a(x w' + h u' + b);  c = f * c + i * g;  h = o * a(c)

    Gates stand in w, u, b in Keras' order i, f, g, o; s is `recurrent_activation`, a `activation`; h, c start at 0.
    Float and fake paths only. Hochreiter and Schmidhuber 1997, with forget gate.
    """

    return_sequences: bool = False
    go_backwards: bool = False
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    def _run(self, x: Array, w: Array, u: Array, b: Array | None) -> list[dict[str, Any]]:
        s, a, size = gate(self.recurrent_activation), gate(self.activation), u.shape[1]
        h = c = np.zeros((len(x), size), x.dtype)
        steps: list[dict[str, Any]] = []
        for t in self.times(x.shape[1]):
            pre = x[:, t] @ w.T + h @ u.T
            pre = pre if b is None else pre + b
            i, f, g, o = (pre[:, k * size : (k + 1) * size] for k in range(4))
            step: dict[str, Any] = {"t": t, "h0": h, "c0": c, "i": i, "f": f, "g": g, "o": o}
            c = s.function(f) * c + s.function(i) * a.function(g)
            h = s.function(o) * a.function(c)
            steps.append({**step, "c": c, "h": h})
        return steps

    def forward(self, x: Array, w: Array, u: Array, b: Array | None = None) -> Array:
        return self.collect([step["h"] for step in self._run(x, w, u, b)])

    def grad(self, dy: Array, x: Array, w: Array, u: Array, b: Array | None = None) -> tuple[Any, ...]:
        s, a = gate(self.recurrent_activation), gate(self.activation)
        steps = self._run(x, w, u, b)
        dx, dw, du = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
        db = None if b is None else np.zeros_like(b)
        dh_next = dc_next = np.zeros((len(x), u.shape[1]), x.dtype)
        for step, dh_own in zip(reversed(steps), reversed(self.state_grads(dy, len(steps))), strict=True):
            i, f, g, o, c = step["i"], step["f"], step["g"], step["o"], step["c"]
            dh = dh_own + dh_next
            dc = dc_next + dh * s.function(o) * a.derivative(c)
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
