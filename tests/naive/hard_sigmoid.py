from tests.naive import Case
from tests.naive.elementwise import each

OP = "HardSigmoid"
CASES = (Case(shapes=((2, 3, 4),), low=-5.0, high=5.0), Case(shapes=((2, 5),), attrs={"slope": 0.2}))


def naive(layer, x):
    return each(x, lambda v: min(max(layer.slope * v + layer.offset, 0), 1))
