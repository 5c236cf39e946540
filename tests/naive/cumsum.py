from itertools import accumulate

from tests.naive import Case
from tests.naive.elementwise import along, each
from tests.naive.fixed_point import double

OP = "Cumsum"
CASES = (
    Case(shapes=((2, 5, 3),), attrs={"axis": 1}),
    Case(shapes=((2, 3, 4),), attrs={"axis": -1, "exclusive": True}),
    Case(shapes=((4, 2),), attrs={"reverse": True}),
    Case(shapes=((1, 6),), attrs={"axis": 1, "reverse": True, "exclusive": True}),
)


def naive(layer, x):
    def totals(seen):
        seen = seen[::-1] if layer.reverse else seen
        found = list(accumulate(seen))
        found = [0, *found[:-1]] if layer.exclusive else found
        return found[::-1] if layer.reverse else found

    return along(x, layer.axis, totals)


def naive_integer(layer, codes, grids, out):
    real = float(grids[0].scale) / float(out.scale)
    acc = naive(layer, codes[0] - int(grids[0].zero_point))
    return each(acc, lambda total: double(total, real) + int(out.zero_point))
