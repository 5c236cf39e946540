"""Table [binary] of specifications: engines for operands of one bit."""

from __future__ import annotations

from hwsim.arch.quantity import Frozen, Quantity


class WindowMode(Frozen, frozen=True):
    """A window side x side and the filters worked on at once."""

    side: Quantity
    filters: Quantity


class BinaryArray(Frozen, frozen=True):
    """Input channels worked on at once, and the window modes."""

    channels: Quantity
    windows: tuple[WindowMode, ...]
    precisions: tuple[str, ...]
    reload_filters: Quantity | None = None
    """Filters after which the inputs are loaded again, a cycle each time; loading is hidden if absent"""
