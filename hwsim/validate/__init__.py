"""Predictions against published measurements, and the fit of a device's physical constants to them."""

from hwsim.validate.compare import Comparison, Statistics, compare, statistics
from hwsim.validate.fit import constants, fitted, leave_one_out
from hwsim.validate.measurements import Measurement, read_folder
from hwsim.validate.workloads import Workloads

__all__ = [
    "Comparison",
    "Measurement",
    "Statistics",
    "Workloads",
    "compare",
    "constants",
    "fitted",
    "leave_one_out",
    "read_folder",
    "statistics",
]
