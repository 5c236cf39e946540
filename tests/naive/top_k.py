import numpy as np

from tests.naive import Case
from tests.naive.elementwise import along, each
from tests.naive.max_pool2d import on_output_grid

OP = "TopK"
CASES = (
    Case(shapes=((2, 3, 5),), attrs={"k": 2}),
    Case(shapes=((4,),), attrs={"k": 4}),
    Case(shapes=((1, 3),), attrs={"k": 1}),
)


def naive(layer, x):
    def places(seen):
        return sorted(range(len(seen)), key=lambda i: (-seen[i], i))[: layer.k]

    values = along(x, -1, lambda seen: [seen[i] for i in places(seen)])
    return values, along(x, -1, places).astype(np.int32)


def naive_integer(layer, codes, grids, out):
    values, places = naive(layer, codes[0])
    return each(values, lambda code: on_output_grid(code, grids[0], out[0])), places
