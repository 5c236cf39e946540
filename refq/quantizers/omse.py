"""OMSE: optimal squared error a kernel, and sums of two quantized tensors where one is not enough."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.quantizers.apply import dequantize_array, quantize_array
from refq.quantizers.granularity import PerChannel
from refq.quantizers.ranges import MeanSquaredError
from refq.quantizers.scheme import Scheme
from refq.quantizers.uniform import Uniform


def omse(bits: int = 4, axis: int = 0) -> Scheme:
    """The scheme of least squared error a kernel.

        argmin over alpha of |T - alpha * Q(T / alpha)|**2,   one alpha an output channel

    Notes
    -----
    Choukroun et al. 2019, section 3.1-3.2 (MMSE quantization, kernel-wise): alpha is the step between the codes
    -2**(bits - 1) .. 2**(bits - 1) - 1, sought on both sides of the one that just takes in the data.
    """
    grid = Uniform(bits=bits, symmetric=True)
    return Scheme(grid=grid, granularity=PerChannel(axis), range=MeanSquaredError(reach=2.0))


def multiple_tensors(x: NDArray[Any], scheme: Scheme, count: int = 2) -> list[tuple[Any, NDArray[Any]]]:
    """A tensor as a sum of quantized ones: each is fitted to what those before it leave over.

        x ~ D(Q_1) + D(Q_2) + ...

    Parameters
    ----------
    x : real array
    scheme : of every term
    count : int >= 1

    Returns
    -------
    list of (fitted, codes)

    Notes
    -----
    Choukroun et al. 2019, section 3.3 (dual quantization of key layers; nested, the second tensor takes the first
    one's error).
    """
    rest, terms = np.asarray(x, np.float64), list[tuple[Any, NDArray[Any]]]()
    for _ in range(count):
        fitted = scheme.fit(rest)
        codes = quantize_array(rest, fitted, scheme.rounding)
        terms.append((fitted, codes))
        rest = rest - dequantize_array(codes, fitted, np.float64)
    return terms
