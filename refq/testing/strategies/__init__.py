"""Hypothesis strategies biased to where quantized arithmetic goes wrong.

Whole arrays are drawn by index into corner tables and shrink to few, simple elements; nothing draws from NumPy's
generators inside a strategy.
"""

from refq.testing.strategies.grids import bit_widths, grids, scales, zero_points
from refq.testing.strategies.products import ConvolutionCase, GemmCase, convolution_cases, gemm_cases, same_sign_cases
from refq.testing.strategies.requantization import accumulators, multipliers, requantization_cases, shifts
from refq.testing.strategies.tensors import code_tensors, real_tensors, reals_of
from refq.testing.strategies.words import code_rows, signs

__all__ = [
    "ConvolutionCase",
    "GemmCase",
    "accumulators",
    "bit_widths",
    "code_rows",
    "code_tensors",
    "convolution_cases",
    "gemm_cases",
    "grids",
    "multipliers",
    "real_tensors",
    "reals_of",
    "requantization_cases",
    "same_sign_cases",
    "scales",
    "shifts",
    "signs",
    "zero_points",
]
