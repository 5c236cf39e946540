from tests.naive.fixed_point import double
from tests.naive.mean import CASES as CASES
from tests.naive.mean import reduced

OP = "Sum"


def naive(layer, x):
    return reduced(layer, x, sum)


def naive_integer(layer, codes, grids, out):
    zero, real = int(grids[0].zero_point), float(grids[0].scale) / float(out.scale)
    return reduced(layer, codes[0], lambda seen: double(sum(q - zero for q in seen), real) + int(out.zero_point))
