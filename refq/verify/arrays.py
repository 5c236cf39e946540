"""A layer on an array: the words of both operands, and the sums that leave, as wide as the array has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.verify.records import LayerRecord, Wide
from refq.verify.streams import ArrayOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """One matrix of a product in memory: words, shape (words, lanes), and bits of a lane."""

    words: Wide
    bits: int


def operands(record: LayerRecord, order: ArrayOrder) -> tuple[Operand, Operand] | None:
    """Both matrices as the array reads them; None for a layer that is no matrix product.

    Notes
    -----
    A lane of one bit holds -1 or +1; what lies beyond the tensor is -1 there, and reaches no sum in use.
    """
    product = record.product()
    if product is None:
        return None
    a_bits, b_bits = operand_bits(record, "x", product[0]), operand_bits(record, "w", product[1])
    a, b = order.operands(*product, *fills(record, order))
    if a_bits == 1 and np.any(a == 0):
        a_bits = 2
    return Operand(words=a, bits=a_bits), Operand(words=b, bits=b_bits)


def events(record: LayerRecord, order: ArrayOrder) -> Wide:
    """`ArrayOrder.events` of a layer that is a matrix product, in its accumulator."""
    product = record.product()
    if product is None:
        return np.zeros((0, order.cols), np.int64)
    return wrapped(order.events(*product, *fills(record, order)), record.parameters["acc_bits"])


def fills(record: LayerRecord, order: ArrayOrder) -> tuple[int, int]:
    """What lanes beyond the two matrices hold."""
    product = record.product()
    a_bits, b_bits = (
        (2, 2) if product is None else (operand_bits(record, "x", product[0]), operand_bits(record, "w", product[1]))
    )
    return -1 if a_bits == 1 and order.dataflow == "os" else 0, -1 if b_bits == 1 else 0


def wrapped(sums: NDArray[Any], bits: int) -> Wide:
    """Two's complement of `bits` bits: what an adder of that width holds."""
    if bits >= 64:
        return sums
    low = -(1 << (bits - 1))
    return ((sums - low) & ((1 << bits) - 1)) + low


def operand_bits(record: LayerRecord, tensor: str, centred: Wide) -> int:
    """Bits of codes with the zero point subtracted: one more than codes have where that leaves their range."""
    form = record.tensors[tensor]
    if form.bits == 1 and form.signed:
        return 2 if np.any(centred == 0) else 1
    return form.bits + (1 if np.any(record.zero(tensor)) or not form.signed else 0)
