from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.fixed_point import double

OP = "Negative"
CASES = (
    Case(shapes=((2, 3, 4),)),
    # LiteRT's NEG turns the sign of codes whatever their grids: within a step of -x where scales are equal and zero
    # points 0, and but for the lowest code, whose opposite its width does not hold.
    Case(shapes=((2, 9),), attrs={"of_codes": True}, on_one_symmetric_grid=True),
)


def naive(layer, x):
    return each(x, lambda v: -v)


def naive_integer(layer, codes, grids, out):
    if layer.of_codes:
        half = 2 ** (out.bits - 1)
        return each(codes[0], lambda code: (half - code) % (2 * half) - half)
    zero, factor = int(grids[0].zero_point), float(grids[0].scale) / float(out.scale)
    return each(codes[0], lambda code: double(zero - code, factor) + int(out.zero_point))
