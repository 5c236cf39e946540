"""Learned ranges: values that training fills, and the rule of their paper for the start.

Each holds None until a value is set (`dataclasses.replace`), one for all rows or a tuple with one a row (a channel of
`PerChannel`); until then its interval is the starting one for the data. A symmetric grid takes high = step * qmax and
low = -high, so that its scale is the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.quantizers.ranges.distribution import Distribution, Reals, merge, observe
from refq.quantizers.ranges.mean_squared_error import MeanSquaredError
from refq.quantizers.ranges.protocol import Limits
from refq.quantizers.uniform import Uniform

Values = float | tuple[float, ...]


class _FromData:
    """What learned ranges share: the data so far, for the start."""

    __slots__ = ()

    def observe(self, state: Distribution | None, x: NDArray[Any]) -> Distribution:
        """The data so far."""
        return observe(state, x)

    def merge(self, a: Distribution, b: Distribution) -> Distribution:
        """The data of both."""
        return merge(a, b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pact(_FromData):
    """A learned clipping level of activations.

        y = (|x| - |x - alpha| + alpha) / 2 = clip(x, 0, alpha)

    Parameters
    ----------
    alpha : float > 0 or one a row, or None: the largest value of the data, so that training starts without clipping

    Notes
    -----
    Choi et al. 2018, eq. (1); the gradient of alpha is 1 where x >= alpha. The paper starts large and lets weight decay
    pull alpha down.
    """

    alpha: Values | None = None

    def __post_init__(self) -> None:
        _check_positive("alpha", self.alpha)

    def limits(self, state: Distribution, grid: Uniform) -> Limits:
        """[0, alpha]."""
        high = np.maximum(state.high, 0.0) if self.alpha is None else _rows("alpha", self.alpha, state)
        return np.zeros_like(high), high


@dataclass(frozen=True, slots=True, kw_only=True)
class Lsq(_FromData):
    """A learned step.

        y = clip(x / step, qmin, qmax) rounded, times step;   step starts at 2 mean|x| / sqrt(qmax)

    Parameters
    ----------
    step : float > 0 or one a row, or None

    Notes
    -----
    Esser et al. 2020, section 2.1. qmax is 2**(bits - 1) - 1 on a symmetric grid; on another one 2**bits - 1, and data
    starts at 0.
    """

    step: Values | None = None

    def __post_init__(self) -> None:
        _check_positive("step", self.step)

    def limits(self, state: Distribution, grid: Uniform) -> Limits:
        """[-step * qmax, step * qmax], or [0, step * qmax]."""
        top = _top(grid)
        step = 2 * _means(state, absolute=True)[0] / np.sqrt(top)
        step = step if self.step is None else _rows("step", self.step, state)
        high = step * (top + 0.5 if grid.full_range else top)
        return (-high if grid.symmetric else np.zeros_like(high)), high


@dataclass(frozen=True, slots=True, kw_only=True)
class LsqPlus(_FromData):
    """A learned step and offset.

        y = clip((x - offset) / step, 0, levels - 1) rounded, times step, plus offset

    Parameters
    ----------
    step : float > 0 or one a row, or None
        starts at max(|mean - 3 sigma|, |mean + 3 sigma|) / 2**(bits - 1) on a symmetric grid (weights), else where both
        values together have the least squared error
    offset : float or one a row, or None; not on symmetric grids

    Notes
    -----
    Bhalgat et al. 2020, eq. (3)-(6) and section 3.3. A grid's offset is a whole number of steps and takes in 0.
    """

    step: Values | None = None
    offset: Values | None = None

    def __post_init__(self) -> None:
        _check_positive("step", self.step)
        if self.offset is not None and not np.all(np.isfinite(self.offset)):
            raise RangeError(f"offset={self.offset} must be finite")

    def limits(self, state: Distribution, grid: Uniform) -> Limits:
        """[-step * qmax, step * qmax], or [offset, offset + step * (2**bits - 1)]."""
        top = _top(grid)
        if grid.symmetric:
            mean, sigma = _means(state, absolute=False)
            start = np.maximum(np.abs(mean - 3 * sigma), np.abs(mean + 3 * sigma)) / 2.0 ** (grid.bits - 1)
            step = start if self.step is None else _rows("step", self.step, state)
            high = step * (top + 0.5 if grid.full_range else top)
            return -high, high
        low, step = state.low, state.low
        if self.offset is None or self.step is None:
            low, high = MeanSquaredError().limits(state, grid)
            step = (high - low) / top
        low = low if self.offset is None else _rows("offset", self.offset, state)
        step = step if self.step is None else _rows("step", self.step, state)
        return low, low + step * top


@dataclass(frozen=True, slots=True, kw_only=True)
class Qil(_FromData):
    """A learned interval of magnitudes: pruned below it, clipped above it.

        |x| in [centre - distance, centre + distance] maps to (0, 1];   symmetric low = -high, high = centre + distance

    Parameters
    ----------
    centre, distance : float or one a row, 0 < distance <= centre, both or None: half the largest magnitude, so that the
        interval is [0, max|x|]

    Notes
    -----
    Jung et al. 2019 (QIL, quantization interval learning; its transformer of weights is linear here, gamma = 1), eq.
    (2)-(3). `transform` is the transformer, the range that of its output, scaled back.
    """

    centre: Values | None = None
    distance: Values | None = None

    def __post_init__(self) -> None:
        _check_positive("distance", self.distance)
        if (self.centre is None) != (self.distance is None):
            raise RangeError("centre and distance of an interval are given together")
        if self.centre is None or self.distance is None:
            return
        if np.shape(self.centre) != np.shape(self.distance) or np.any(np.less(self.centre, self.distance)):
            raise RangeError(f"centre={self.centre} must not be below distance={self.distance}")

    def limits(self, state: Distribution, grid: Uniform) -> Limits:
        """[-(centre + distance), centre + distance], from 0 on an asymmetric grid."""
        high = np.maximum(-state.low, state.high)
        if self.centre is not None and self.distance is not None:
            high = _rows("centre", self.centre, state) + _rows("distance", self.distance, state)
        return (-high if grid.symmetric else np.zeros_like(high)), high

    def transform(self, x: Any) -> Reals:
        """sign(x) * clip((|x| - (centre - distance)) / (2 distance), 0, 1); x where no interval is set.

        Parameters
        ----------
        x : real; rows along the first axis where there is an interval a row
        """
        values = np.asarray(x, np.float64)
        if self.centre is None or self.distance is None:
            return values
        along = (-1, *(1,) * (values.ndim - 1)) if np.ndim(self.centre) else ()
        centre, distance = (np.reshape(np.asarray(v, np.float64), along) for v in (self.centre, self.distance))
        inside = (np.abs(values) - (centre - distance)) / (2 * distance)
        return np.sign(values) * np.clip(inside, 0.0, 1.0)


def _top(grid: Uniform) -> int:
    """Steps above the lowest real of the interval, or above 0 on a symmetric grid."""
    return max(1, (1 << (grid.bits - 1)) - 1) if grid.symmetric else (1 << grid.bits) - 1 - int(grid.narrow)


def _means(state: Distribution, absolute: bool) -> tuple[Reals, Reals]:
    found: list[tuple[float, float]] = []
    for row in range(len(state.low)):
        values, weights = state.points(row)
        values = np.abs(values) if absolute else values
        mean = float(np.average(values, weights=weights))
        found.append((mean, float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))))
    mean, sigma = np.array(found).T
    return mean, sigma


def _rows(name: str, held: Values, state: Distribution) -> Reals:
    """A learned value of every row."""
    values, count = np.asarray(held, np.float64), len(state.low)
    if values.ndim and values.shape != (count,):
        raise ShapeError(f"{name} has {values.size} values, the data have {count} rows of one interval each")
    return np.array(np.broadcast_to(values, (count,)))


def _check_positive(name: str, value: Values | None) -> None:
    if value is None:
        return
    values = np.asarray(value, np.float64)
    if values.ndim > 1 or not values.size or not np.all(np.isfinite(values) & (values > 0)):
        raise RangeError(f"{name}={value} must be positive and finite")
