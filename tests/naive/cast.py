import numpy as np

from tests.naive import Case

OP = "Cast"
CASES = (
    Case(shapes=((2, 3),), attrs={"to": "float64"}),
    Case(shapes=((2, 3, 1),), attrs={"to": "int8"}, low=-100.0, high=100.0, indices={0: 300}),
)


def naive(layer, x):
    y = np.empty(x.shape, layer.to)
    for place in np.ndindex(x.shape):
        value = x[place]
        y[place] = value if layer.to == "float64" else (int(value) + 128) % 256 - 128
    return y
