from fractions import Fraction
from math import floor, isqrt, sqrt

import numpy as np

from tests.naive import Case
from tests.naive.fixed_point import double

OP = "LayerNormalization"
CASES = (
    Case(shapes=((2, 3, 4), (4,), (4,))),
    Case(shapes=((2, 3, 4), (3, 4), (3, 4)), attrs={"axis": (1, 2), "epsilon": 1e-5}),
)


def naive(layer, x, gamma, beta):
    axes = sorted(axis % x.ndim for axis in layer.axis)
    y = np.empty(x.shape, x.dtype)
    for place in np.ndindex(x.shape):
        group = [
            x[other] for other in np.ndindex(x.shape) if all(i in axes or other[i] == place[i] for i in range(x.ndim))
        ]
        mean = sum(group) / len(group)
        variance = sum((v - mean) ** 2 for v in group) / len(group)
        own = tuple(place[axis] for axis in axes)
        y[place] = gamma[own] * (x[place] - mean) / sqrt(variance + layer.epsilon) + beta[own]
    return y


def rows_of(layer, shape):
    """The places of each group that is normalized together, in order."""
    axes = sorted(axis % len(shape) for axis in layer.axis)
    groups = {}
    for place in np.ndindex(shape):
        groups.setdefault(tuple(i for axis, i in enumerate(place) if axis not in axes), []).append(place)
    return axes, groups.values()


def shift_of(bits, n, scale, epsilon):
    """Smallest s with n * (2**(bits - 1))**2 + n * epsilon / scale**2 below 2**31 * 4**s."""
    worst = Fraction(n * 4 ** (bits - 1)) + Fraction(n * epsilon / scale**2)
    return next(s for s in range(-40, 80) if worst < 2**31 * Fraction(4) ** s)


def normal_codes(values, bits, scale, epsilon):
    """Integer layer normalization of one row (Kim et al. 2021, algorithm 4 and section 3.5) on Python integers."""
    n = len(values)
    shift = shift_of(bits, n, scale, epsilon)
    left, right = max(-shift, 0), max(shift, 0)
    values, scale = [v * 2**left for v in values], scale / 2**left
    mean = round(Fraction(sum(values), n))
    spread = sum(((v - mean) // 2**right) ** 2 for v in values) + floor(n * epsilon / (scale * 2.0**right) ** 2)
    assert spread < 2**32
    factor = 2**31 // max(isqrt(spread), 1)
    return [(v - mean) * factor // 2 ** (right + 1) for v in values]


def naive_integer(layer, codes, grids, out, rule=double):
    x, gamma, beta = codes
    s_y = float(out.scale)
    axes, groups = rows_of(layer, x.shape)
    y = np.empty(x.shape, object)
    largest = max(abs(float(g)) for g in gamma.flat)
    for places in groups:
        normal = normal_codes(
            [x[p] - int(grids[0].zero_point) for p in places], grids[0].bits, float(grids[0].scale), layer.epsilon
        )
        step = sqrt(len(places)) / 2**30 / s_y
        guard = max((g for g in range(9) if largest * step * 2**g <= 0.5), default=0)
        for place, v in zip(places, normal, strict=True):
            own = tuple(place[axis] for axis in axes)
            g = float(gamma[own])
            scaled = rule(v if g > 0 else -v if g < 0 else 0, abs(g) * step * 2**guard)
            total = scaled + round(float(beta[own]) * (2.0**guard / s_y))
            y[place] = floor(Fraction(total, 2**guard) + Fraction(1, 2)) + int(out.zero_point)
    return y
