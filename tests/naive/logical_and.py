from tests.naive import Case
from tests.naive.elementwise import pairs

OP = "LogicalAnd"
CASES = (
    Case(shapes=((2, 3), (2, 3)), types={0: "bool", 1: "bool"}),
    Case(shapes=((2, 1), (3,)), types={0: "bool", 1: "bool"}),
)


def naive(layer, a, b):
    return pairs(a, b, lambda x, y: x and y)
