from tests.naive import Case
from tests.naive.elementwise import pairs
from tests.naive.fixed_point import double

OP = "Prelu"
CASES = (Case(shapes=((2, 3, 4), (3, 4))), Case(shapes=((2, 3, 4), (1, 4))))


def naive(layer, x, alpha):
    return pairs(x, alpha, lambda v, a: v if v >= 0 else a * v)


def naive_integer(layer, codes, grids, out):
    (z_x, z_a), z_y = (int(grid.zero_point) for grid in grids), int(out.zero_point)
    above = float(grids[0].scale / out.scale)
    below = float(grids[0].scale * grids[1].scale / out.scale)

    def one(v, a):
        return (double(v - z_x, above) if v >= z_x else double((v - z_x) * (a - z_a), below)) + z_y

    return pairs(*codes, one)
