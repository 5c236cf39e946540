from math import floor

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Floor"
CASES = (Case(shapes=((2, 3, 4),)), Case(shapes=((5,),)))


def naive(layer, x):
    return each(x, floor)
