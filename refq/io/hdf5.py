"""Opening an HDF5 file that may be damaged."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from refq.errors import LoadError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_VARIABLE_LENGTH = 9
"""Class of a datatype."""


@contextmanager
def opened(source: Path | bytes) -> Iterator[Any]:
    """The file, read-only.

    Raises
    ------
    LoadError    no HDF5 file, or one on which the HDF5 library does not come to an end
    """
    import h5py

    if isinstance(source, bytes):
        _check_heaps(source)
        _check_texts(source)
        with h5py.File(BytesIO(source), "r") as file:
            yield file
        return
    if not h5py.is_hdf5(source):
        raise LoadError("not an HDF5 file")
    with source.open("rb") as raw, mmap(raw.fileno(), 0, access=ACCESS_READ) as data:
        _check_heaps(data)
        _check_texts(data)
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise LoadError(f"truncated or damaged HDF5 file ({error})") from error
    with file:
        yield file


def _check_heaps(data: Any) -> None:
    """Refuse free space without a size: the library would step over it by that size for ever.

    Notes
    -----
    HDF5 file format specification, section III.E, global heap: a collection is "GCOL", version 1, three reserved
    bytes, its size; then objects of index (2 bytes), count (2), reserved (4), size, data padded to 8. Object 0 is the
    free space, and its size includes this header. Strings of variable length lie there, so does Keras' model_config.
    HDF5 2.0.0 does not return from such a file (`H5HG__cache_heap_deserialize`).
    """
    width, _ = _widths(data)
    header = 8 + -(-width // 8) * 8
    steps = len(data) // header  # collections do not overlap, so that all their objects together are no more
    for found in re.finditer(rb"GCOL\x01", data):
        start = found.start()
        at, end = start + header, start + int.from_bytes(data[start + 8 : start + 8 + width], "little")
        while at + header <= end <= len(data):  # one that ends behind the file is refused by the library
            index = int.from_bytes(data[at : at + 2], "little")
            size = int.from_bytes(data[at + 8 : at + 8 + width], "little")
            steps -= 1
            if steps < 0 or (index == 0 and size < header):
                raise LoadError(f"damaged HDF5 file: the global heap at {start} is wrong at {at}")
            at += header + -(-size // 8) * 8 if index else size


def _check_texts(data: Any) -> None:
    """Refuse texts of variable length that claim more bytes than the file has: the library fills them before it looks.

    Notes
    -----
    HDF5 file format specification, section IV.A.2.m, attribute message: version; sizes of name, datatype and dataspace
    in bytes 2 to 8; a character set in version 3; then the three, in version 1 each padded to 8 bytes; then the data. A
    text of variable length is stored as its length (4 bytes), the address of its heap and its index there (4 bytes).
    """
    length_bytes, address_bytes = _widths(data)
    item, left = 8 + address_bytes, len(data)
    for found in re.finditer(rb"(?:model_config|keras_version|weight_names)\0", data):
        for version, size in ((1, 8), (2, 8), (3, 9)):
            start = found.start()
            head = data[max(start - size, 0) : start]
            if len(head) < size or head[0] != version:
                continue
            places = [start]
            for part in struct.unpack("<3H", head[2:8]):
                places.append(places[-1] + (-(-part // 8) * 8 if version == 1 else part))
            _, kind, space, values = places
            if values + item > len(data) or data[kind] & 15 != _VARIABLE_LENGTH:
                continue
            first = space + (8 if data[space] == 1 else 4)
            sizes = [data[first + length_bytes * i : first + length_bytes * (i + 1)] for i in range(data[space + 1])]
            count = min(prod(int.from_bytes(size, "little") for size in sizes), (len(data) - values) // item)
            claimed = sum(
                int.from_bytes(data[at : at + 4], "little") for at in range(values, values + item * count, item)
            )
            left -= item * count
            if claimed > len(data) or left < 0:
                raise LoadError(f"damaged HDF5 file: texts of {claimed} bytes at {values} in {len(data)}")


def read_bytes(dataset: Any, path: Path) -> bytes:
    """A text held as plain bytes; LoadError for any other dataset, or for more bytes than the file has.

    Notes
    -----
    A text of variable length lies in the library's global heap, and a damaged heap can keep the library busy for ever.
    """
    if dataset.ndim != 1 or dataset.dtype != "uint8" or dataset.size > path.stat().st_size:
        raise LoadError(f"dataset {dataset.name!r} of {dataset.dtype} and shape {dataset.shape} is no text of the file")
    return dataset[()].tobytes()


def _widths(data: Any) -> tuple[int, int]:
    """Bytes of a length and of an address, from the superblock: its layout changed with version 2."""
    start = max(data.find(_SIGNATURE), 0)
    place = start + (13 if data[start + 8 : start + 9] in (b"\0", b"\1") else 9)
    address, length = (size if size in (2, 4, 8, 16, 32) else 8 for size in (*data[place : place + 2], 0, 0)[:2])
    return length, address
