from math import cos

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Cos"
CASES = (Case(shapes=((2, 3, 4),), low=-5.0, high=5.0), Case(shapes=((1, 1),)))


def naive(layer, x):
    return each(x, lambda v: cos(v))
