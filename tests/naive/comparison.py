"""What the twins of comparisons share."""

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.fixed_point import double

CASES = (
    Case(shapes=((2, 3, 4), (2, 3, 4))),
    Case(shapes=((2, 3, 4), (1, 4))),
    Case(shapes=((1, 3), (2, 1))),
)


def on_codes(codes, grids):
    """Both operands in steps of 1/256."""
    return [
        each(q, lambda code, g=grid: double((code - int(g.zero_point)) << 8, float(g.scale)))
        for q, grid in zip(codes, grids, strict=True)
    ]
