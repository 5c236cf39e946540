"""hwsim: cycles, energy and area of quantized networks on named devices.

>>> import hwsim
>>> hwsim.estimate(hwsim.from_graph(graph), hwsim.load_arch("edgetpu")).latency_ms        # doctest: +SKIP

Names are resolved on first use: importing hwsim costs milliseconds and does not import NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwsim.arch.catalog import archs, load_arch
    from hwsim.estimate import estimate
    from hwsim.machine.closed_form import mapping_efficiency, scalesim_gemm, systolic_cycles, systolic_utilization
    from hwsim.points import at_points
    from hwsim.workload import from_graph, from_layers

_HOMES = {
    "archs": "hwsim.arch.catalog",
    "at_points": "hwsim.points",
    "estimate": "hwsim.estimate",
    "from_graph": "hwsim.workload",
    "from_layers": "hwsim.workload",
    "load_arch": "hwsim.arch.catalog",
    "mapping_efficiency": "hwsim.machine.closed_form",
    "scalesim_gemm": "hwsim.machine.closed_form",
    "systolic_cycles": "hwsim.machine.closed_form",
    "systolic_utilization": "hwsim.machine.closed_form",
}

__all__ = [
    "archs",
    "at_points",
    "estimate",
    "from_graph",
    "from_layers",
    "load_arch",
    "mapping_efficiency",
    "scalesim_gemm",
    "systolic_cycles",
    "systolic_utilization",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hwsim' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
