from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.fixed_point import double

OP = "Abs"
CASES = (Case(shapes=((2, 3, 4),)), Case(shapes=((1, 1),)))


def naive(layer, x):
    return each(x, lambda v: v if v >= 0 else -v)


def naive_integer(layer, codes, grids, out):
    zero, factor = int(grids[0].zero_point), float(grids[0].scale / out.scale)
    return each(codes[0], lambda code: double(abs(code - zero), factor) + int(out.zero_point))
