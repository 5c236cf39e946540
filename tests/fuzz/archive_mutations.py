"""Damage to the members of a .keras archive, and to the archive itself."""

from __future__ import annotations

import io
import json
import zipfile
from random import Random

from tests.fuzz.byte_mutations import mutate_bytes
from tests.fuzz.hdf5_mutations import mutate_hdf5
from tests.fuzz.values import mutate_tree


def mutate_archive(whole: bytes, rng: Random) -> tuple[bytes, str]:
    """One change inside, or of the list of members."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(("config.json", "config.json", "metadata.json", "model.weights.h5"))
    kind = rng.choice(("content", "content", "content", "content", "bytes", "missing", "twice", "packed", "bomb"))
    done = kind
    if kind == "content" and name.endswith(".json"):
        new, done = mutate_tree(json.loads(members[name]), rng)
        members[name] = json.dumps(new).encode()
    elif kind == "content":
        members[name], done = mutate_hdf5(members[name], rng)
    elif kind == "bytes":
        members[name], done = mutate_bytes(members[name], rng)
    elif kind == "missing":
        del members[name]
    elif kind == "bomb":
        members[name] = rng.choice((b"[", b" ", b'{"a":', b"\0")) * 3_000_000
    packing = zipfile.ZIP_DEFLATED if kind in ("packed", "bomb") else zipfile.ZIP_STORED
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, packing)
            if kind == "twice" and member == name:
                archive.writestr(zipfile.ZipInfo(f"../{member}"), content, packing)
    return out.getvalue(), f"{name}: {done}"
