from tests.naive import Case
from tests.naive.elementwise import pairs

OP = "Divide"
CASES = (Case(shapes=((2, 3, 4), (1, 4)), low=0.5, high=2.0), Case(shapes=((1, 3), (2, 1)), low=-2.0, high=-0.5))


def naive(layer, a, b):
    return pairs(a, b, lambda x, y: x / y)
