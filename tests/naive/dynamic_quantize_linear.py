import numpy as np

from tests.naive import Case

OP = "DynamicQuantizeLinear"
CASES = (
    Case(shapes=((2, 3),), types={0: "float32"}),
    Case(shapes=((4,),), types={0: "float32"}, low=1.0, high=3.0),
    Case(shapes=((2, 2),), types={0: "float32"}, low=0.0, high=0.0),
)


def naive(layer, x):
    values = [float(v) for v in x.flat]
    low, high = min(0.0, *values), max(0.0, *values)
    scale = np.float32(np.float32(high - low) / np.float32(255)) if high > low else np.float32(1)
    zero = min(max(round(float(np.float32(-low) / scale)), 0), 255)
    y = [min(max(round(float(np.float32(v) / scale)) + zero, 0), 255) for v in values]
    return np.array(y).reshape(x.shape), np.array(scale), np.array(zero)
