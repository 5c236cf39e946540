from tests.naive import Case
from tests.naive.mean import reduced

OP = "ReduceAny"
CASES = (
    Case(shapes=((2, 3, 4),), attrs={"axes": (1,)}, types={0: "bool"}),
    Case(shapes=((3, 2, 2),), attrs={"axes": (-1, 1), "keepdims": True}, types={0: "bool"}),
)


def naive(layer, x):
    return reduced(layer, x, any)
