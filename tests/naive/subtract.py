from tests.naive.add import CASES as CASES
from tests.naive.add import aligned_sum
from tests.naive.elementwise import pairs

OP = "Subtract"


def naive(layer, a, b):
    return pairs(a, b, lambda x, y: x - y)


def naive_integer(layer, codes, grids, out):
    return aligned_sum(codes, grids, out, -1)
