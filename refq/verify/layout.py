"""How vectors lie in memories: which array they are for, and how words are packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refq.errors import RangeError
from refq.verify.golden import LayerRecord, Tensor
from refq.verify.streams import ArrayOrder
from refq.verify.words import LaneOrder, WordFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a set of vectors looks like.

    Parameters
    ----------
    array : ArrayOrder or None     also write every matrix product as the words that this array reads and gives
    lanes : int >= 1               values a word of the plain tensors (x, w, y ...)
    order : lane order of every word
    """

    array: ArrayOrder | None = None
    lanes: int = 1
    order: LaneOrder = "little"

    def __post_init__(self) -> None:
        if self.lanes < 1:
            raise RangeError(f"lanes={self.lanes} must be at least 1")
        if self.order not in ("little", "big"):
            raise RangeError(f"order={self.order!r} is neither 'little' nor 'big'")

    def memories(self, record: LayerRecord) -> dict[str, tuple[Any, WordFormat]]:
        """Name -> (integers, how they share words), the plain tensors first, then the streams of the array."""
        found = {name: (tensor.values, self._plain(tensor)) for name, tensor in record.tensors.items()}
        product = record.product() if self.array is not None else None
        if self.array is None or product is None:
            return found
        a, b = product
        a_words, b_words = self.array.operands(a, b)
        x, w = record.tensors["x"], record.tensors["w"]
        # x - x_zero needs one bit more than x has.
        a_bits = x.bits + (1 if record.parameters["x_zero"] or not x.signed else 0)
        events = _wrapped(self.array.events(a, b), record.parameters["acc_bits"])
        rows, cols = self.array.rows, self.array.cols
        found["a_stream"] = a_words, WordFormat(bits=a_bits, lanes=rows, order=self.order)
        found["b_stream"] = b_words, WordFormat(bits=w.bits, lanes=cols, order=self.order)
        bits = record.parameters["acc_bits"]
        found["sums"] = events, WordFormat(bits=bits, lanes=cols, order=self.order)
        for name in ("bias", "multiplier", "shift"):
            tensor = record.tensors.get(name)
            if tensor is not None:
                padded = np.pad(np.asarray(tensor.values), (0, -len(tensor.values) % cols))
                form = WordFormat(bits=tensor.bits, lanes=cols, order=self.order, signed=tensor.signed)
                found[f"{name}_row"] = padded, form
        return found

    def _plain(self, tensor: Tensor) -> WordFormat:
        return WordFormat(bits=tensor.bits, lanes=self.lanes, order=self.order, signed=tensor.signed)


def _wrapped(sums: Any, bits: int) -> Any:
    """Two's complement of `bits` bits: what an adder of that width holds."""
    if bits >= 64:
        return sums
    low = -(1 << (bits - 1))
    return ((sums - low) & ((1 << bits) - 1)) + low
