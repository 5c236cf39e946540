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
