"""Memory words: integers side by side in one word, as hexadecimal text that $readmemh reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import LoadError, RangeError, ShapeError

LaneOrder = Literal["little", "big"]
_DIGITS = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFormat:
    """How integers share a memory word.

        word = sum_i (value_i mod 2**bits) << (bits * i)         little: lane 0 in the lowest bits; big: in the highest

    Parameters
    ----------
    bits : int in 1..64     of one lane, two's complement where values are negative
    lanes : int >= 1        values a word; the last word of a memory is filled up with zeros
    order : little or big
    signed : bool           how lanes are read back

    Notes
    -----
    One bit and signed means the codes -1 and +1, held as 0 and 1: the bit an xnor-popcount unit reads.
    """

    bits: int
    lanes: int = 1
    order: LaneOrder = "little"
    signed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64:
            raise RangeError(f"bits={self.bits} of a lane is outside 1..64")
        if self.lanes < 1:
            raise RangeError(f"lanes={self.lanes} must be at least 1")
        if self.order not in ("little", "big"):
            raise RangeError(f"order={self.order!r} is neither 'little' nor 'big'")

    @property
    def digits(self) -> int:
        """Hexadecimal digits of a word."""
        return -(-self.bits * self.lanes // 4)

    @property
    def limits(self) -> tuple[int, int]:
        """Lowest and highest value of a lane."""
        if self.signed:
            return (-1, 1) if self.bits == 1 else (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        return 0, (1 << self.bits) - 1

    def pack(self, values: NDArray[Any]) -> list[int]:
        """Words of integers, in their order.

        Parameters
        ----------
        values : integers of any shape, read in C order

        Raises
        ------
        RangeError    a value that a lane cannot hold; 0 among signs
        """
        mask = (1 << self.bits) - 1
        lanes = [int(value) & mask for value in self._codes(np.asarray(values).reshape(-1)).tolist()]
        if self.lanes == 1:
            return lanes
        lanes += [0] * (-len(lanes) % self.lanes)
        places = range(self.lanes) if self.order == "little" else range(self.lanes - 1, -1, -1)
        shifts = [place * self.bits for place in places]
        return [
            sum(value << shift for value, shift in zip(lanes[i : i + self.lanes], shifts, strict=True))
            for i in range(0, len(lanes), self.lanes)
        ]

    def text(self, values: NDArray[Any]) -> str:
        """`hex_text` of `pack`, without a number for every word: what large memories are written with."""
        flat = np.asarray(values).reshape(-1)
        if flat.dtype == object:
            return hex_text(self.pack(flat), self.digits)
        codes = self._codes(flat).astype(np.uint64)
        lanes = np.zeros(-(-len(codes) // self.lanes) * self.lanes, np.uint64)
        lanes[: len(codes)] = codes
        lanes = lanes.reshape(-1, self.lanes)
        highest_first = lanes[:, ::-1] if self.order == "little" else lanes
        step = 4 if self.bits % 4 == 0 else 1
        places = np.arange(self.bits - step, -1, -step, dtype=np.uint64)
        parts = (highest_first[..., None] >> places & np.uint64((1 << step) - 1)).astype(np.uint8)
        parts = parts.reshape(len(lanes), self.lanes * len(places))
        if step == 1:
            filled = np.zeros((len(lanes), 4 * self.digits), np.uint8)
            filled[:, filled.shape[1] - parts.shape[1] :] = parts
            parts = filled.reshape(len(lanes), self.digits, 4) @ np.array([8, 4, 2, 1], np.uint8)
        lines = np.full((len(lanes), self.digits + 1), ord("\n"), np.uint8)
        lines[:, :-1] = np.frombuffer(b"0123456789abcdef", np.uint8)[parts]
        return lines.tobytes().decode("ascii")

    def unpack(self, words: Iterable[int], count: int | None = None) -> NDArray[Any]:
        """The integers of words; the first `count` of them, or all lanes.

        Raises
        ------
        RangeError    a word too wide for its lanes
        ShapeError    fewer lanes than `count`
        """
        words = list(words)
        mask, width = (1 << self.bits) - 1, self.bits * self.lanes
        if any(word >> width for word in words):
            raise RangeError(f"a word exceeds the {width} bits of {self.lanes} lanes of {self.bits} bits")
        places = range(self.lanes) if self.order == "little" else range(self.lanes - 1, -1, -1)
        shifts = [place * self.bits for place in places]
        lanes = [word >> shift & mask for word in words for shift in shifts]
        if count is not None and len(lanes) < count:
            raise ShapeError(f"{len(words)} words hold {len(lanes)} values, {count} were expected")
        return np.array([self._value(lane) for lane in lanes[:count]], np.uint64 if self._is_huge else np.int64)

    def _codes(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Integers that lanes can hold, signs as 0 and 1."""
        if flat.dtype.kind not in "iubO":
            raise RangeError(f"values of {flat.dtype} are no integers; give codes")
        low, high = self.limits
        if flat.size and (int(flat.min()) < low or int(flat.max()) > high):
            raise RangeError(f"values in [{flat.min()}, {flat.max()}] do not fit {self.bits} bits: [{low}, {high}]")
        if self.bits == 1 and self.signed:
            if np.any(flat == 0):
                raise RangeError("one signed bit holds -1 and +1, not 0")
            flat = flat > 0
        return flat

    @property
    def _is_huge(self) -> bool:
        return self.bits == 64 and not self.signed

    def _value(self, lane: int) -> int:
        if not self.signed:
            return lane
        if self.bits == 1:
            return 1 if lane else -1
        return lane - (1 << self.bits) if lane >> (self.bits - 1) else lane


def hex_text(words: Iterable[int], digits: int) -> str:
    """One word a line, lower case, leading zeros kept: what $readmemh reads."""
    return "".join(f"{word:0{digits}x}\n" for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """A memory as a simulator wrote it.

    words : value by address; None where a digit is x or z, or nothing was written
    unknown : address -> the text of a word that holds x or z
    """

    words: tuple[int | None, ...]
    unknown: dict[int, str]


def parse_hex(text: str, name: str, digits: int | None = None) -> Dump:
    """Words of a $readmemh or $writememh file.

    Comments (// and /* */), underscores, addresses (@hex), CRLF and empty lines are understood; x and z digits are kept
    apart, never turned into numbers.

    Parameters
    ----------
    text : the file
    name : of the file, for messages
    digits : the most digits a word may have

    Raises
    ------
    LoadError    a word that is not hexadecimal or too long, an unclosed comment, an address that goes backwards or so
                 far ahead that it cannot belong to this memory
    """
    words: list[int | None] = []
    unknown: dict[int, str] = {}
    limit = max(len(text), 1 << 16)
    for number, line in enumerate(_without_comments(text, name).splitlines(), 1):
        for token in line.split():
            if token.startswith("@"):
                address = _number(token[1:], f"{name}, line {number}: address {token!r}")
                if address < len(words) or address > limit:
                    raise LoadError(f"{name}, line {number}: address {token} is out of order or beyond the memory")
                words += [None] * (address - len(words))
                continue
            word = token.replace("_", "")
            if digits is not None and len(word) > digits and set(word) <= _DIGITS | set("xXzZ"):
                raise LoadError(
                    f"{name}, line {number}: word {token!r} has more than {digits} hexadecimal digits; was the memory "
                    "dumped in decimal or binary, or with another width?"
                )
            if word and set(word) <= _DIGITS | set("xXzZ") and not set(word) <= _DIGITS:
                unknown[len(words)] = token
                words.append(None)
            else:
                words.append(_number(word, f"{name}, line {number}: word {token!r}"))
    return Dump(words=tuple(words), unknown=unknown)


def read_hex(path: str | Path, digits: int | None = None) -> Dump:
    """`parse_hex` of a file; LoadError if it cannot be read as text."""
    try:
        return parse_hex(Path(path).read_text(encoding="ascii"), str(path), digits)
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"{path}: cannot be read as hexadecimal text: {error}") from error


def _without_comments(text: str, name: str) -> str:
    kept: list[str] = []
    while text:
        block, line = text.find("/*"), text.find("//")
        starts = [at for at in (block, line) if at >= 0]
        if not starts:
            kept.append(text)
            break
        at = min(starts)
        kept.append(text[:at])
        end = text.find("*/", at + 2) if at == block else text.find("\n", at)
        if at == block and end < 0:
            raise LoadError(f"{name}: a comment /* is not closed")
        if end < 0:
            break
        kept.append("\n" * text.count("\n", at, end) if at == block else "")
        text = text[end + 2 :] if at == block else text[end:]
    return "".join(kept)


def _number(digits: str, subject: str) -> int:
    if not digits or not set(digits) <= _DIGITS:
        raise LoadError(f"{subject} is not hexadecimal; a decimal or binary dump needs converting first")
    return int(digits, 16)
