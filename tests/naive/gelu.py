from math import erf, pi, sqrt, tanh

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Gelu"
CASES = (
    Case(shapes=((2, 3, 4),), low=-5.0, high=5.0),
    Case(shapes=((2, 5),), attrs={"approximate": True}, low=-5.0, high=5.0),
)


def naive(layer, x):
    if layer.approximate:
        return each(x, lambda v: v / 2 * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 * v**3))))
    return each(x, lambda v: v / 2 * (1 + erf(v / sqrt(2))))
