"""Codes found by search instead of gradients."""

from __future__ import annotations

from typing import Any

from models.methods.method import Method
from refq.quantizers.learning import Lsq
from refq.training import coordinate_descent

_FILTERS: dict[str, Any] = {"weights": Lsq(bits=2, per_channel=True)}
SEARCH: dict[str, Method] = {
    "rounding at LSQ's start": Method(bits="2 / 8", rules=_FILTERS, trains=False),
    "coordinate descent at LSQ's start": Method(
        bits="2 / 8", rules=_FILTERS, trains=False, after=lambda graph, x: coordinate_descent(graph, x)
    ),
}
