"""Damage to .h5 files through h5py: attributes and datasets replaced, links bent, the JSON description edited."""

from __future__ import annotations

import io
import json
from random import Random
from typing import Any

import h5py
import numpy as np

from tests.fuzz.values import INTEGERS, TEXTS, mutate_tree

_ARRAYS: tuple[Any, ...] = (
    np.float32(1),
    np.zeros(0, np.float32),
    np.zeros((3, 3, 3, 3), np.float32),
    np.full((2, 2), np.nan, np.float32),
    np.zeros(4, np.complex64),
    np.zeros(4, [("a", "i4"), ("b", "f8")]),
    np.arange(6, dtype=np.int64),
    np.full(3, 2**63 - 1, np.int64),
    np.array([b"text", b"more"]),
    "text",
    b"\xff\xfe",
)


def mutate_hdf5(whole: bytes, rng: Random) -> tuple[bytes, str]:
    """One change of structure."""
    stream = io.BytesIO(whole)
    with h5py.File(stream, "r+") as file:
        done = rng.choice((_edit_json, _edit_json, _edit_json, _edit_attribute, _edit_object))(file, rng)
    return stream.getvalue(), done


def _text_of(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _edit_json(file: Any, rng: Random) -> str:
    if "model_config" in file.attrs:
        new, done = mutate_tree(json.loads(_text_of(file.attrs["model_config"])), rng)
        file.attrs["model_config"] = json.dumps(new).encode()
        return f"model_config {done}"
    if "graph" not in file:
        return _edit_object(file, rng)
    new, done = mutate_tree(json.loads(file["graph"][()].tobytes()), rng)
    del file["graph"]
    file["graph"] = np.frombuffer(json.dumps(new).encode(), np.uint8)
    return f"graph {done}"


def _objects(file: Any) -> list[str]:
    names = ["/"]
    file.visit(names.append)
    return names


def _edit_attribute(file: Any, rng: Random) -> str:
    places = [(name, key) for name in _objects(file) for key in file[name].attrs]
    if not places:
        return _edit_object(file, rng)
    name, key = rng.choice(places)
    if rng.random() < 0.2:
        del file[name].attrs[key]
        return f"attribute {key} of {name} deleted"
    value = rng.choice(
        (*_ARRAYS, rng.choice(INTEGERS), ascii(rng.choice(TEXTS))[:2000], h5py.Empty("f4"), np.array([1, 2]))
    )
    file[name].attrs[key] = value
    return f"attribute {key} of {name} = {value!r:.60}"


def _edit_object(file: Any, rng: Random) -> str:
    names = _objects(file)[1:]
    if not names:
        return "nothing"
    name, source = rng.choice(names), rng.choice(names)
    kind = rng.choice(
        ("delete", "replace", "alias", "soft", "loop", "external", "huge", "chunked", "unwritten", "group")
    )
    del file[name]
    if kind == "replace":
        file[name] = rng.choice(_ARRAYS)
    elif kind == "alias" and source in file:
        file[name] = file[source]
    elif kind == "soft":
        file[name] = h5py.SoftLink(source)
    elif kind == "loop":
        file[name] = h5py.SoftLink(name)
    elif kind == "external":
        file[name] = h5py.ExternalLink("elsewhere.h5", "/x")
    elif kind == "huge":
        file.create_dataset(name, shape=(1 << 34,), dtype="f4", chunks=(1 << 20,))[:2] = 1
    elif kind == "chunked":
        file.create_dataset(name, data=np.zeros(1 << 20, np.float32), compression="gzip")
    elif kind == "unwritten":
        file.create_dataset(name, shape=(rng.choice(INTEGERS[:12]) % (1 << 40),), dtype="f4")
    elif kind == "group":
        file.create_group(name)
    return f"{kind} {name}"
