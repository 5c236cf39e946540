import numpy as np

from tests.naive import Case
from tests.naive.quantize_linear import parameter

OP = "DequantizeLinear"
CASES = (
    Case(shapes=((2, 3), (), ()), types={0: "uint8", 1: "float32", 2: "uint8"}, low=0.01),
    Case(shapes=((2, 3, 2), (3,), None), types={0: "int16", 1: "float32"}, low=0.01),
    Case(shapes=((3, 5), (3, 2), (3, 2)), attrs={"block_size": 4}, types={0: "int8", 2: "int8"}, low=0.01),
)


def naive(layer, x, scale, zero_point):
    y = np.empty(x.shape, scale.dtype)
    for place in np.ndindex(x.shape):
        y[place] = (int(x[place]) - int(parameter(layer, zero_point, place))) * parameter(layer, scale, place)
    return y
