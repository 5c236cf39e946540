"""A number of a specification: its value and where it comes from."""

from __future__ import annotations

import msgspec


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables: unknown keys are refused."""


class Quantity(Frozen, frozen=True):
    """A number and where it comes from."""

    value: float
    source: str
