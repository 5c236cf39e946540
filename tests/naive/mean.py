from math import floor, log2

import numpy as np

from tests.naive import Case
from tests.naive.fixed_point import multiplier, rdbypot, srdhm, wrap32

OP = "Mean"
CASES = (
    Case(shapes=((2, 3, 4, 5),), attrs={"axes": (1, 2)}),
    Case(shapes=((2, 3, 4),), attrs={"axes": (-2,), "keepdims": True}),
    Case(shapes=((2, 7, 7, 2),), attrs={"axes": (1, 2), "keepdims": True}),
)


def reduced(layer, x, function):
    """function(list of elements) over the reduced axes."""
    axes = [axis % x.ndim for axis in layer.axes]
    kept = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    y = np.empty(kept, x.dtype)
    for place in np.ndindex(*kept):
        index = tuple(slice(None) if axis in axes else i for axis, i in enumerate(place))
        y[place] = function(list(np.asarray(x[index]).flat))
    return y if layer.keepdims else y.reshape([size for axis, size in enumerate(x.shape) if axis not in axes])


def naive(layer, x):
    return reduced(layer, x, lambda seen: sum(seen) / len(seen))


def naive_integer(layer, codes, grids, out):
    m, s = multiplier(float(grids[0].scale) / float(out.scale))

    def mean(seen):
        count = len(seen)
        k = min(floor(log2(count)), 32, 31 + s)
        scaled, shift = (m << k) // count, s - k
        acc = sum(seen) - count * int(grids[0].zero_point)
        return rdbypot(srdhm(wrap32(acc << max(shift, 0)), scaled), max(-shift, 0)) + int(out.zero_point)

    return reduced(layer, codes[0], mean)
