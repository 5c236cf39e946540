"""Damage to .tflite files table by table, through the schema's object form."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.fuzz.values import integer, real


def mutate_tflite(whole: bytes, rng: Random) -> tuple[bytes, str]:
    """One to three fields changed."""
    model = schema.ModelT.InitFromPackedBuf(whole, 0)
    done = [_edit(model, rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except (struct.error, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        return whole, f"does not pack: {error}"
    return bytes(builder.Output()), ", ".join(done)


def _tables(table: Any) -> list[Any]:
    found = [table]
    for value in vars(table).values():
        for item in value if isinstance(value, list) else [value]:
            if type(item).__module__ == schema.__name__:
                found += _tables(item)
    return found


def _edit(model: Any, rng: Random) -> str:
    tables = _tables(model)
    kinds = sorted({type(table).__name__ for table in tables})
    kind = rng.choice(kinds)  # every kind of table alike, however many there are
    table = rng.choice([t for t in tables if type(t).__name__ == kind])
    if not vars(table):
        return f"{kind} is empty"
    name = rng.choice(sorted(vars(table)))
    new = _other(getattr(table, name), rng)
    setattr(table, name, new)
    return f"{kind}.{name} = {ascii(new)[:60]}"


def _other(value: Any, rng: Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        near = value + rng.choice((-1, 1, 2, 16))
        return rng.choice((near, near, (integer(rng) + 2**31) % 2**32 - 2**31, abs(integer(rng)) % 128))
    if isinstance(value, float):
        return real(rng)
    if isinstance(value, bytes | str):
        return rng.choice((b"", b"x", b"a\nb", b"\xff\xfe", value, None))
    if isinstance(value, np.ndarray) and value.size:
        return _array(value, rng)
    if isinstance(value, list) and value:
        kind = rng.choice(("drop", "repeat", "swap", "empty"))
        at, other = rng.randrange(len(value)), rng.randrange(len(value))
        if kind == "swap":
            return [value[other] if i == at else item for i, item in enumerate(value)]
        return {"drop": value[:at] + value[at + 1 :], "repeat": [*value, value[at]], "empty": []}[kind]
    if value is None:
        return rng.choice((None, None, np.array([integer(rng) % 100, 1], np.int32)))
    return rng.choice((None, value))


def _array(value: Any, rng: Random) -> Any:
    kind = rng.choice(("set", "set", "set", "drop", "repeat", "empty"))
    new = value.copy()
    if kind == "set":
        at = rng.randrange(value.size)
        near = new.flat[at].item() + rng.choice((-1, 1))
        number = rng.choice((near, real(rng) if value.dtype.kind == "f" else integer(rng)))
        with np.errstate(all="ignore"):
            new.flat[at] = np.array(number).astype(value.dtype)
        return new
    return {"drop": new[:-1], "repeat": np.concatenate([new, new]), "empty": None}[kind]
