"""What an integer is here: rounding, fixed-point multipliers, requantizers, accumulators, arithmetic profiles.

This page is the law: what `run(path="integer")` computes, profile by profile and operator by operator, complete enough
to build hardware from. Signs: real = scale * (code - zero_point); `>>` is arithmetic (floor); x_q are codes, z zero
points, s scales (float32 in files); a shift s > 0 is to the left. A name in `code` is the module or function that
holds the readable implementation.

1. Primitives (`fixed_point`, `rounding`, `multiply_shift`)
    half up       round(v) = floor(v + 1/2)                              half away    sign(v) * floor(|v| + 1/2)
    half even     ties to the even integer                              stochastic   up with the probability of the
                  fraction; integers: (x + u) >> n, u uniform in 0..2**n - 1, one 62-bit draw an element in C order
    SRDHM(a, b)   min((a * b + 2**30) >> 31, 2**31 - 1)                  half up; int16: (a * b + 2**14) >> 15
    RDbP(x, n)    x / 2**n, half away                                    gemmlowp RoundingDivideByPOT
    SMbP(x, n)    x << n, held at the ends of int32 (int16)              n < 0: RDbP(x, -n)
    wrap32(x)     the low 32 bits, two's complement

2. Multiplier of a real factor M >= 0 (`quantize_multiplier`): frexp gives M = q * 2**e, 1/2 <= q < 1
    m = half_away(q * 2**31); m = 2**31 becomes m = 2**30, e + 1; e < -31 becomes (0, 0); s = e;  M ~ m * 2**(s - 31)
    Single-rounding builds hold e > 30 at (2**31 - 1, 30). m and s from elsewhere: `multiplier.fixed_point_factors`.

3. Requantizers R(acc, M) (`requantize`): exact integers, whatever the width of acc * m
    double        RDbP(SRDHM(wrap32(acc << max(s, 0)), m), max(-s, 0))   two roundings: half up, then half away
    single        (acc * m + 2**(30 - s)) >> (31 - s)                    half up
    single_away   sign(acc) * single(|acc|)                              half away; LiteRT: round(f64(acc) * M), equal
                  on every element measured
    int64         m16 = m >= 0x7FFF0000 ? 0x7FFF : (m + 2**15) >> 16;  (acc * m16 + 2**(14 - s)) >> (15 - s)
    dyadic        half_even(acc * m / 2**(31 - s)); m = half_up(q * 2**31), which may be 2**31 and then stays so.
                  HAWQ rounds the float64 product, equal to this while |acc * m| < 2**53; only exact halves tell it from
                  the half-up shifter (acc * m + 2**(e - 1)) >> e, e = 31 - s, for which `single` stands
    pow2          M = 2**-n:  (acc + 2**(n - 1)) >> n,  or acc << -n     half up; any other M is an error
    float32_half_even    rint(float32(acc) * float32(M))                 float32 arithmetic, not integers

4. How M is formed from scales s1, s2 and the output's s_y (field `factor` of a requantizer)
    float64_factor    f64(s1) * f64(s2) / f64(s_y)
    float32_factor    f32(f32(s1 * s2) / s_y)
    float32_product   f64(f32(s1 * s2)) / f64(s_y)
    Below, R[s1 s2 / s_y](acc) means R with M formed so.

5. Every operator, every profile
    The operator's formula gives wide integers; then the zero point z_y is added; then codes are clamped to
    [lowest, highest] of the output grid, narrowed by a fused activation to z_y + half_away(f32(limit) / s_y);
    then cast.
    Real inputs enter as clamp(round(f32(x) / s) + z), rounded as the profile's `input_rounding` says.
    Accumulators have the profile's width: `Accumulator`: wrap, saturate or stop the run, looked at once after the sum,
    or after every addition: the bias first, then terms in the order fy, fx, c.
    Which widths no input can overflow: `bounds.accumulator_bits`, `refq.safe_accumulators(graph)`.
    What happened at the limits (overflows, wraps, clamps, ties): `Arithmetic.watched(Events())`.

6. Profile litert: LiteRT 2.3 reference kernels. int32 accumulators, int64 above 8 bits; inputs half away
    R is double but: Dense single_away; Conv2D, DepthwiseConv2D, Conv2DTranspose, BatchMatMul at 16 bits int64.
    M is float64_factor but: Multiply, Relu, Prelu, Abs, Clamp, Svdf float32_factor; BatchMatMul float32_product.
    Conv2D, DepthwiseConv2D, Conv2DTranspose, Dense
                      acc = sum (x_q - z_x)(w_q - z_w) + b_q, padding adds 0; y = R[s_x s_w[channel] / s_y](acc)
    BatchMatMul       the same without bias, two activations
    Multiply          R[s_a s_b / s_y]((a_q - z_a)(b_q - z_b))
    Add, Subtract     t = 2 max(s_a, s_b), k = 20 (15 for 16 bits):
                      a = R[s_a / t]((a_q - z_a) << k), b likewise;  y = R[t / (2**k s_y)](a +- b)
    Average of n      the same with t = n max(s), and R[t / (2**k n s_y)] of the sum
    Mean              acc = sum x_q - n z_x;  (m, s) of s_x / s_y;  k = min(floor(log2 n), 32, 31 + s);
                      R with m' = (m << k) // n, s' = s - k
    AveragePool2D     half away of sum / count over cells inside the image (grids equal); else R[s_x / (s_y count)]
    Divide            a, b = steps, sign(b) moved to a; a << its headroom h; (m, s) of f32(s_a / (s_b s_y));
                      SRDHM(SRDHM(a << h, 1 / b), m), then RDbP by the places of 1 / b, h and -s
    SquaredDifference a, b, t as in Add with k = 7 (6 above 8 bits); R[t**2 / (2**(2k) s_y)]((a - b)**2)
    Sum               R[s_x / s_y](sum x_q - n z_x)
    ReduceProd        p = R[s_x / s_y**(1/n)](p (x_q - z_x)), factor by factor, and R(p) once more
    Equal, Less ...   a = R[s_a]((a_q - z_a) << 8), b likewise, compared; above 8 bits the codes themselves
    MaxPool2D, ReduceMax, ReduceMin, ArgMax, ArgMin, TopK, Maximum, Minimum     on codes; operands of another grid are
                      requantized first
    Relu              x >= 0: R[s_x / s_y](x_q - z_x); x < 0: R[s_x alpha / s_y](x_q - z_x), alpha = 0 gives 0
    Prelu             x < 0: R[s_x s_alpha / s_y]((x_q - z_x)(alpha_q - z_alpha))
    Reshape, Transpose, Slice, Split, Pad, Tile, Reverse, Gather, Select, SpaceToDepth, DepthToSpace, SpaceToBatch,
    BatchToSpace, BroadcastTo, ResizeNearest, Concatenate, Embedding, Identity, Requantize
                      codes move; where grids differ y = R[s_x / s_y](x_q - z_x). Padding holds z_x
    ResizeBilinear    places and weights with 10 fraction bits; sum of 4 products / 2**20, half away
    Sigmoid, Tanh, Exp, Log, Gelu, Elu, Selu, Softplus, Softsign, Swish, Mish, HardSigmoid, Square, Sin, Cos,
    Binarize, Interval
                      a table with one entry a code: half_away(f32(f(f32(s_x (q - z_x))) * f32(1 / s_y))) + z_y,
                      clamped; made before the run. Log of 0 and below is the lowest code
      int16, z = 0    Exp, Log, Gelu, Rsqrt: 513 entries, linear between them (`lookup`); Sigmoid, Tanh to s_y = 2**-15:
                      sigmoid16, tanh16 of section 12 on (q m + 2**(k - 1)) >> k, m 2**-k ~ 12288 s_x
    HardSwish (8)     `hard_swish`: two multipliers of 16 bits; wider codes have a table as above
    Sqrt              a table: floor(sqrt(f32(s_x (x_q - z_x))) / s_y) + z_y
    Rsqrt (8 bits)    1 / sqrt(d) = m 2**(-31 - n); r = double(1, m, 20 - n); R[2**-20 / (f32(sqrt s_x) s_y)](r);
                      the highest code at 0
    Abs, Clamp        R[s_x / s_y](|x_q - z_x|);  R[s_x / s_y](x_q - z_x) between half_away(f32(limit) / s_y)
    Negative          R[s_x / s_y](z_x - x_q); from .tflite files -x_q whatever the grids, as LiteRT has it
    L2Normalization   1 / sqrt(sum d**2) = m 2**(-31 - n); double(d, m, 7 - n), unsigned double(d << 7, m, -n)
    LogSoftmax        `softmax8.integer_log_softmax`: d as in Softmax, l = log of the sum in Q5.26; RDbP(d - l, 22)
    Softmax (8 bits)  (m, s) of min(beta s_x 2**26, 2**31 - 1); d = x_q - max;
                      d < -floor(31 * 2**26 / 2**s): lowest code; e = exp_neg(SRDHM(d << s, m)) in Q0.31 from Q5.26;
                      sum of RDbP(e, 12); h = its leading zeros; r = one_over((sum << h) - 2**31);
                      y = RDbP(SRDHM(r, e), 35 - h) - 128
    Softmax (16 bits) `softmax16`: exp on [-10, 0] and 1 / (1 + x) on [0, 1] from tables of 513 entries, linear between
    LSTM (8 bits)     `layers.lstm_integer`: gates Q3.12 in int16: both sums of products requantized, added and clamped;
                      sigmoid, tanh = logistic, tanh of section 12 at 16 bits; products with the cell state
                      by RDbP, since its scale is a power of two; cell clamped to int16 or its clip
    Svdf              `layers.svdf`: new column = clamp(R[s_x s_w / s_state](sum (x_q - z_x) w_q));
                      y = R[s_state s_u / s_y](sum over time and rank of state * u_q + b_q)
    BatchNormalization, where it was not folded: (x_q - z_x) * gain + offset in integers, then R, see its layer
    LayerNormalization as in profile ibert, with this profile's R, since no kernel exists
    Sources: LiteRT's kernels/internal/reference and common.h; tests/peers holds the rules to the running tool.

7. Profile cmsis-nn: as litert, multipliers formed as there; but Dense is double, Dense at 16 bits int64
    (`arm_nn_requantize`, `arm_nn_requantize_s64`), Multiply float64_factor.
    LSTM (8 and 16 bits): sigmoid16 and tanh16 by table, products with the cell state by double, gates of 16-bit
    activations by int64.

8. Profile onnx: ONNX Runtime on x86-64; int32 accumulators that wrap; inputs half even
    Sums of products as in 6 with R = float32_half_even, M float32_factor; every other operator in float32 between
    codes, see `onnxruntime`: this profile has no integer hardware equivalent.

   Profile xnnpack: LiteRT's default delegate, 8-bit codes; M float32_factor
    Sums of products, Multiply    as in 6 with R = float32_half_even
    Add, Subtract     n = 20 - floor(log2 max(s_a, s_b) / s_y); m = rint(f32(s / s_y) 2**n) an operand;
                      ((a_q - z_a) m_a +- (b_q - z_b) m_b + 2**(n - 1)) >> n
    leaky Relu, Requantize        ((x_q - z_x) m + 128) >> 8, m = rint(256 s_x / s_y), or of s_x alpha / s_y below 0
    Mean              rint(f32(sum x_q - n z_x) * (f32(s_x / s_y) * f32(1 / n)) + z_y)
    Elu               a table, rint(f(x) / s_y + z_y);  ResizeBilinear: weights of 11 bits, (sum + 2**21) >> 22
    What the delegate leaves to LiteRT's own kernels follows 6 (`xnnpack`).

9. Profile dyadic: HAWQ-V3. R is dyadic everywhere, M float32_product; int32 accumulators; inputs half even
    Add, Subtract     R[s_a / s_y](a_q - z_a) +- R[s_b / s_y](b_q - z_b): each branch rounded, then added (`residual`)
    Everything else as in 6 with this R. HAWQ's average pooling, trunc(mean + 0.01), is not used; that of 6 is.

10. Profile ibert: as dyadic, but three functions by integer polynomials (`ibert`, `ibert_normalization`,
    `ibert_rules`); published as a float32 simulation, exact here. B bits of x; constants float64, floored; codes at a
    2**k times finer scale s = s_x / 2**k (x = (x_q - z_x) << k, k < 0: half up to the right); M float64
    Gelu              k = min(floor(log2(2**15 s_x / (1.769 * 1.4142))), 30 - B); t = s / 1.4142; b = floor(-1.769 / t);
                      c = floor(1 / (-0.2888 t**2)); L = (sign(x) ((min(|x|, -b) + b)**2 + c)) >> 14;
                      s_L = -0.2888 t**2 2**14; y = -x (L + floor(1 / s_L)), cut half up by n bits to 32,
                      n = max(0, bits(floor((2 / |s_L| + 2) 2**(B + k))) - 31); R[-s s_L / 2 * 2**n / s_y](y)
    Softmax           s_x at most 32; k = floor(log2(s_x / sqrt(2.7921 / 2**31))), 2.7921 = 1 / 0.35815147;
                      d = max((x_q - max) held at -floor(31 * 0.6931 / s_x) - 1, shifted by k; 30 x0), x0 =
                      floor(-0.6931 / s); q = d // x0, r = d - q x0; c = floor(2.7921 / s**2);
                      z = r (r + floor(0.96963238 * 2.7921 / s)) + c; e = (z << (30 - q)) >> (bits(c << 30) - 16);
                      y = (e * (2**32 // sum e)) >> (32 - b) at scale 2**-b, b bits of y
    LayerNormalization (gamma, beta real) j = smallest integer: n (2**(B - 1))**2 + n eps / s_x**2 < 2**31 4**j;
                      k = max(-j, 0), j = max(j, 0); d = x - half_even(sum x / n);
                      v = sum (d >> j)**2 + floor(n eps / (s 2**j)**2); u = (d (2**31 // max(isqrt(v), 1))) >> (j + 1);
                      g = largest of 8..0 with M = |gamma| sqrt(n) / 2**30 / s_y at most 2**(-1 - g) in every channel;
                      y = (R[M 2**g](sign(gamma) u) + half_even(beta 2**g / s_y) + 2**(g - 1)) >> g

11. Profile pow2: shift only. R is pow2; every scale is 2**k (recipe "int8-pow2", `power_of_two_scale` in grids)
    Add, Subtract     as in 6; exact until the one shift that leaves to the output grid, half up
    Mean, Average     half_away(sum * 2**k / n), the sum exact at the (finest) input scale (`shift_only`)
    Factors that are no powers of two are refused by name: a leaky slope other than 2**-k, an unfolded batch
    normalization, average pooling between different grids.

12. Fixed-point functions (gemmlowp, LiteRT), 32 bits, those with `bits` also 16; all products SRDHM
    exp_neg           `exponential.exp_on_negative_values`: x = a mod 1/4 - 1/4 + 1/8 in Q0.31, c = 1895147668:
                      c + c (x + RDbP((RDbP(x**4, 2) + x**3) / 3 + x**2, 1)), 1/3 = 715827883; then one factor
                      exp(-2**k), k = -2..4, for each set bit of the multiple of 1/4; exp(0) = 2**31 - 1
    one_over          `reciprocal.one_over_one_plus_x`: h = half_away((a + 2**31 - 1) / 2); x = 48/17 - 32/17 h in
                      Q2.29; three times x += SMbP(SRDHM(x, 2**29 - SRDHM(h, x)), 2); SMbP(x, 1)
    (1 - a) / (1 + a) `reciprocal.one_minus_x_over_one_plus_x`: SMbP(x - 2**29, 2) of the same x
    logistic, tanh    `logistic`: from these with e = exp_neg(-|a|), exp_neg(-2 |a|); mirrored; exact at 0
    log               `logarithm.log`;  1 / x `reciprocal.reciprocal`;  1 / sqrt x, floor sqrt x `square_root`
    sigmoid16, tanh16 `sigmoid_table`: 256 published entries, linear between them (CMSIS-NN and LiteRT int16)
    The 16-bit constants are RDbP(the 32-bit ones, 16); only exp's last sum saturates, which 32 bits never need.
"""

from refq.numerics.accumulator import Accumulator
from refq.numerics.arithmetic import ANY, Arithmetic, IntegerRule
from refq.numerics.bounds import accumulator_bits, accumulator_range
from refq.numerics.events import Events
from refq.numerics.fixed_point import (
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_multiply,
)
from refq.numerics.matmul import exact_matmul, exact_type, magnitude
from refq.numerics.profiles import LITERT, PROFILES, find_arithmetic
from refq.numerics.requantize import (
    Requantizer,
    double,
    dyadic,
    float32_factor,
    float32_half_even,
    float32_product,
    float64_factor,
    int64,
    pow2,
    single,
    single_away,
)
from refq.numerics.rounding import ROUNDING_MODES, RoundingMode, round_real, shift_right

__all__ = [
    "ANY",
    "LITERT",
    "PROFILES",
    "ROUNDING_MODES",
    "Accumulator",
    "Arithmetic",
    "Events",
    "IntegerRule",
    "Requantizer",
    "RoundingMode",
    "accumulator_bits",
    "accumulator_range",
    "double",
    "dyadic",
    "exact_matmul",
    "exact_type",
    "find_arithmetic",
    "float32_factor",
    "float32_half_even",
    "float32_product",
    "float64_factor",
    "int64",
    "magnitude",
    "pow2",
    "quantize_multiplier",
    "round_real",
    "rounding_divide_by_power_of_two",
    "saturating_rounding_doubling_high_multiply",
    "shift_right",
    "single",
    "single_away",
]
