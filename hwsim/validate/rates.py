"""Rows of tables of kernels: what a cluster reaches, `value` in `unit` MAC/cycle at a `precision`.

The layer is the one that papers on such clusters measure: 3x3, 32 channels to 64, 16 x 16 pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

LAYER = "conv 3x3/1 32-64 16x16-16x16"
QUANTITY = "macs_per_cycle"


def rate_rows(own: Sequence[tuple[int, dict[str, str]]]) -> Iterable[dict[str, Any]]:
    """Fields of the measurements that these rows state: line, model, quantity, value, bits, why not.

    Examples
    --------
    >>> row = {"unit": "MAC/cycle", "value": "15.5", "precision": "INT8", "confidence": "read"}
    >>> next(rate_rows([(2, row)]))["value"]
    15.5
    """
    for line, row in own:
        bits = re.match(r"INT(\d+)", row.get("precision") or "")
        value = re.fullmatch(r"\d+(\.\d+)?", row.get("value") or "")
        if row.get("unit") == "MAC/cycle" and bits is not None and value is not None:
            width = int(bits[1])
            why = "confidence=recalled" if "recalled" in (row.get("confidence") or "") else ""
            fields = {"line": line, "model": LAYER, "quantity": QUANTITY, "value": float(value[0]), "excluded": why}
            yield {**fields, "weights": width, "activations": width}
