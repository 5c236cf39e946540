import numpy as np

from tests.naive import Case

OP = "QuantizeLinear"
CASES = (
    Case(shapes=((2, 3, 4), (), ()), attrs={"to": "uint8"}, types={1: "float32", 2: "uint8"}, low=0.01),
    Case(shapes=((2, 3, 4), (3,), (3,)), attrs={"to": "int8"}, types={1: "float32", 2: "int8"}, low=0.01),
    Case(shapes=((3, 5), (3, 3), None), attrs={"to": "int16", "block_size": 2}, low=0.01),
    Case(shapes=((5, 2), (2, 2), (2, 2)), attrs={"axis": 0, "block_size": 3}, types={2: "uint8"}, low=0.01),
)


def parameter(layer, values, place):
    """The scale or zero point an element at `place` belongs to."""
    if values is None:
        return 0
    if values.size == 1:
        return values.item()
    if layer.block_size:
        where = tuple(p // layer.block_size if i == layer.axis else p for i, p in enumerate(place))
        return values[where]
    return values[place[layer.axis]]


def naive(layer, x, scale, zero_point):
    y = np.empty(x.shape, layer.to)
    low, high = np.iinfo(layer.to).min, np.iinfo(layer.to).max
    for place in np.ndindex(x.shape):
        divisor = parameter(layer, scale, place)
        quotient = x[place].astype(scale.dtype) / divisor
        steps = round(float(quotient)) + int(parameter(layer, zero_point, place))  # Python rounds half to even
        y[place] = min(max(steps, low), high)
    return y
