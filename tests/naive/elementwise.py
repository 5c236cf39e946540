"""Loops over elements, shared by the twins of elementwise layers."""

import numpy as np


def each(x, function):
    """function(element) for every element."""
    y = np.empty(x.shape, x.dtype)
    for place in np.ndindex(x.shape):
        y[place] = function(x[place])
    return y


def pairs(a, b, function, dtype=None):
    """function(a element, b element) for every place of the broadcast shape."""
    a, b = np.broadcast_arrays(a, b)
    y = np.empty(a.shape, dtype or a.dtype)
    for place in np.ndindex(a.shape):
        y[place] = function(a[place], b[place])
    return y


def along(x, axis, function):
    """function(list of elements) -> list, for every line of x along an axis."""
    axis %= x.ndim
    lines = [n for i, n in enumerate(x.shape) if i != axis]
    found = {}
    for place in np.ndindex(*lines):
        found[place] = function([x[(*place[:axis], i, *place[axis:])] for i in range(x.shape[axis])])
    size = len(next(iter(found.values())))
    y = np.empty((*lines[:axis], size, *lines[axis:]), x.dtype)
    for place, line in found.items():
        for i, value in enumerate(line):
            y[(*place[:axis], i, *place[axis:])] = value
    return y
