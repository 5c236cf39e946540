from math import exp, floor, log

from tests.naive import Case
from tests.naive.fixed_point import apply_double, multiplier, rdbypot, srdhm
from tests.naive.gemmlowp import Fixed, half_sum, one_over_one_plus
from tests.naive.softmax import exp_q31, lines

OP = "LogSoftmax"
CASES = (
    Case(shapes=((2, 3, 5),), low=-6.0, high=6.0),
    Case(shapes=((2, 10),), low=-3.0, high=3.0),
    Case(shapes=((2, 4, 3),), attrs={"axis": 1}),
    Case(shapes=((1, 1),)),
)


def naive(layer, x):
    return lines(layer, x, lambda values: [v - log(sum(exp(w) for w in values)) for v in values])


def log_q5(raw):
    """Natural logarithm of a Q12.19 number, as Q5.26: the larger of two splittings of x, then a quotient."""
    x = Fixed(raw, 0, 32)
    root_half, fourth = Fixed(1518500250, 0, 32), Fixed(1805811301, 0, 32)
    quarter = Fixed(2**29, 0, 32).rescaled(6)
    room = 31 - raw.bit_length()
    r_a = (x.times_power(room) * root_half).times_power(1)
    k_a = Fixed((12 - room - 1) << 25, 6, 32) + quarter
    room_b = 31 - (x * root_half).raw.bit_length()
    r_b = x.times_power(room_b)
    k_b = Fixed((12 - room_b) << 25, 6, 32) - quarter
    r, k = Fixed(min(r_a.raw, r_b.raw), 0, 32), Fixed(max(k_a.raw, k_b.raw), 6, 32)
    p, d = half_sum(r, fourth), r - fourth
    q = d + d
    square = q * q
    numerator = q * r + (q * square) * Fixed(117049297, 0, 32)
    inner = Fixed(1057819769, 0, 32) + q + Fixed(127690142, 0, 32) * square
    denominator = p * inner + q * Fixed(638450708, 0, 32)
    fraction = numerator.rescaled(6) * one_over_one_plus(denominator)
    return (k * Fixed(1488522236, 0, 32) + fraction).rescaled(5).raw


def naive_integer(layer, codes, grids, out):
    m, s = multiplier(min(float(grids[0].scale) * 2**26, 2**31 - 1))
    back = multiplier(2 ** (31 - s) / m)
    diff_min = -floor(31 * 2**26 / 2**s)

    def one(values):
        top = max(values)
        scaled = [srdhm((v - top) << s, m) if v - top >= diff_min else None for v in values]
        l = log_q5(sum(rdbypot(exp_q31(d), 12) for d in scaled if d is not None))
        least = max(diff_min - 1, apply_double(l - 2**31, *back))
        y = [rdbypot(d - l, 22) if v - top > least else -255 for v, d in zip(values, scaled, strict=True)]
        return [v + int(out.zero_point) for v in y]

    return lines(layer, codes[0], one)
