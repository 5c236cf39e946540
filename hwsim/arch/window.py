"""Table [window] of specifications: engines that form the products of a whole window for many channels a cycle."""

from __future__ import annotations

from hwsim.arch.quantity import Frozen, Quantity


class WindowMode(Frozen, frozen=True):
    """A window side x side and the filters worked on at once."""

    side: Quantity
    filters: Quantity


class WindowArray(Frozen, frozen=True):
    """Input channels worked on at once, and the window modes."""

    channels: Quantity
    modes: tuple[WindowMode, ...]
    precisions: tuple[str, ...]
    pixels: Quantity | None = None
    """Outputs of a filter worked on at once; one if absent"""
    reload_filters: Quantity | None = None
    """Filters after which the inputs are loaded again; loading is hidden if absent"""
    load_cycles: Quantity | None = None
    """Of loading the inputs of a window once; one if absent"""
