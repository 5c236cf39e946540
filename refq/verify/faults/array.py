"""Faults seen in the sums that leave an array, in the order in which they leave."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from refq.verify.arrays import events, fills, wrapped
from refq.verify.faults.hypothesis import Hypothesis, Wide, wrap
from refq.verify.faults.order import of_order
from refq.verify.faults.sums import operand_faults
from refq.verify.records import LayerRecord
from refq.verify.streams import ArrayOrder


def of_array(record: LayerRecord, order: ArrayOrder) -> Iterator[Hypothesis]:
    """Hypotheses in the shape of `ArrayOrder.events`: (events, columns)."""
    product = record.product()
    if product is None:
        return
    sums, acc_bits = events(record, order), record.parameters["acc_bits"]
    filled = fills(record, order)
    for cause, detail, a, b in operand_faults(record, order.rows):
        yield Hypothesis(cause=cause, detail=detail, values=wrapped(order.events(a, b, *filled), acc_bits))
    for width in range(acc_bits - 1, 7, -1):
        end = 1 << (width - 1)
        if np.any(wrap(sums, width) != sums):
            for words, values in (("wraps", wrap(sums, width)), ("saturates", np.clip(sums, -end, end - 1))):
                yield Hypothesis(
                    cause="accumulator width", detail=f"accumulator of {width} bits that {words}", values=values
                )
    rows = order.rows if order.dataflow == "os" else len(product[0])
    yield from _stale(sums.reshape(-1, rows, order.cols), -(-len(product[1]) // order.rows), order)
    for detail, values in (
        ("rows of a tile in reverse order", sums.reshape(-1, rows, order.cols)[:, ::-1]),
        ("columns of a tile in reverse order", sums[:, ::-1]),
        *((("rows and columns of a tile swapped", _swapped(sums, rows)),) if rows == order.cols else ()),
        *((("rows and columns of tiles swapped", _other_way(record, order)),) if order.dataflow == "os" else ()),
    ):
        yield Hypothesis(cause="order of results", detail=detail, values=values.reshape(sums.shape))
    yield from of_order(sums)


def _stale(tiles: Wide, along_k: int, order: ArrayOrder) -> Iterator[Hypothesis]:
    """Sums that keep what was in the register, or that are not kept where they should be."""
    before = np.concatenate([np.zeros_like(tiles[:1]), tiles[:-1]])
    shape = (-1, order.cols)
    if order.dataflow == "os":
        for detail, values in (
            ("the tile before is not cleared", tiles + before),
            ("sums are never cleared", np.cumsum(tiles, axis=0)),
            ("the tile before instead of this one", before),
        ):
            yield Hypothesis(cause="stale accumulator", detail=detail, values=values.reshape(shape))
        return
    places = np.arange(len(tiles)) % along_k
    own = np.where((places > 0)[:, None, None], tiles - before, tiles)
    yield Hypothesis(cause="dropped terms", detail="tiles along K are not added up", values=own.reshape(shape))
    yield Hypothesis(
        cause="stale accumulator", detail="sums are never cleared", values=np.cumsum(own, axis=0).reshape(shape)
    )


def _swapped(sums: Wide, size: int) -> Wide:
    return sums.reshape(-1, size, size).swapaxes(1, 2)


def _other_way(record: LayerRecord, order: ArrayOrder) -> Wide:
    """Tiles walked with rows of tiles fastest."""
    product = record.product()
    sums = events(record, order)
    if product is None:
        return sums
    down = -(-len(product[0]) // order.rows)
    return sums.reshape(down, -1, order.rows, order.cols).swapaxes(0, 1).reshape(sums.shape)
