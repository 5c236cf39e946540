"""Learned step sizes: LSQ, and LSQ+ with a learned offset."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import fake_quantize
from refq.quantizers.float_passes import step_slopes
from refq.quantizers.learning.protocol import (
    Array,
    Learned,
    Moment,
    Pull,
    Trainable,
    levels_above,
    others,
    steps_of,
)
from refq.quantizers.ranges.learned import LsqPlus as LsqPlusRange
from refq.quantizers.uniform import Uniform

_SMALLEST_STEP = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Lsq(Trainable):
    """A step that is learned like a weight.

        y = step * round(clip(x / step, -QN, QP))
        dstep = g * sum dy * (round(x / step) - x / step inside,  -QN below,  QP above),   g = 1 / sqrt(N * QP)
        dx = dy inside, 0 outside

    Parameters
    ----------
    bits : int in 2..16, from 1 with `nonnegative`
    nonnegative : values behind a ReLU: QN = 0, QP = 2**bits - 1; else QN = 2**(bits - 1), QP = QN - 1
    per_channel : a step an output channel of weights; per tensor as published
    initial : "mean" 2 mean|x| / sqrt(QP), as in LSQ; "deviation" max(|m - 3 sigma|, |m + 3 sigma|) / 2**(bits - 1) with
        mean m and deviation sigma, as LSQ+ has it for weights

    Notes
    -----
    Esser et al. 2020, eq. (1)-(5), section 2.1-2.2: N is the number of weights, or of features of an activation.
    "deviation": Bhalgat et al. 2020, section 3.3.
    """

    bits: int = 4
    nonnegative: bool = False
    per_channel: bool = False
    initial: Literal["mean", "deviation"] = "mean"

    def __post_init__(self) -> None:
        _check_bits(self.bits, self.nonnegative)

    @property
    def takes_negative(self) -> bool:
        return not self.nonnegative

    def start(self, x: Array, axis: int | None) -> Learned:
        shared = others(x, axis if self.per_channel else None)
        top = self._grid(np.array(1.0, np.float32), None).qmax - (self._base() if self.nonnegative else 0)
        if self.initial == "deviation":
            mean, spread = x.mean(axis=shared), 3 * x.std(axis=shared)
            step = np.maximum(np.abs(mean - spread), np.abs(mean + spread)) / x.dtype.type(1 << (self.bits - 1))
        else:
            step = 2 * np.abs(x).mean(axis=shared) / x.dtype.type(sqrt(top))
        return {"step": np.maximum(step, x.dtype.type(_SMALLEST_STEP))}

    def _base(self) -> int:
        return int(levels_above(self.bits).zero_point)

    def _grid(self, step: Array, axis: int | None) -> QParams:
        scale = np.maximum(step, _SMALLEST_STEP)
        axis = axis if np.ndim(step) else None
        if not self.nonnegative:
            return QParams(scale=scale, bits=self.bits, axis=axis)
        base = levels_above(self.bits)
        return QParams(scale=scale, zero_point=base.zero_point, bits=self.bits, signed=base.signed, axis=axis)

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        step = learned["step"]
        grid = self._grid(step, axis)
        y = fake_quantize(x, grid)

        def pull(dy: Array) -> tuple[Array, Learned]:
            shared = others(x, axis if np.ndim(step) else None)
            scale = _gradient_scale(x, axis, int(grid.qmax - grid.zero_point.max()), np.size(step))
            dx, slope = step_slopes(dy, x, y, grid, shared)
            return dx, {"step": np.asarray(slope * scale, x.dtype)}

        return y, pull, grid


@dataclass(frozen=True, slots=True, kw_only=True)
class LsqPlus(Trainable):
    """A step and an offset, both learned, for activations that are not symmetric (behind swish, h-swish, leaky ReLU).

        y = step * round(clip((x - offset) / step, 0, p)) + offset,   p = 2**bits - 1
        dstep  = g * sum dy * (round(v) - v inside,  0 below,  p above),   v = (x - offset) / step
        doffset = g * sum dy * (0 inside, 1 outside);   dx = dy inside

    Parameters
    ----------
    bits : int in 2..16

    Notes
    -----
    Bhalgat et al. 2020, eq. (3)-(6), with LSQ's gradient scale g. A grid needs a code for 0: the offset counts as the
    nearest whole number of steps in [-p, 0]; its gradient passes that rounding. Section 3.3: step and offset start
    where together they have the least squared error on the data, argmin sum (y - x)**2; `start_samples` of
    `refq.training.fit` says on how much of it.
    """

    bits: int = 4

    def __post_init__(self) -> None:
        _check_bits(self.bits, False)

    @property
    def takes_negative(self) -> bool:
        return True

    def start(self, x: Array, axis: int | None) -> Learned:
        ranges, grid = LsqPlusRange(), Uniform(bits=self.bits)
        low, high = (float(end[0]) for end in ranges.limits(ranges.observe(None, x.reshape(1, -1)), grid))
        step = max((high - low) / ((1 << self.bits) - 1), _SMALLEST_STEP)
        return {"step": np.asarray(step, x.dtype), "offset": np.asarray(low, x.dtype)}

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        step = max(float(learned["step"]), _SMALLEST_STEP)
        top = (1 << self.bits) - 1
        zero = int(np.clip(np.rint(-float(learned["offset"]) / step), 0, top)) - (1 << (self.bits - 1))
        grid = QParams(scale=step, zero_point=zero, bits=self.bits)
        y = fake_quantize(x, grid)
        steps = steps_of(x, grid)
        below, above = steps <= grid.qmin, steps >= grid.qmax
        slope = np.where(below, 0, np.where(above, top, np.rint(steps) - steps)).astype(x.dtype)

        def pull(dy: Array) -> tuple[Array, Learned]:
            scale = _gradient_scale(x, axis, top, 1)
            dstep, doffset = (dy * slope).sum() * scale, (dy * (below | above)).sum() * scale
            return dy * ~(below | above), {"step": np.asarray(dstep, x.dtype), "offset": np.asarray(doffset, x.dtype)}

        return y, pull, grid


def _gradient_scale(x: Array, axis: int | None, top: int, scales: int) -> float:
    """1 / sqrt(N * QP); weights have an axis of channels, activations a batch that does not count."""
    count = x.size // scales if axis is not None else x.size // len(x)
    return 1 / sqrt(max(count * top, 1))


def _check_bits(bits: int, nonnegative: bool) -> None:
    lowest = 1 if nonnegative else 2
    if not lowest <= bits <= 16:
        raise RangeError(f"bits={bits} is outside {lowest}..16")
