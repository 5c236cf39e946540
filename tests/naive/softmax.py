from math import exp, floor

import numpy as np

from tests.naive import Case
from tests.naive.fixed_point import multiplier, rdbypot, srdhm

OP = "Softmax"
CASES = (
    Case(shapes=((2, 3, 5),), low=-6.0, high=6.0),
    Case(shapes=((2, 10),), low=-3.0, high=3.0),
    Case(shapes=((2, 4, 3),), attrs={"axis": 1}),
    Case(shapes=((2, 6),), attrs={"beta": 0.5}, low=-5.0, high=5.0),
    Case(shapes=((1, 1),)),
)


def lines(layer, x, function):
    """function(list) along the layer's axis."""
    moved = np.moveaxis(x, layer.axis, -1)
    y = np.empty(moved.shape, x.dtype)
    for place in np.ndindex(*moved.shape[:-1]):
        y[place] = function(list(moved[place]))
    return np.moveaxis(y, -1, layer.axis)


def naive(layer, x):
    def one(values):
        powers = [exp(layer.beta * (v - max(values))) for v in values]
        return [p / sum(powers) for p in powers]

    return lines(layer, x, one)


def exp_q31(a):
    """exp of a <= 0 in Q5.26, result in Q0.31."""
    if a == 0:
        return 2**31 - 1
    rest = a % 2**24 - 2**24
    x = (rest << 5) + 2**28
    x2 = srdhm(x, x)
    x3, x4 = srdhm(x2, x), srdhm(x2, x2)
    tail = rdbypot(srdhm(rdbypot(x4, 2) + x3, 715827883) + x2, 1)
    y = min(1895147668 + srdhm(1895147668, x + tail), 2**31 - 1)
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for k, factor in enumerate(factors):
        if (rest - a) >> (24 + k) & 1:
            y = srdhm(y, factor)
    return y


def reciprocal_q31(a):
    """1 / (1 + a) for a in [0, 1), Q0.31."""
    half = (a + 2**31 - 1 + 1) // 2
    x = 1515870810 + srdhm(half, -1010580540)
    for _ in range(3):
        x += max(-(2**31), min(srdhm(x, 2**29 - srdhm(half, x)) << 2, 2**31 - 1))
    return min(x << 1, 2**31 - 1)


def naive_integer(layer, codes, grids, out):
    m, s = multiplier(min(layer.beta * float(grids[0].scale) * 2**26, 2**31 - 1))
    diff_min = -floor(31 * 2**26 / 2**s)

    def one(values):
        top = max(values)
        powers = [exp_q31(srdhm((v - top) << s, m)) if v - top >= diff_min else None for v in values]
        total = sum(rdbypot(e, 12) for e in powers if e is not None)
        headroom = 32 - total.bit_length()
        r = reciprocal_q31((total << headroom) - 2**31)
        return [-128 if e is None else rdbypot(srdhm(r, e), 12 - headroom + 23) - 128 for e in powers]

    return lines(layer, codes[0], one)
