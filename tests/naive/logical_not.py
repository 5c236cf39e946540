from tests.naive import Case
from tests.naive.elementwise import each

OP = "LogicalNot"
CASES = (Case(shapes=((2, 3),), types={0: "bool"}),)


def naive(layer, x):
    return each(x, lambda v: not v)
