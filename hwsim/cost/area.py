"""Area in square millimetres.

area = (rows * cols * pe + cols * requantizer) / placement density + sum of the memories
area = channels * kernels * pe + buffer size * buffer area + fixed          of an array of dot products
area = fixed                                                                where nothing of the elements is stated

What the specification does not state comes from its table [technology]: processing elements and requantizers from
hwsim/cost/operators.py, memories from hwsim/cost/sram.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwsim.arch.precision import widths
from hwsim.arch.spatial import Atomic
from hwsim.arch.spec import Arch, Area, Memory
from hwsim.arch.vary import each
from hwsim.cost.operators import processing_element_um2, requantizer_um2
from hwsim.cost.sram import sram

_ACCUMULATOR_BITS = 32


def area_mm2(arch: Arch) -> Any:
    """Area of array, requantizers and memories; None where the specification gives no basis for any of them."""
    basis, array, node = arch.area, arch.array, arch.technology
    if basis is not None and arch.atomic is not None:
        return _atomic_mm2(basis, arch.atomic)
    if basis is not None and basis.fixed_mm2 is not None and basis.pe_um2 is None:
        return basis.fixed_mm2.value
    if basis is None or array is None:
        return None
    memories = [_memory_mm2(memory, arch) for memory in arch.memory]
    if any(area is None for area in memories):
        return None
    if basis.pe_um2 is not None:
        element = basis.pe_um2.value
    elif node is not None:
        bits = node.accumulator_bits
        acc = _ACCUMULATOR_BITS if bits is None else bits.value
        weight, activation = (max(bits) for bits in zip(*map(widths, array.precisions), strict=True))

        def one(accumulator: float, node_nm: float) -> float:
            return processing_element_um2(
                array.dataflow, weight, activation, int(accumulator), node.basis, node_nm, array.multiplier
            )

        element = each(one, acc, node.node_nm.value)
    else:
        return None
    logic = array.rows.value * array.cols.value * element
    if basis.requantizer_um2 is not None:
        logic = logic + array.cols.value * basis.requantizer_um2.value
    elif node is not None:
        logic = logic + array.cols.value * each(
            lambda node_nm: requantizer_um2(node.requantizer, node.basis, node_nm), node.node_nm.value
        )
    density = 1.0 if basis.placement_pct is None else basis.placement_pct.value / 100
    return logic / density / 1e6 + sum(area for area in memories if area is not None)


def _atomic_mm2(basis: Area, unit: Atomic) -> Any:
    if basis.pe_um2 is None or basis.buffer_mm2_per_kib is None:
        return None
    fixed = 0.0 if basis.fixed_mm2 is None else basis.fixed_mm2.value
    elements = unit.channels.value * unit.kernels.value
    return elements * basis.pe_um2.value / 1e6 + unit.buffer_kib.value * basis.buffer_mm2_per_kib.value + fixed


def _memory_mm2(memory: Memory, arch: Arch) -> Any:
    if memory.area_mm2 is not None:
        return memory.area_mm2.value
    node = arch.technology

    if node is None or memory.width_bits is None:
        return 0.0 if np.all(np.asarray(memory.size_kib.value) <= 0) else None

    def one(kib: float, width: float, node_nm: float) -> float:
        return sram(kib * 1024, int(width), node_nm, node.sram_cell).area_mm2 if kib > 0 else 0.0

    return each(one, memory.size_kib.value, memory.width_bits.value, node.node_nm.value)
