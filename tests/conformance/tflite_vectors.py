"""LiteRT vectors of the golden folder: what each key of NAME.npz and NAME.json means, and where the model is."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

_NUMBERED = re.compile(r"(input|output_[a-z_]+?)[_/]?(\d+)?$")
_ACTIVATION = re.compile(r"act(\d+)/s(\d+)$")
_CONSTANT = re.compile(r"const(\d+)$")
OTHER_RESOLVERS = frozenset({"output_builtin_opt", "output_xnnpack"})


class NotUnderstoodError(Exception):
    """Something in a vector has no meaning here; never skip it."""


def golden_root() -> Path:
    """$REFQ_GOLDEN, or golden/ in $REFQ_SHARED, or in ../shared beside the checkout."""
    shared = os.environ.get("REFQ_SHARED", str(Path(__file__).resolve().parents[2].parent / "shared"))
    return Path(os.environ.get("REFQ_GOLDEN", Path(shared) / "golden"))


def vector_names() -> list[str]:
    """Names with a .json or .npz in the tflite folder; one without the other is an error when it is read."""
    folder = golden_root() / "tflite"
    return sorted({path.stem for pattern in ("*.json", "*.npz") for path in folder.glob(pattern)})


@dataclass
class Vectors:
    """One model's vectors.

    inputs, outputs : tensor index -> (rows, ...); activations : (tensor index, sample) -> array
    """

    name: str
    about: dict[str, Any]
    model: Path
    inputs: dict[int, np.ndarray] = field(default_factory=dict)
    outputs: dict[int, np.ndarray] = field(default_factory=dict)
    activations: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    constants: dict[int, np.ndarray] = field(default_factory=dict)
    samples: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    @cached_property
    def graph(self) -> dict[str, Any]:
        subgraphs = self.about["graph"]["subgraphs"]
        if len(subgraphs) != 1:
            raise NotUnderstoodError(f"{self.name}: {len(subgraphs)} subgraphs")
        return subgraphs[0]


def read_vectors(name: str) -> Vectors:
    """Read and sort the arrays of NAME; NotUnderstoodError for a key without a meaning."""
    folder = golden_root() / "tflite"
    about = json.loads((folder / f"{name}.json").read_text())
    vectors = Vectors(name=name, about=about, model=_model(name, about))
    numbered: dict[str, dict[str | None, np.ndarray]] = {}
    with np.load(folder / f"{name}.npz") as arrays:
        for key in arrays.files:
            if key == "intermediate_samples":
                vectors.samples = arrays[key]
            elif found := _ACTIVATION.match(key):
                vectors.activations[int(found[1]), int(found[2])] = arrays[key]
            elif found := _CONSTANT.match(key):
                vectors.constants[int(found[1])] = arrays[key]
            elif found := _NUMBERED.match(key):
                numbered.setdefault(found[1], {})[found[2]] = arrays[key]
            else:
                raise NotUnderstoodError(f"{name}: key {key!r}")
    unknown = set(numbered) - {"input", "output_ref"} - OTHER_RESOLVERS
    if unknown or "output_ref" not in numbered or "input" not in numbered:
        raise NotUnderstoodError(f"{name}: inputs and outputs {sorted(numbered)}")
    vectors.inputs = _by_tensor(name, "input", numbered["input"], vectors.graph, vectors.graph["inputs"])
    vectors.outputs = _by_tensor(name, "output_ref", numbered["output_ref"], vectors.graph, vectors.graph["outputs"])
    if vectors.activations and max(sample for _, sample in vectors.activations) >= len(vectors.samples):
        raise NotUnderstoodError(f"{name}: activations of more samples than intermediate_samples names")
    return vectors


def _by_tensor(
    name: str, what: str, arrays: dict[str | None, np.ndarray], graph: dict[str, Any], indices: list[int]
) -> dict[int, np.ndarray]:
    """Arrays by tensor index. A number in a key is a tensor index or a place in the list, whichever fits the shapes.

    Where both fit, three digits are an index, as in actNNN. A key without a number is the only one, or number 0.
    """
    numbered = {int(number or 0): array for number, array in arrays.items()}
    readings = [{i: numbered.get(i) for i in indices}, {i: numbered.get(place) for place, i in enumerate(indices)}]
    if any(number is None or len(number) < 3 for number in arrays):
        readings.reverse()
    for reading in readings:
        fits = [a is not None and list(a.shape[1:]) == graph["tensors"][i]["shape"][1:] for i, a in reading.items()]
        if all(fits) and len(numbered) == len(indices):
            return {index: array for index, array in reading.items() if array is not None}
    raise NotUnderstoodError(f"{name}: {what} keys {sorted(map(str, arrays))} do not fit the tensors {indices}")


def _model(name: str, about: dict[str, Any]) -> Path:
    """The model file below ../models that has the checksum."""
    models = golden_root().parent / "models"
    wanted = [path for file in {about.get("model", f"{name}.tflite"), f"{name}.tflite"} for path in models.rglob(file)]
    for path in [*wanted, *(path for path in models.rglob("*.tflite") if path not in wanted)]:
        if hashlib.sha256(path.read_bytes()).hexdigest() == about["sha256"]:
            return path
    raise NotUnderstoodError(f"{name}: no file below {models} has the checksum of {about.get('model')}")
