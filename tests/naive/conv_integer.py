import numpy as np

from tests.naive import Case, objects
from tests.naive.conv2d import naive as convolution

OP = "ConvInteger"
CASES = (
    Case(shapes=((1, 4, 5, 2), (3, 2, 2, 2), (), ()), types={0: "uint8", 1: "uint8", 2: "uint8", 3: "uint8"}),
    Case(
        shapes=((2, 5, 4, 2), (3, 3, 3, 2), (), (3,)),
        attrs={"padding": "same", "strides": (2, 1)},
        types={0: "uint8", 1: "int8", 2: "uint8", 3: "int8"},
    ),
    Case(shapes=((1, 3, 3, 4), (4, 1, 1, 2), None, None), attrs={"groups": 2}, types={0: "int8", 1: "int8"}),
)


def sums(layer, x, w, b, x_zero, w_zero):
    x_offset = 0 if x_zero is None else int(x_zero.reshape(()))
    w = objects(w).copy()
    for o in range(len(w)) if w_zero is not None else ():
        w[o] = w[o] - int(w_zero.item() if w_zero.size == 1 else w_zero[o])
    return convolution(layer, objects(x) - x_offset, w, None if b is None else objects(b))


def naive(layer, x, w, x_zero, w_zero):
    return sums(layer, x, w, None, x_zero, w_zero).astype(np.int32)
