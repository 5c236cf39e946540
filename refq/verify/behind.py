"""What stands behind one value of a layer: operands, accumulator, factors, every step of the requantizer."""

from __future__ import annotations

from refq.verify.records import LayerRecord

_SHOWN = 4


def behind(record: LayerRecord, tensor: str, index: int) -> str:
    """For the value at a flat index of the output, the accumulator or a step; "" where nothing is known.

    >>> from refq.graph import Node
    >>> behind(LayerRecord(node=Node(op="Relu", name="r", inputs=(), outputs=()), tensors={}, parameters={}), "y", 0)
    ''
    """
    if "acc" not in record.tensors or tensor not in record.tensors:
        return ""
    acc = record.tensors["acc"].values
    if record.tensors[tensor].values.shape != acc.shape or index >= acc.size:
        return ""
    row, channel = divmod(index, acc.shape[-1])
    parts = [f"accumulator {int(acc.reshape(-1)[index])}"]
    for name in ("bias", "multiplier", "shift"):
        if name in record.tensors:
            parts.append(f"{name} {int(record.tensors[name].values[channel])}")
    for name in ("left_shifted", "high", "rounded", "placed"):
        if name in record.tensors:
            parts.append(f"{name} {int(record.tensors[name].values.reshape(-1)[index])}")
    shown = _products(record, row, channel)
    return ", ".join([*parts, shown] if shown else parts)


def behind_sum(record: LayerRecord, coordinates: tuple[int, ...]) -> str:
    """For a sum of an array at (row, column, tile along K) of the product; "" for padding."""
    return "" if min(coordinates) < 0 else _products(record, coordinates[0], coordinates[1])


def _products(record: LayerRecord, row: int, channel: int) -> str:
    product = record.product()
    if product is None:
        return ""
    left, right = product[0][row], product[1][:, channel]
    pairs = zip(left[:_SHOWN].tolist(), right[:_SHOWN].tolist(), strict=True)
    return f"operands {', '.join(f'{a}*{b}' for a, b in pairs)}{' ...' if len(left) > _SHOWN else ''}"
