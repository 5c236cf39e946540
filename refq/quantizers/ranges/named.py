"""Ranges by name, as recipes and the command line give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from refq.errors import RangeError
from refq.quantizers.ranges.aciq import Aciq
from refq.quantizers.ranges.entropy import Entropy
from refq.quantizers.ranges.learned import Lsq, LsqPlus, Pact, Qil
from refq.quantizers.ranges.mean_squared_error import MeanSquaredError
from refq.quantizers.ranges.min_max import MinMax
from refq.quantizers.ranges.moving_average import MovingAverage
from refq.quantizers.ranges.percentile import Percentile
from refq.quantizers.ranges.protocol import Range

RANGES: Mapping[str, Callable[[], Range]] = {
    "minmax": MinMax,
    "moving_average": MovingAverage,
    "percentile": Percentile,
    "mse": MeanSquaredError,
    "entropy": Entropy,
    "aciq": Aciq,
    "pact": Pact,
    "lsq": Lsq,
    "lsq+": LsqPlus,
    "qil": Qil,
}
_WITH_NUMBER: Mapping[str, Callable[[float], Range]] = {
    "moving_average": lambda number: MovingAverage(momentum=number),
    "percentile": lambda number: Percentile(percent=number),
}


def find_range(name: str) -> Range:
    """A range by its name, with a number behind a colon where it takes one.

    Raises
    ------
    RangeError    an unknown name, or a number that does not fit

    >>> find_range("percentile:99.9")
    Percentile(percent=99.9, rank=None)
    """
    kind, colon, number = name.partition(":")
    if kind not in RANGES or (colon and kind not in _WITH_NUMBER):
        raise RangeError(f"range={name!r} is unknown; ranges are {', '.join(RANGES)}, or percentile:99.9")
    if not colon:
        return RANGES[kind]()
    try:
        value = float(number)
    except ValueError as error:
        raise RangeError(f"range={name!r} needs a number behind the colon") from error
    return _WITH_NUMBER[kind](value)
