from math import expm1

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Elu"
CASES = (Case(shapes=((2, 3, 4),), low=-5.0, high=5.0), Case(shapes=((2, 5),), attrs={"alpha": 0.3}))


def naive(layer, x):
    return each(x, lambda v: v if v > 0 else layer.alpha * expm1(v))
