from tests.naive import Case
from tests.naive.elementwise import pairs
from tests.naive.fixed_point import double

OP = "Add"
CASES = (
    Case(shapes=((2, 3, 4), (2, 3, 4))),
    Case(shapes=((2, 3, 4), (1, 4))),
    Case(shapes=((1, 3), (2, 1))),
)


def naive(layer, a, b):
    return pairs(a, b, lambda x, y: x + y)


def naive_integer(layer, codes, grids, out):
    return aligned_sum(codes, grids, out, +1)


def aligned_sum(codes, grids, out, sign):
    """LiteRT ADD (sign +1) and SUB (sign -1) one element at a time: 20 finer bits for 8-bit codes, 15 for wider."""
    (s_a, z_a), (s_b, z_b) = ((float(g.scale), int(g.zero_point)) for g in grids)
    common, left = 2 * max(s_a, s_b), 20 if grids[0].bits == 8 else 15

    def one(x, y):
        x = double((x - z_a) << left, s_a / common)
        y = double((y - z_b) << left, s_b / common)
        return double(x + sign * y, common / (2**left * float(out.scale))) + int(out.zero_point)

    return pairs(*codes, one)
