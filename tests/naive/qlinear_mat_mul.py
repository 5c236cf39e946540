import numpy as np

from tests.naive import Case
from tests.naive.mat_mul_integer import naive as integer_product

OP = "QLinearMatMul"
_SCALES = {1: "float32", 4: "float32", 6: "float32"}
CASES = (
    Case(
        shapes=((3, 4), (), (), (4, 2), (), (), (), ()),
        types={**_SCALES, 0: "uint8", 2: "uint8", 3: "uint8", 5: "uint8", 7: "uint8"},
        low=0.01,
    ),
    Case(
        shapes=((2, 3, 4), (3,), (3,), (4, 2), (2,), (2,), (), ()),
        types={**_SCALES, 0: "int8", 2: "int8", 3: "int8", 5: "int8", 7: "int8"},
        low=0.01,
        high=0.5,
    ),
)


def naive(layer, a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero):
    acc = integer_product(layer, a, b, a_zero, b_zero)
    limits = np.iinfo(y_zero.dtype)
    y = np.empty(acc.shape, y_zero.dtype)
    for place in np.ndindex(acc.shape):
        left = a_scale if a_scale.size == 1 else a_scale[place[-2]]
        right = b_scale if b_scale.size == 1 else b_scale[place[-1]]
        factor = np.float32(np.float32(left * right) / y_scale)
        steps = round(float(np.float32(acc[place]) * factor)) + int(y_zero)
        y[place] = min(max(steps, limits.min), limits.max)
    return y
