"""Area in square millimetres.

area = (rows * cols * pe + cols * requantizer) / placement density + sum of the memories
"""

from __future__ import annotations

from hwsim.arch.spec import Arch


def area_mm2(arch: Arch) -> float | None:
    """Area of array, requantizers and memories; None where the specification gives no basis for any of them."""
    basis, array = arch.area, arch.array
    if basis is None or array is None or any(memory.area_mm2 is None for memory in arch.memory):
        return None
    logic = array.rows.value * array.cols.value * basis.pe_um2.value
    if basis.requantizer_um2 is not None:
        logic += array.cols.value * basis.requantizer_um2.value
    density = 1.0 if basis.placement_pct is None else basis.placement_pct.value / 100
    return logic / density / 1e6 + sum(m.area_mm2.value for m in arch.memory if m.area_mm2 is not None)
