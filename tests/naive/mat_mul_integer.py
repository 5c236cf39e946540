import numpy as np

from tests.naive import Case

OP = "MatMulInteger"
CASES = (
    Case(shapes=((3, 4), (4, 2), (), ()), types={0: "uint8", 1: "uint8", 2: "uint8", 3: "uint8"}),
    Case(shapes=((2, 3, 4), (4, 2), (3,), (2,)), types={0: "uint8", 1: "int8", 2: "uint8", 3: "int8"}),
    Case(shapes=((1, 5), (5, 1), None, None), types={0: "int8", 1: "int8"}),
)


def zero_at(zero, index):
    if zero is None:
        return 0
    return int(zero.item() if zero.size == 1 else zero[index])


def naive(layer, a, b, a_zero, b_zero):
    y = np.empty((*a.shape[:-1], b.shape[-1]), np.int32)
    for *lead, m, n in np.ndindex(y.shape):
        total = 0
        for k in range(a.shape[-1]):
            left, right = a[(*lead, m, k)], b[k, n] if b.ndim == 2 else b[(*lead, k, n)]
            total += (int(left) - zero_at(a_zero, m)) * (int(right) - zero_at(b_zero, n))
        y[(*lead, m, n)] = total
    return y
