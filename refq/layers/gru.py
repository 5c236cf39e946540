"""GRU: gated recurrent unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from refq.layers.base import Array
from refq.layers.lstm import gate
from refq.layers.recurrent import Recurrent
from refq.layers.registry import layer


@layer("GRU")
class GRU(Recurrent):
    """z, r = s(x w' + h u' + b);  g = a(x w' + r * (h u'));  h = z * h + (1 - z) * g

    Gates stand in w, u, b in Keras' order z, r, g. `reset_after`: r multiplies h u' + b (b has shape (2, 3H): input and
    recurrent biases); otherwise r multiplies h before u', and b has shape (3H). Float and fake paths only.
    Cho et al. 2014.
    """

    has_integer = False

    return_sequences: bool = False
    go_backwards: bool = False
    reset_after: bool = True
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    def _run(self, x: Array, w: Array, u: Array, b: Array | None) -> list[dict[str, Any]]:
        s, a, size = gate(self.recurrent_activation), gate(self.activation), u.shape[1]
        zero = np.zeros(len(w), x.dtype)
        b_x, b_h = (zero, zero) if b is None else (b[0], b[1]) if b.ndim == 2 else (b, zero)
        h = np.zeros((len(x), size), x.dtype)
        split = (slice(0, size), slice(size, 2 * size), slice(2 * size, 3 * size))
        steps: list[dict[str, Any]] = []
        for t in self.times(x.shape[1]):
            own = x[:, t] @ w.T + b_x
            back = h @ u[: 2 * size].T + b_h[: 2 * size]
            z, r = own[:, split[0]] + back[:, split[0]], own[:, split[1]] + back[:, split[1]]
            reset = s.function(r)
            inner = (h if self.reset_after else reset * h) @ u[split[2]].T + b_h[split[2]]
            g = own[:, split[2]] + (reset * inner if self.reset_after else inner)
            step = {"t": t, "h0": h, "z": z, "r": r, "g": g, "inner": inner}
            update = s.function(z)
            h = update * h + (1 - update) * a.function(g)
            steps.append({**step, "h": h})
        return steps

    def forward(self, x: Array, w: Array, u: Array, b: Array | None = None) -> Array:
        return self.collect([step["h"] for step in self._run(x, w, u, b)])

    def grad(self, dy: Array, x: Array, w: Array, u: Array, b: Array | None = None) -> tuple[Any, ...]:
        s, a, size = gate(self.recurrent_activation), gate(self.activation), u.shape[1]
        dx, dw, du = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
        db_x, db_h = np.zeros(len(w), x.dtype), np.zeros(len(w), x.dtype)
        steps = self._run(x, w, u, b)
        dh_next = np.zeros((len(x), size), x.dtype)
        u_zr, u_g = u[: 2 * size], u[2 * size :]
        for step, dh_own in zip(reversed(steps), reversed(self.state_grads(dy, len(steps))), strict=True):
            z, r, g, h0, inner = step["z"], step["r"], step["g"], step["h0"], step["inner"]
            dh = dh_own + dh_next
            update, reset = s.function(z), s.function(r)
            dg = dh * (1 - update) * a.derivative(g)
            dz = dh * (h0 - a.function(g)) * s.derivative(z)
            d_inner = dg * reset if self.reset_after else dg
            d_reset = dg * inner if self.reset_after else (dg @ u_g) * h0
            d_zr = np.concatenate([dz, d_reset * s.derivative(r)], axis=1)
            d_own = np.concatenate([d_zr, dg], axis=1)
            d_back = np.concatenate([d_zr, d_inner], axis=1)
            dx[:, step["t"]] += d_own @ w
            dw += d_own.T @ x[:, step["t"]]
            du[: 2 * size] += d_zr.T @ h0
            du[2 * size :] += d_inner.T @ (h0 if self.reset_after else reset * h0)
            db_x += d_own.sum(axis=0)
            db_h += d_back.sum(axis=0)
            through = d_inner @ u_g
            dh_next = dh * update + d_zr @ u_zr + (through if self.reset_after else through * reset)
        db = None if b is None else np.stack([db_x, db_h]) if b.ndim == 2 else db_x
        return dx, dw, du, db
