"""Ranges: which interval of reals a grid covers, one method a file."""

from refq.quantizers.ranges.aciq import Aciq
from refq.quantizers.ranges.entropy import Entropy
from refq.quantizers.ranges.fitting import fit_limits
from refq.quantizers.ranges.learned import Lsq, LsqPlus, Pact, Qil
from refq.quantizers.ranges.mean_squared_error import MeanSquaredError
from refq.quantizers.ranges.min_max import MinMax
from refq.quantizers.ranges.moving_average import MovingAverage
from refq.quantizers.ranges.named import RANGES, find_range
from refq.quantizers.ranges.percentile import Percentile
from refq.quantizers.ranges.protocol import Limits, Range

__all__ = [
    "RANGES",
    "Aciq",
    "Entropy",
    "Limits",
    "Lsq",
    "LsqPlus",
    "MeanSquaredError",
    "MinMax",
    "MovingAverage",
    "Pact",
    "Percentile",
    "Qil",
    "Range",
    "find_range",
    "fit_limits",
]
