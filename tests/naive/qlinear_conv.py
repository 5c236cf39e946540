import numpy as np

from tests.naive import Case
from tests.naive.conv_integer import sums

OP = "QLinearConv"
_TYPES = {0: "uint8", 1: "float32", 2: "uint8", 4: "float32", 6: "float32", 7: "uint8", 8: "int32"}
CASES = (
    Case(
        shapes=((1, 4, 5, 2), (), (), (3, 2, 2, 2), (), (), (), (), None),
        types={**_TYPES, 3: "uint8", 5: "uint8"},
        low=0.01,
    ),
    Case(
        shapes=((1, 4, 4, 2), (), (), (3, 3, 3, 2), (3,), (3,), (), (), None),
        attrs={"padding": "same"},
        types={**_TYPES, 3: "int8", 5: "int8"},
        low=0.01,
        high=0.2,
    ),
)


def naive(layer, x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, b):
    acc = sums(layer, x, w, b, x_zero, w_zero)
    limits = np.iinfo(y_zero.dtype)
    y = np.empty(acc.shape, y_zero.dtype)
    for place in np.ndindex(acc.shape):
        scale = w_scale if w_scale.size == 1 else w_scale[place[-1]]
        factor = np.float32(np.float32(x_scale * scale) / y_scale)
        steps = round(float(np.float32(acc[place]) * factor)) + int(y_zero)
        y[place] = min(max(steps, limits.min), limits.max)
    return y
