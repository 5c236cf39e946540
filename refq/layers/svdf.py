"""SVDF: a dense layer over a window of time, its weights factored into rank-1 filters of features and of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from refq.errors import ShapeError, UnsupportedError
from refq.graph import LoopNest, QParams
from refq.layers.base import Array, Layer, Shape, elements
from refq.layers.recurrent import bias_codes
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.quantizers.apply import fake_quantize


@dataclass(frozen=True, slots=True)
class Filters:
    """What SVDF computes from, in any number type: w (F, I), u (F, M), b (F / rank) or None."""

    w: Array
    u: Array
    b: Array | None
    rank: int

    def run(
        self, x: Array, state: Array, to_state: Callable[[Array], Array], to_output: Callable[[Array], Array]
    ) -> tuple[Array, Array]:
        """Outputs (N, T, F / rank) and the state (N, F, M) after the last step.

        Parameters
        ----------
        x : (N, T, I); state : (N, F, M), oldest column first
        to_state, to_output : applied to new columns and to output sums; requantizers on integers
        """
        columns = to_state(x @ self.w.T).swapaxes(1, 2)
        history = np.concatenate([state, columns], axis=2)
        windows = sliding_window_view(history, self.u.shape[1], axis=2)[:, :, 1:]  # (N, F, T, M)
        filtered = np.einsum("nftm,fm->ntf", windows, self.u)
        sums = filtered.reshape(*filtered.shape[:2], -1, self.rank).sum(axis=3)
        return to_output(sums if self.b is None else sums + self.b), history[:, :, x.shape[1] :]


def _same(x: Array) -> Array:
    return x


@layer("Svdf")
class Svdf(Layer):
    """s = (s without its oldest column, w x);  y[k] = sum_{r, m} s[k*rank + r, m] * u[k*rank + r, m] + b[k]

    x (N, I), one step, or (N, T, I), T steps; w (F, I) filters of features, u (F, M) filters of time, b (F / rank);
    state (N, F, M) before the first step, oldest column first, zeros where absent; y (N, F / rank) or (N, T, F / rank).
    With `return_state` the state after the last step is a second output: feed it back to go on.

    Attributes
    ----------
    rank : filters summed into one output
    state_scale, state_bits : grid of the state on the fake and integer paths where no operand brings one, zero point 0;
        `quantize` and file readers set them
    return_state : whether the new state is an output too

    Notes
    -----
    LiteRT SVDF, whose state is a hidden variable: new column = clamp(requantize((x_q - z_x) w_q, s_x s_w / s_state)),
    output = requantize(sum + b_q, s_state s_u / s_y) + z_y, both factors formed in float32. Nakkiran et al. 2015.
    """

    operands = ("x", "w", "u", "b?", "state?")
    parameters = frozenset({"w", "u", "b"})

    rank: int = 1
    state_scale: float = 0.0
    state_bits: int = 16
    return_state: bool = False

    def infer_shape(self, x: Shape, w: Shape, u: Shape, b: Shape | None = None, state: Shape | None = None) -> Any:
        fits = len(x) in (2, 3) and len(w) == len(u) == 2 and x[-1] == w[1] and w[0] == u[0] and w[0] % self.rank == 0
        wanted = (x[0], w[0], u[-1])
        if not fits or (b is not None and b != (w[0] // self.rank,)) or (state is not None and state != wanted):
            raise ShapeError(
                f"shapes x {x}, w {w}, u {u}, b {b}, state {state} do not fit (N, [T,] I), (F, I), (F, M), (F / rank), "
                f"(N, F, M) with rank={self.rank}"
            )
        y = (*x[:-1], w[0] // self.rank)
        return (y, wanted) if self.return_state else y

    def _steps(self, x: Array, w: Array, u: Array, state: Array | None, fill: Any = 0) -> tuple[Array, Array]:
        start = np.full((len(x), len(w), u.shape[1]), fill, x.dtype) if state is None else state
        return (x if x.ndim == 3 else x[:, None]), start

    def _leave(self, x: Array, y: Array, state: Array) -> Any:
        y = y if x.ndim == 3 else y[:, 0]
        return (y, state) if self.return_state else y

    def forward(
        self, x: Array, w: Array, u: Array, b: Array | None = None, state: Array | None = None, on_grid: Any = _same
    ) -> Any:
        steps, start = self._steps(x, w, u, state)
        return self._leave(x, *Filters(w, u, b, self.rank).run(steps, start, on_grid, _same))

    def fake(self, arrays: Sequence[Any], grids: Sequence[Any], out: Any) -> Any:
        grid = self.state_grid(grids)
        return self.forward(*arrays, on_grid=lambda columns: fake_quantize(columns, grid))

    def inner(self, *arrays: Any) -> dict[str, Array]:
        """The state after every step, for calibration."""
        x, w = arrays[:2]
        return {"state": x @ w.T}

    def inner_attrs(self, limits: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
        """The finest symmetric grid that holds the state."""
        largest = float(np.max(np.abs(limits["state"])))
        return {"state_scale": max(largest, 2.0**-20) / ((1 << (self.state_bits - 1)) - 1)}

    def grad(
        self, dy: Array, x: Array, w: Array, u: Array, b: Array | None = None, state: Array | None = None
    ) -> tuple[Array | None, ...]:
        steps, start = self._steps(x, w, u, state)
        dsums = np.repeat(dy.reshape(*steps.shape[:2], -1), self.rank, axis=2)  # (N, T, F)
        history = np.concatenate([start, (steps @ w.T).swapaxes(1, 2)], axis=2)
        dhistory, du, memory = np.zeros_like(history), np.zeros_like(u), u.shape[1]
        for m in range(memory):
            seen = slice(1 + m, 1 + m + steps.shape[1])
            dhistory[:, :, seen] += dsums.swapaxes(1, 2) * u[:, m, None]
            du[:, m] = np.einsum("ntf,nft->f", dsums, history[:, :, seen])
        dcolumns = dhistory[:, :, memory:]  # (N, F, T)
        dx = np.einsum("nft,fi->nti", dcolumns, w).reshape(x.shape)
        db = None if b is None else dy.reshape(-1, dy.shape[-1]).sum(axis=0)
        dstate = None if state is None else dhistory[:, :, :memory]
        return dx, np.einsum("nft,nti->fi", dcolumns, steps), du, db, dstate

    def state_grid(self, grids: Sequence[Any]) -> QParams:
        """The grid of the state: its operand's, or the one the attributes give."""
        if len(grids) > 4 and grids[4] is not None:
            return grids[4]
        if self.state_scale <= 0:
            raise UnsupportedError(f"Svdf: state_scale={self.state_scale} is not set; calibrate with refq.quantize")
        return QParams(scale=self.state_scale, bits=self.state_bits)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Any:
        codes = list[Any]([*codes, *[None] * (5 - len(codes))])
        x, w, u = (codes[i].astype(np.int64) - grids[i].zero_point for i in range(3))
        s_x, s_w, s_u = (grids[i].scale for i in range(3))
        held, y_grid = self.state_grid(grids), out[0] if self.return_state else out
        state = None if codes[4] is None else codes[4].astype(np.int64) - held.zero_point
        requantizer = arithmetic.requantizer(self.op, grids[0].bits)
        fit = arithmetic.accumulator_for(grids[0].bits).fit

        def to_state(acc: Array) -> Array:
            new = requantizer.rescale(fit(acc), s_x, s_w, over=held.scale)
            return np.clip(new, held.qmin - held.zero_point, held.qmax - held.zero_point)

        def to_output(acc: Array) -> Array:
            return requantizer.rescale(fit(acc), held.scale, s_u, over=y_grid.scale) + y_grid.zero_point

        steps, start = self._steps(x, w, u, state)
        filters = Filters(w, u, bias_codes(codes[3], held.scale, s_u), self.rank)
        y, state = filters.run(steps, start, to_state, to_output)
        if self.return_state and out[1] != held:
            raise UnsupportedError("Svdf: the state returned must stay on the grid of the state")
        return self._leave(codes[0], y, state + held.zero_point)

    def nest(self, x: Shape, w: Shape, u: Shape, b: Shape | None = None, state: Shape | None = None) -> LoopNest:
        outputs = self.infer_shape(x, w, u, b, state)
        return LoopNest(
            kind="mac",
            N=prod(x[:-1]),
            K=w[0],
            C=w[1] + u[1],
            inputs=(prod(x),) if state is None else (prod(x), prod(state)),
            weights=prod(w) + prod(u),
            biases=elements(b),
            outputs=sum(map(prod, outputs)) if self.return_state else prod(outputs),
        )
