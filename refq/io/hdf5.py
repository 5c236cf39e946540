"""Opening an HDF5 file that may be damaged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from refq.errors import LoadError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


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
        with h5py.File(BytesIO(source), "r") as file:
            yield file
        return
    if not h5py.is_hdf5(source):
        raise LoadError("not an HDF5 file")
    with source.open("rb") as raw, mmap(raw.fileno(), 0, access=ACCESS_READ) as data:
        _check_heaps(data)
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
    width = _length_bytes(data)
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


def _length_bytes(data: Any) -> int:
    """Bytes of a length, from the superblock: behind the version, at 14 in versions 0 and 1, at 10 later."""
    start = max(data.find(_SIGNATURE), 0)
    place = start + (14 if data[start + 8 : start + 9] in (b"\0", b"\1") else 10)
    return data[place] if place < len(data) and data[place] in (2, 4, 8, 16, 32) else 8
