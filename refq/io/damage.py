"""What a reader says about a file that breaks it: one printable line that begins with the file's name."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from refq.errors import LoadError, RefqError, ShapeError

_LONGEST = 3000
"""Characters of an error's text; names in a malformed file may be of any length."""

_LARGEST = 1 << 24


def one_line(text: str) -> str:
    """The text in one line: control characters as escapes, the middle of a long one left out."""
    text = " ".join(text.splitlines())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 800]} [...] {text[-700:]}"
    return text


def made(*sizes: Any) -> tuple[int, ...]:
    """The shape of a constant that a reader works out from sizes in the file; ShapeError past 2**24 elements.

    Weights are as large as the file that holds them. What follows from a few numbers could be of any size, so that a
    small file could fill the memory.
    """
    shape = tuple(int(size) for size in sizes)
    if any(size < 0 for size in shape) or prod(shape) > _LARGEST:
        raise ShapeError(f"a constant of shape {shape} is unusable; at most {_LARGEST} elements are worked out")
    return shape


class told:
    """Context: refq's own errors get the file's name in front; any other becomes a LoadError.

    Parsers of untrusted files raise whatever their libraries do; no list of types is ever complete.

    Parameters
    ----------
    path : the file
    malformed : what to say of it, e.g. "not a whole TFLite file"
    """

    def __init__(self, path: Path, malformed: str) -> None:
        self.path, self.malformed = path, malformed

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, RefqError):
            if not str(error).startswith(f"{self.path}: "):
                raise type(error)(f"{self.path}: {one_line(str(error))}") from error
        elif isinstance(error, Exception):
            reason = one_line(str(error).partition("\n")[0])
            raise LoadError(f"{self.path}: {self.malformed}: {kind.__name__}: {reason}") from error
