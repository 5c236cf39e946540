"""Damage that knows nothing of the format: flips, words, cuts, splices, repeats."""

from __future__ import annotations

import re
from random import Random

WORDS = (0, -1, 1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 4, 8, 16, 64, 100, 1000, 0x7FC00000, 0x7F800000)


def place(data: bytes | bytearray, rng: Random) -> int:
    """An offset, drawn to where structure is: the ends of the file and the surroundings of text."""
    choice = rng.random()
    if choice < 0.2:
        return rng.randrange(min(len(data), 512))
    if choice < 0.4:
        return len(data) - 1 - rng.randrange(min(len(data), 4096))
    if choice < 0.8:
        found = re.compile(rb"[ -~]{4,}").search(data, rng.randrange(len(data)))
        if found is not None:
            return min(max(rng.choice(found.span()) + rng.randrange(-48, 48), 0), len(data) - 1)
    return rng.randrange(len(data))


def mutate_bytes(whole: bytes, rng: Random) -> tuple[bytes, str]:
    """Between one and eight changes."""
    data, done = bytearray(whole), []
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        if len(data) < 16:
            break
        at = place(data, rng)
        kind = rng.choice(("flip", "byte", "word", "word", "wide", "add", "cut", "drop", "repeat", "splice", "swap"))
        if kind == "flip":
            data[at] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            data[at] = rng.choice((0, 255, 127, 128, 1, rng.randrange(256)))
        elif kind in ("word", "wide"):
            size = 4 if kind == "word" else 8
            at -= at % size
            value = rng.choice((*WORDS, len(data), at, rng.randrange(len(data))))
            data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
        elif kind == "add":
            at -= at % 4
            value = int.from_bytes(data[at : at + 4], "little") + rng.choice((-8, -4, -1, 1, 4, 8))
            data[at : at + 4] = (value % (1 << 32)).to_bytes(4, "little")
        elif kind == "cut":
            if rng.random() < 0.5:
                continue
            del data[at:]
        else:
            size = rng.choice((1, 4, 8, 64, 1000))
            source = place(data, rng)
            piece = bytes(data[source : source + size])
            if kind == "drop":
                del data[at : at + size]
            elif kind == "repeat":
                data[at:at] = piece * rng.choice((1, 2, 50))
            else:
                data[at : at + len(piece)] = piece
        done.append(f"{kind} at {at}")
    return bytes(data), ", ".join(done)
