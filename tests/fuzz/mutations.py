"""From a case's name to its damaged file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from random import Random
from typing import Any

from tests.fuzz.byte_mutations import mutate_bytes

_STRUCTURAL = {".h5": "hdf5", ".keras": "archive", ".onnx": "onnx", ".tflite": "tflite"}


def damaged(seeds: Mapping[str, bytes], case: str) -> tuple[bytes, str]:
    """The bytes of a case `seed#number`, and what was done to the whole file."""
    name, _, _ = case.partition("#")
    rng, whole = Random(case), seeds[name]
    if rng.random() < 0.35:
        return mutate_bytes(whole, rng)
    kind = _STRUCTURAL["." + name.rpartition(".")[2]]
    mutate: Any = getattr(import_module(f"tests.fuzz.{kind}_mutations"), f"mutate_{kind}")
    return mutate(whole, rng)
