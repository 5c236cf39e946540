from math import exp

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Sigmoid"
CASES = (Case(shapes=((2, 3, 4),), low=-9.0, high=9.0), Case(shapes=((1,),), low=-700.0, high=700.0))


def naive(layer, x):
    return each(x, lambda v: 1 / (1 + exp(-v)))
