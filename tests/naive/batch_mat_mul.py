import numpy as np

from tests.naive import Case
from tests.naive.fixed_point import double, int64

OP = "BatchMatMul"
CASES = (
    Case(shapes=((2, 3, 4), (2, 4, 5))),
    Case(shapes=((2, 4, 3), (1, 5, 4)), attrs={"adj_a": True, "adj_b": True}),
    Case(shapes=((1, 1), (1, 1))),
)


def naive(layer, a, b):
    a = np.swapaxes(a, -1, -2) if layer.adj_a else a
    b = np.swapaxes(b, -1, -2) if layer.adj_b else b
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))
    y = np.empty((*lead, a.shape[-2], b.shape[-1]), a.dtype)
    for place in np.ndindex(y.shape):
        *group, m, n = place
        total = 0
        for k in range(a.shape[-1]):
            total += a[(*group, m, k)] * b[(*group, k, n)]
        y[place] = total
    return y


def naive_integer(layer, codes, grids, out):
    acc = naive(layer, codes[0] - int(grids[0].zero_point), codes[1] - int(grids[1].zero_point))
    real = float(np.float32(grids[0].scale * grids[1].scale)) / float(out.scale)
    rule = double if grids[0].bits == 8 else int64
    y = np.empty(acc.shape, object)
    for place in np.ndindex(acc.shape):
        y[place] = rule(acc[place], real) + int(out.zero_point)
    return y
