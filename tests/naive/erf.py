from math import erf

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Erf"
CASES = (Case(shapes=((2, 3, 4),), low=-3.0, high=3.0), Case(shapes=((1, 1),)))


def naive(layer, x):
    return each(x, erf)
