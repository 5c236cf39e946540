"""How vectors lie in memories: which array they are for, and how words are packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refq.errors import RangeError
from refq.verify.arrays import events, operands
from refq.verify.records import LayerRecord, Tensor
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
        pair = None if self.array is None else operands(record, self.array)
        if self.array is None or pair is None:
            return found
        a, b = pair
        rows, cols = self.array.rows, self.array.cols
        found["a_stream"] = a.words, WordFormat(bits=a.bits, lanes=rows, order=self.order)
        found["b_stream"] = b.words, WordFormat(bits=b.bits, lanes=cols, order=self.order)
        bits = record.parameters["acc_bits"]
        found["sums"] = events(record, self.array), WordFormat(bits=bits, lanes=cols, order=self.order)
        for name in ("bias", "multiplier", "shift"):
            tensor = record.tensors.get(name)
            if tensor is not None:
                padded = np.pad(np.asarray(tensor.values), (0, -len(tensor.values) % cols))
                form = WordFormat(bits=tensor.bits, lanes=cols, order=self.order, signed=tensor.signed)
                found[f"{name}_row"] = padded, form
        return found

    def _plain(self, tensor: Tensor) -> WordFormat:
        return WordFormat(bits=tensor.bits, lanes=self.lanes, order=self.order, signed=tensor.signed)
