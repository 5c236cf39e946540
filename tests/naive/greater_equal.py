from tests.naive.comparison import CASES as CASES
from tests.naive.comparison import on_codes
from tests.naive.elementwise import pairs

OP = "GreaterEqual"


def naive(layer, a, b):
    return pairs(a, b, lambda x, y: x >= y, bool)


def naive_integer(layer, codes, grids, out):
    return naive(layer, *on_codes(codes, grids))
