"""Names of operand widths, "w4a8": bits of weights and activations, and what kinds of element can take of a model."""

from __future__ import annotations

import re
from typing import Literal

from hwsim.errors import SpecError

Multiplier = Literal["integer", "ternary", "pot", "codebook"]

TAKES: dict[str, tuple[str, ...]] = {
    "ternary": ("sign",),
    "pot": ("shift",),
    "codebook": ("multiply", "shift", "shift_add", "sign", "lookup"),
}
"""Kind of element -> the codes it multiplies by, as `refq.graph.Codebook` names them. An integer element takes all:
codes are decoded before the array. Plain integers are taken to be codes of the element's kind; the report says so."""


def widths(name: str, file: str = "") -> tuple[int, int]:
    """(weight bits, activation bits).

    Raises
    ------
    SpecError    a name of another form

    Examples
    --------
    >>> widths("w4a8")
    (4, 8)
    """
    found = re.fullmatch(r"w([1-9]\d?)a([1-9]\d?)", name)
    if found is None:
        where = f"{file}: " if file else ""
        raise SpecError(
            f"{where}precision {name!r} is not of the form w8a8: bits of weights, then of activations; correct it"
        )
    return int(found[1]), int(found[2])
