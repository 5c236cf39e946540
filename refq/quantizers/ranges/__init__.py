"""Ranges: which interval of reals a grid covers, one method a file."""

from refq.quantizers.ranges.fitting import fit_limits
from refq.quantizers.ranges.min_max import MinMax
from refq.quantizers.ranges.protocol import Limits, Range

__all__ = ["Limits", "MinMax", "Range", "fit_limits"]
