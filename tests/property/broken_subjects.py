"""Subjects that break one law each."""

import numpy as np

from refq.graph import QParams
from refq.quantizers import dequantize_array, quantize_array
from refq.quantizers.levels import Levels
from refq.testing import (
    BinaryDot,
    BlockQuantizer,
    CodeTable,
    Matmul,
    MultiplierRule,
    NibbleMultiplier,
    OutputStage,
    Packing,
    Quantizer,
    RangeObserver,
    Register,
    RequantizeFunction,
    VectorQuantizer,
    subject_of,
)
from refq.testing.oracles import ORACLES

GRID = QParams(scale=0.5, bits=4)
MIRROR = QParams(scale=0.5, bits=4, narrow=True)


def uniform(quantize, grid=GRID, rounding="half_even", dequantize=None, **declared):
    back = (lambda codes: dequantize_array(codes, grid)) if dequantize is None else dequantize
    return Quantizer.uniform(quantize, back, grid, rounding, name="broken", **declared)


def steps(x):
    return np.clip(np.nan_to_num(np.asarray(x, np.float64) / 0.5), -1e9, 1e9)


def wrapping(x):
    return ((np.rint(steps(x)).astype(np.int64) + 8) & 15) - 8


def unclamped_top(x):
    return np.clip(np.rint(steps(x)), -8, 8).astype(int)


def clamped_one_low(x):
    return np.clip(np.rint(steps(x)), -8, 6).astype(int)


def half_away(x):
    return quantize_array(np.asarray(x), GRID, "half_away")


def floors(x):
    return quantize_array(np.asarray(x), GRID, "floor")


def never_zero(x):
    q = quantize_array(np.asarray(x), GRID)
    return np.where(q == 0, 1, q)


def one_up_below(x):
    """Rounds ties up, though it says half even, and mirrors badly."""
    return quantize_array(np.asarray(x), MIRROR, "half_up")


def by_position(x):
    """Depends on where an element lies."""
    q = quantize_array(np.asarray(x), GRID).astype(int)
    return np.where(np.arange(q.size).reshape(q.shape) == 1, np.minimum(q + 1, 7), q)


def steps_of_two(x):
    return (quantize_array(np.asarray(x), GRID) // 2 * 2).astype(int)


def forgets_a_step(x):
    q = quantize_array(np.asarray(x), GRID).astype(int)
    return np.where(q == 3, 2, q)


def stochastic(grid=GRID, quantize=None):
    return Quantizer.uniform(quantize, lambda c: dequantize_array(c, grid), grid, "stochastic", name="broken")


UNEVEN, EVEN = Levels(levels=[-1, 0, 1, 4]), Levels(levels=[-1, 0.5, 2, 4])


def stochastic_levels(quantize):
    return Quantizer.levels(quantize, UNEVEN.dequantize, 4, name="broken", rounding="stochastic", nearest=False)


def always_up(x, rng):
    return np.clip(np.ceil(steps(x)), -8, 7).astype(int)


def with_a_seed_of_its_own(x, rng):
    return quantize_array(x, GRID, "stochastic", np.random.default_rng(0))


def far_noise(x, rng):
    return np.clip(np.rint(steps(x) + rng.normal(size=np.shape(x))), -8, 7).astype(int)


def blocks(quantize, permuted=None):
    grids = [QParams(scale=s, bits=4) for s in (0.5, 1.0)]
    parts = [((slice(i, i + 1), slice(None)), subject_of(grid)) for i, grid in enumerate(grids)]
    both = QParams(scale=[0.5, 1.0], bits=4, axis=0)
    return BlockQuantizer(
        name="broken",
        quantize=quantize,
        dequantize=lambda codes: dequantize_array(codes, both),
        shape=(2, 3),
        parts=parts,
        permuted=permuted,
    )


def first_scale_everywhere(x):
    return quantize_array(x, GRID)


def both_channels(x):
    return quantize_array(x, QParams(scale=[0.5, 1.0], bits=4, axis=0))


def vectors(encode, decode=None):
    table = np.array([[0, 0], [1, 0], [0, 2], [-3, 1]], np.float32)

    def nearest(x):
        return ((x[:, None] - table) ** 2).sum(-1).argmin(-1)[:, None]

    return VectorQuantizer(
        name="broken",
        encode=lambda x: encode(nearest(x), x),
        decode=lambda c: table[np.clip(c[:, 0], 0, 3)] if decode is None else decode(c),
        counts=(4,),
        dims=2,
    )


def two_stages(pick):
    """1-D points as the sum of a coarse and a fine codeword; `pick` spoils the code of a stage."""
    coarse, fine = np.array([-4.0, 0.0, 4.0]), np.array([-1.0, 0.0, 1.0])

    def encode(x):
        first = np.abs(x - coarse).argmin(1)
        second = np.abs(x[:, 0, None] - coarse[first][:, None] - fine).argmin(1)
        return np.stack(pick(first, second), 1)

    def partial(codes, stages):
        return (coarse[codes[:, 0]] + (fine[codes[:, 1]] if stages == 2 else 0))[:, None, None]

    return VectorQuantizer(
        name="broken",
        encode=encode,
        decode=lambda codes: partial(codes, 2)[:, 0].astype(np.float32),
        counts=(3, 3),
        dims=1,
        stages=2,
        partial=partial,
        nearest=False,
        recovers=False,
    )


def rule(name, apply=None, rounds=None):
    """A function of one rule that does another."""
    if rounds is not None:
        return RequantizeFunction(
            name="broken", rule=name, apply=lambda a, m, s: [ORACLES[rounds](int(v), m, s) for v in a]
        )
    return RequantizeFunction(name="broken", rule=name, apply=apply)


def off_by_one_negative(acc, m, s):
    return [ORACLES["single"](int(a), m, s) - (int(a) < -100) for a in acc]


def two_off(acc, m, s):
    return [ORACLES["double"](int(a), m, s) + 2 * (a == 3) for a in acc]


def bumpy(acc, m, s):
    return [ORACLES["single"](int(a), m, s) + 5 * (a == 0) for a in acc]


def output(acc, m, s, zero, low, high):
    total = np.array([ORACLES["single"](int(a), m, s) + zero for a in acc])
    return (total - low) % (high - low + 1) + low


def register(add_up, overflow="wrap", **more):
    return Register(name="broken", bits=16, overflow=overflow, add_up=add_up, **more)


def wraps_nine(start, terms):
    return (start + sum(terms) + 32767) % 65535 - 32767


def saturates_at_the_end(start, terms):
    return min(max(start + sum(terms), -32768), 32767)


def saturates(start, terms):
    for term in terms:
        start = min(max(start + term, -32768), 32767)
    return start


def narrow(start, terms):
    return (start + sum(terms) + 16384) % 32768 - 16384


def forgets_depth(a, b):
    return a[:, : max(a.shape[1] - a.shape[1] % 4, 1)] @ b[: max(b.shape[0] - b.shape[0] % 4, 1)]


def int16_inside(a, b):
    return (a.astype(np.int16) @ b.astype(np.int16)).astype(np.int64)


def off_by_depth(a, b):
    return a @ b + 1


def adds_depth_twice(a, b):
    return a @ b + (a.shape[1] > 16)


def pack_low(codes):
    return [int(c) & 3 for c in codes]


def unpack_without_sign(words, count):
    return np.array(words[:count])


def pads_count(a, b):
    bits = -(-len(a) // 64) * 64
    return int(a @ b) + bits - len(a)


def forgets_the_length(a, b):
    return int((a == b).sum())


def unsigned_high_nibble(x, y):
    return (x & 15) * (y & 15)


def observer(observe, merge=None, **declared):
    return RangeObserver(name="broken", observe=observe, interval=lambda seen: seen, merge=merge, **declared)


def last_batch(seen, x):
    return float(x.min()), float(x.max())


def first_element(seen, x):
    return (float(x[0]), float(x[0])) if seen is None else (min(seen[0], float(x[0])), max(seen[1], float(x[0])))


def covering(seen, x):
    low, high = float(x.min()), float(x.max())
    return (low, high) if seen is None else (min(low, seen[0]), max(high, seen[1]))


def unmoved(c):
    return uniform(lambda x: quantize_array(x, GRID), QParams(scale=0.5 * c, bits=4))


RISING = np.clip(np.arange(-128, 128) // 2, -128, 127)
BUMP = np.where(np.arange(256) == 77, 0, RISING)

BROKEN = [
    ("range", uniform(unclamped_top)),
    ("infinities", uniform(clamped_one_low)),
    ("not-a-number", uniform(lambda x: quantize_array(np.nan_to_num(x, nan=1.0), GRID), nan="zero")),
    ("not-a-number", uniform(lambda x: quantize_array(x, GRID), nan="raises")),
    ("round trip", uniform(forgets_a_step)),
    ("round trip", uniform(clamped_one_low)),
    ("idempotent", uniform(lambda x: quantize_array(x, GRID), dequantize=lambda c: c * np.float32(0.75))),
    ("monotone", uniform(wrapping)),
    ("nearest", uniform(floors)),
    (
        "nearest",
        Quantizer.levels(Levels(levels=[0, 1, 4], thresholds=[0.5, 3]).quantize, lambda c: np.array([0, 1, 4])[c], 3),
    ),
    ("truncation", uniform(lambda x: quantize_array(x, GRID) - (np.asarray(x) > 1), rounding="floor")),
    ("zero", uniform(never_zero)),
    ("zero", uniform(lambda x: quantize_array(x, GRID), QParams(scale=0.5, bits=4, zero_point=1))),
    ("mirror", uniform(one_up_below, MIRROR)),
    ("half up has a side", uniform(lambda x: quantize_array(x, MIRROR, "half_away"), MIRROR, "half_up")),
    ("tie table", uniform(half_away)),
    ("tie table", uniform(lambda x: quantize_array(x, GRID), rounding="half_up")),
    ("step", uniform(steps_of_two)),
    ("scale by powers of two", uniform(lambda x: quantize_array(x, GRID), rescaled=unmoved)),
    ("scale by any factor", uniform(lambda x: quantize_array(x, GRID), rescaled=unmoved)),
    ("zero point shifts", uniform(lambda x: quantize_array(x, GRID), shifted=lambda d: subject_of(GRID))),
    ("arrangement", uniform(by_position)),
    ("parts", blocks(first_scale_everywhere)),
    ("idempotent", blocks(lambda x: np.roll(both_channels(x), 1, 0))),
    ("channel permutation", blocks(both_channels, permuted=lambda order: blocks(both_channels))),
    ("unbiased", stochastic(quantize=always_up)),
    ("floor or ceil", stochastic(quantize=far_noise)),
    ("seeded", stochastic(quantize=with_a_seed_of_its_own)),
    ("unbiased", stochastic_levels(lambda x, rng: UNEVEN.quantize(x))),
    ("unbiased", stochastic_levels(lambda x, rng: EVEN.quantize_stochastic(x, rng))),
    ("floor or ceil", stochastic_levels(lambda x, rng: rng.integers(0, 4, np.shape(x)))),
    ("seeded", stochastic_levels(lambda x, rng: UNEVEN.quantize_stochastic(x, np.random.default_rng(0)))),
    ("range", vectors(lambda codes, x: codes + 1)),
    ("round trip", vectors(lambda codes, x: codes // 2)),
    ("nearest", vectors(lambda codes, x: np.where(codes == 3, 0, codes))),
    ("nearest of a stage", two_stages(lambda first, second: (first, np.minimum(second + 1, 2)))),
    ("nearest of a stage", two_stages(lambda first, second: (np.maximum(first - 1, 0), second))),
    ("rows", vectors(lambda codes, x: np.where(np.arange(len(x))[:, None] == 1, 0, codes))),
    ("big integers", rule("double", rounds="single")),
    ("big integers", rule("single", rounds="single_away")),
    ("big integers", rule("single_away", rounds="single")),
    ("big integers", rule("int64", rounds="single")),
    ("big integers", rule("dyadic", rounds="single")),
    ("big integers", rule("pow2", rounds="single_away")),
    ("big integers", rule("float32_half_even", rounds="dyadic")),
    ("big integers", rule("single", off_by_one_negative)),
    ("double near single", rule("double", two_off)),
    ("monotone", rule("single", bumpy)),
    ("tie table", rule("single", rounds="double")),
    ("tie table", rule("dyadic", rounds="single_away")),
    ("multiplier", MultiplierRule(split=lambda real: (int(np.frexp(real)[0] * 2**31), int(np.frexp(real)[1])))),
    ("multiplier", MultiplierRule(split=lambda real: (round(np.frexp(real)[0] * 2**31), int(np.frexp(real)[1])))),
    ("outputs saturate", OutputStage(apply=output, rule="single", name="broken")),
    ("overflow as declared", register(wraps_nine)),
    ("overflow as declared", register(saturates)),
    ("order", register(saturates)),
    ("saturation has an order", register(saturates_at_the_end, "saturate")),
    ("width", register(narrow)),
    ("width", register(lambda start, terms: start + sum(terms))),
    ("width", register(saturates, "saturate", overflows=lambda start, terms: 0)),
    ("big integers", Matmul(multiply=forgets_depth, name="broken")),
    ("big integers", Matmul(multiply=int16_inside, name="broken")),
    ("linear", Matmul(multiply=off_by_depth, name="broken")),
    ("zero points", Matmul(multiply=int16_inside, name="broken")),
    ("tiles", Matmul(multiply=adds_depth_twice, name="broken")),
    ("round trip", Packing(pack=pack_low, unpack=unpack_without_sign, bits=2, name="broken")),
    ("xnor", BinaryDot(dot=pads_count, name="broken")),
    ("parity", BinaryDot(dot=forgets_the_length, name="broken")),
    ("bytes from nibbles", NibbleMultiplier(multiply=unsigned_high_nibble, name="broken")),
    ("direct", CodeTable(table=BUMP, direct=lambda code: code // 2, name="broken")),
    ("monotone", CodeTable(table=BUMP, direct=lambda code: code // 2, increasing=True, name="broken")),
    ("covers", observer(first_element)),
    ("merge", observer(last_batch)),
    ("merge", observer(covering, merge=lambda a, b: b)),
    ("within", observer(lambda seen, x: (-1.0, float(x.max()) + 1), within=True)),
    ("scale by powers of two", observer(lambda seen, x: (float(x.min()) - 1, float(x.max())), scales=True)),
]
