"""Kernels measured on one chip, predicted on another: the same cycles at another clock.

    latency(chip) = cycles(sister) / clock(chip)

Cycles a MAC, an output, a layer ... are the sister's; clock, memories and power stay the chip's own. The error says how
far a device is predicted of which no row was seen, from a core or a release of the same kind of kernels.
"""

from __future__ import annotations

from msgspec.structs import replace

from hwsim.arch.spec import Arch
from hwsim.errors import SpecError


def with_kernels_of(arch: Arch, sister: Arch) -> Arch:
    """The device with the cycles of another device's kernels and of its layers.

    Raises
    ------
    SpecError    one of them is no core with software
    """
    for one in (arch, sister):
        if one.kernels is None:
            raise SpecError(
                f"{one.name} has engine {one.engine!r}; kernels are those of two devices of engine 'vector'"
            )
    layer = sister.overhead.layer_us
    if layer is not None:
        layer = replace(layer, value=layer.value * sister.clock_mhz.value / arch.clock_mhz.value)
    return replace(arch, kernels=sister.kernels, overhead=replace(arch.overhead, layer_us=layer))
