"""Many design points of a device at once: totals of one workload, vectorised over layers and points.

>>> at_points(workload, arch, {"array.rows": [8, 16, 32], "array.cols": [8, 16, 32]}).latency_ms  # doctest: +SKIP

Every entry equals what `estimate` gives for the device with these values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arch import vary
from hwsim.arch.spec import Arch
from hwsim.cost.area import area_mm2
from hwsim.cost.network import costs
from hwsim.engines.base import find_engine
from hwsim.estimate import check_precision
from hwsim.workload import Workload

Floats = NDArray[np.float64]
_BLOCK = 1 << 16
"""Layers times points of one block: what stays in the second cache"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """One entry a design point; energy and area are None where the specification gives no basis.

    layer_us : (points, layers) microseconds of every layer
    """

    latency_ms: Floats
    energy_mj: Floats | None
    area_mm2: Floats | None
    dram_bytes: NDArray[np.int64]
    layer_us: Floats


def at_points(workload: Workload, arch: Arch, values: Mapping[str, Sequence[float] | Floats]) -> Points:
    """Totals of a workload on design points of a device.

    Parameters
    ----------
    values : path of a number ("array.rows", "link.bandwidth_mb_per_s", "memory.0.size_kib") -> its value at each point

    Raises
    ------
    SpecError         a path without a number, lists of different lengths, values no device can have
    PrecisionError    widths the device does not multiply
    """
    check_precision(workload, arch)
    columns = {path: np.asarray(column, np.float64).ravel() for path, column in values.items()}
    _, count = vary.at_points(arch, columns)
    layers = len(workload.layers)
    together = max(1, _BLOCK // layers) if getattr(find_engine(arch.engine), "BROADCASTS", False) else 1
    parts: list[tuple[Any, ...]] = []
    for start in range(0, count, together):
        part = {path: column[start : start + together] for path, column in columns.items()}
        size = min(together, count - start)
        if together == 1:
            device = vary.with_values(arch, {path: float(column[0]) for path, column in part.items()})
        else:
            device, _ = vary.at_points(arch, part)
        parts.append(_totals(workload, device, size))
    latency, joules, area, moved, by_layer = zip(*parts, strict=True)
    return Points(
        latency_ms=np.concatenate(latency),
        energy_mj=None if joules[0] is None else np.concatenate(joules),
        area_mm2=None if area[0] is None else np.concatenate(area),
        dram_bytes=np.concatenate(moved),
        layer_us=np.concatenate(by_layer),
    )


def _totals(workload: Workload, arch: Arch, count: int) -> tuple[Any, ...]:
    found = costs(workload, arch)
    layers = len(workload.layers)

    def flat(value: Any) -> Floats:
        return np.broadcast_to(np.asarray(value, np.float64).ravel(), count)

    by_layer = np.broadcast_to(found.latency_us, (count, layers))
    latency = flat(found.start_us) + by_layer.sum(axis=-1)
    joules = None
    if found.energy_uj is not None and found.start_uj is not None:
        joules = sum(flat(part) for part in found.start_uj.values())
        for column in found.energy_uj.values():
            joules = joules + np.broadcast_to(column, (count, layers)).sum(axis=-1)
        joules = joules / 1e3
    area = area_mm2(arch)
    moved = np.broadcast_to(found.dram, (count, layers)).sum(axis=-1) + found.start_bytes
    return latency / 1e3, joules, None if area is None else flat(area), moved, by_layer
