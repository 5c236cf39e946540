"""Codebooks in refq's own file: codes packed bit by bit, tables as they are; the integers follow from them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from refq.errors import LoadError
from refq.graph import Codebook


def write_codebook(group: Any, book: Codebook) -> None:
    """Fill an HDF5 group: `codes` as `code_bits` bits each, lowest bit first; `tables`, `scales`, attributes."""
    bits = book.codes.reshape(-1, 1).astype(np.int64) >> np.arange(book.code_bits) & 1
    group.create_dataset("codes", data=np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little"))
    low, high = int(book.tables.min()), int(book.tables.max())
    narrow = next(t for t in (np.int8, np.int16, np.int32) if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    group.create_dataset("tables", data=book.tables.astype(narrow))
    if book.scales is not None:
        group.create_dataset("scales", data=book.scales)
    group.attrs["shape"] = np.array(book.codes.shape, np.int64)
    group.attrs["sharing"] = np.array(book.sharing, np.int64)
    group.attrs["multiplier"] = book.multiplier
    if book.tail is not None:
        group.attrs["tail"] = np.array(book.tail, np.int64)


def read_codebook(group: Any, limit: int) -> Codebook:
    """The codebook of a group, no part larger than `limit` bytes.

    Raises
    ------
    LoadError    parts that are missing, out of proportion, stored elsewhere, or that do not fit one another
    RefqError    as of `Codebook`
    """
    tables = _array(group, "tables", limit)
    shape = tuple(int(n) for n in np.atleast_1d(group.attrs["shape"]))
    if any(n < 0 for n in shape) or tables.ndim != 4 or not tables.size:
        raise LoadError(f"codes of shape {shape} and tables of shape {tables.shape} make no codebook")
    bits = max(1, (tables.shape[2] - 1).bit_length())
    packed = _array(group, "codes", limit)
    if packed.dtype != np.uint8 or packed.ndim != 1 or packed.size != -(-prod(shape) * bits // 8):
        raise LoadError(f"{packed.size} bytes of codes are not the {prod(shape)} codes of {bits} bits of {shape}")
    if prod(shape[:-1]) * tables.shape[3] * 4 > limit:
        raise LoadError(
            f"a codebook of {prod(shape[:-1])} vectors of {tables.shape[3]} is out of proportion to the file"
        )
    places = np.unpackbits(packed, count=prod(shape) * bits, bitorder="little").reshape(-1, bits)
    codes = (places.astype(np.int32) << np.arange(bits)).sum(axis=1, dtype=np.int32).reshape(shape)
    multiplier: Any = str(group.attrs["multiplier"])
    tail = group.attrs.get("tail")
    return Codebook(
        codes=codes,
        tables=tables,
        sharing=tuple(int(n) for n in np.atleast_1d(group.attrs["sharing"])),
        multiplier=multiplier,
        scales=_array(group, "scales", limit) if "scales" in group else None,
        tail=None if tail is None else tuple(int(n) for n in np.atleast_1d(tail)),
    )


def _array(group: Any, name: str, limit: int) -> Any:
    data = group[name]
    if data.file != group.file or getattr(data, "external", None):
        raise LoadError(f"{name} of a codebook is stored outside the file; refq reads nothing but the file itself")
    if data.dtype.kind not in "iu" or data.nbytes > limit:
        raise LoadError(
            f"{name} of a codebook is {data.dtype} of {data.nbytes} bytes; integers in proportion are needed"
        )
    return data[()]
