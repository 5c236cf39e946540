"""Schedules: the learning rate of a step, a function (step, steps in all) -> rate."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

from refq.errors import RangeError

Schedule = Callable[[int, int], float]


def constant(rate: float) -> Schedule:
    """The same rate at every step."""
    _check(rate)
    return lambda step, total: rate


def cosine(rate: float, floor: float = 0.0) -> Schedule:
    """floor + (rate - floor) * (1 + cos(pi * step / total)) / 2 (Loshchilov & Hutter 2017, eq. 5, one period)."""
    _check(rate)
    return lambda step, total: floor + (rate - floor) * (1 + cos(pi * step / max(total, 1))) / 2


def stepwise(rate: float, at: tuple[float, ...] = (0.5, 0.75), factor: float = 0.1) -> Schedule:
    """rate * factor**k, k = how many of the parts `at` of all steps are behind."""
    _check(rate)
    return lambda step, total: rate * factor ** sum(step >= part * total for part in at)


def warm_up(schedule: Schedule, steps: int) -> Schedule:
    """The schedule's rate times (step + 1) / steps for the first `steps` steps."""
    if steps < 1:
        raise RangeError(f"steps={steps} of a warm-up must be at least 1")
    return lambda step, total: schedule(step, total) * min(1.0, (step + 1) / steps)


def _check(rate: float) -> None:
    if not rate > 0:
        raise RangeError(f"rate={rate} must be positive")
