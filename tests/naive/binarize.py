from tests.naive import Case
from tests.naive.elementwise import each

OP = "Binarize"
CASES = (Case(shapes=((2, 3, 4),)), Case(shapes=((2, 9),)))


def naive(layer, x):
    return each(x, lambda v: 1.0 if v >= 0 else -1.0)


def naive_integer(layer, codes, grids, out):
    return each(codes[0], lambda code: 1 if code >= int(grids[0].zero_point) else -1)
