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
    from hwsim.engines.systolic import systolic_cycles
    from hwsim.estimate import estimate
    from hwsim.workload import from_graph, from_layers

_HOMES = {
    "archs": "hwsim.arch.catalog",
    "estimate": "hwsim.estimate",
    "from_graph": "hwsim.workload",
    "from_layers": "hwsim.workload",
    "load_arch": "hwsim.arch.catalog",
    "systolic_cycles": "hwsim.engines.systolic",
}

__all__ = ["archs", "estimate", "from_graph", "from_layers", "load_arch", "systolic_cycles"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hwsim' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
