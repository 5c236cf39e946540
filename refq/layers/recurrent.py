"""What recurrent layers share: the order of time, shapes and loop nest, biases as integers."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, elements
from refq.numerics import round_real

_INT32 = (1 << 31) - 1


def bias_codes(b: Array | None, *scales: Any) -> Array | None:
    """A bias as integers (int64) at the product of `scales`; codes pass, reals are rounded into 32 bits."""
    if b is None or b.dtype.kind in "iu":
        return None if b is None else b.astype(np.int64)
    step = np.ones((), np.float64)
    for scale in scales:
        step = step * np.asarray(scale, np.float64)
    return np.clip(round_real(b.astype(np.float64) / step, "half_even"), -_INT32 - 1, _INT32).astype(np.int64)


class Recurrent(Layer):
    """Shape rule, order of time and loop nest of recurrent layers; x (N, T, I), w (G*H, I), u (G*H, H)."""

    operands = ("x", "w", "u", "b?")
    parameters = frozenset({"w", "u", "b"})

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
