import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.max_pool2d import on_output_grid

OP = "Embedding"
CASES = (Case(shapes=((2, 3), (5, 4)), indices={0: 5}), Case(shapes=((1, 1), (1, 1)), indices={0: 1}))


def naive(layer, indices, w):
    y = np.empty((*indices.shape, w.shape[1]), w.dtype)
    for place in np.ndindex(y.shape):
        y[place] = w[indices[place[:-1]], place[-1]]
    return y


def naive_integer(layer, codes, grids, out):
    return each(naive(layer, *codes), lambda code: on_output_grid(code, grids[1], out))
