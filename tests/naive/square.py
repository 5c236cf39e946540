from tests.naive import Case
from tests.naive.elementwise import each

OP = "Square"
CASES = (Case(shapes=((2, 3, 4),)), Case(shapes=((1, 1),)))


def naive(layer, x):
    return each(x, lambda v: v * v)
