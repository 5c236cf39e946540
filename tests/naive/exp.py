from math import exp

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Exp"
CASES = (Case(shapes=((2, 3, 4),)),)


def naive(layer, x):
    return each(x, lambda v: exp(v))
