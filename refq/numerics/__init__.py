"""What an integer is here: rounding, fixed-point multipliers, requantizers, accumulators, arithmetic profiles."""

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
