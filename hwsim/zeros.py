"""Shares of zeros that the user states: a device that skips or codes zero activations uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches

from hwsim.errors import WorkloadError
from hwsim.workload import Workload


def with_zeros(workload: Workload, shares: Mapping[str, float]) -> Workload:
    """The workload whose layers of these names read these shares of zeros, 0 to 1, their padding included.

    Raises
    ------
    WorkloadError    no layer of that name, a share outside 0 to 1
    """
    known = {layer.name for layer in workload.layers}
    for name, share in shares.items():
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.0)
            raise WorkloadError(f"zeros of layer {name!r}: {workload.name!r} has none; the nearest is {near[0]!r}")
        if not 0 <= share <= 1:
            raise WorkloadError(f"zeros of layer {name!r} (={100 * share:g} %) lie outside 0 to 100 %")
    layers = tuple(
        replace(layer, input_zeros=shares[layer.name]) if layer.name in shares else layer for layer in workload.layers
    )
    return replace(workload, layers=layers)


def parse_zeros(given: Iterable[str], workload: Workload) -> dict[str, float]:
    """--zeros options, "38.7" for every layer with products or "NAME=38.7" for one, as shares by layer.

    Raises
    ------
    WorkloadError    an option without a number
    """
    found: dict[str, float] = {}
    for text in given:
        name, sign, percent = text.rpartition("=")
        try:
            share = float(percent) / 100
        except ValueError:
            raise WorkloadError(f"--zeros {text} is not PERCENT or NAME=PERCENT; write 40 or conv2d_1=40") from None
        names = [name] if sign else [layer.name for layer in workload.layers if layer.nest.macs]
        found |= dict.fromkeys(names, share)
    return found
