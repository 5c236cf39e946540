"""CMSIS-NN unit-test vectors: what a case says, and how much of it was understood.

A case counts the attributes and arrays that are read. What is left over must be known to be informative, else the case
is not understood, and that is an error: a vector nobody could run must never pass.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from refq.numerics import find_arithmetic

CMSIS = find_arithmetic("cmsis-nn")
INFORMATIVE = {
    *("dst_size", "input_size", "output_size", "size", "pad", "padding", "w_type", "batch_size", "input_n", "out_dim"),
    *("bias_is_null", "input_bias_is_null", "input_min", "input_max", "pad_x_with_offset", "pad_y_with_offset"),
    *("input_w", "input_h", "in_ch", "output_w", "output_h", "output_c", "output_rows", "output_cols"),
    *("output_batch", "output_height", "output_width", "output_channel", "asymmetric_quantize_inputs"),
    *("arena_size", "bias_min", "bias_max", "weights_min", "weights_max", "output_n"),
    *("lhs_transposed_tensor", "rhs_transposed_tensor"),
}
"""Sizes that follow from others, and words; where an operator needs one, it reads it."""


class NotUnderstoodError(AssertionError):
    """A case holds something this reader does not know."""


def cases_root() -> Path:
    shared = os.environ.get("REFQ_SHARED", Path(__file__).resolve().parents[3] / "shared")
    return Path(os.environ.get("REFQ_GOLDEN", Path(shared) / "golden")) / "cmsis_nn"


@cache
def manifest_cases() -> list[dict[str, Any]]:
    """The cases of the manifest; none where there is no golden data."""
    manifest = cases_root() / "manifest.json"
    return json.loads(manifest.read_text())["cases"] if manifest.is_file() else []


@dataclass
class Case:
    name: str
    op: str
    used_by: list[str]
    attrs: dict[str, Any]
    arrays: dict[str, np.ndarray]
    prefix: str = ""
    read: set[str] = field(default_factory=set)

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self.attrs or self.prefix + name in self.arrays

    def get(self, *names: str, default: Any = None) -> Any:
        """The first attribute or array of these names that is there."""
        for name in (self.prefix + name for name in names):
            for held in (self.attrs, self.arrays):
                if name in held:
                    self.read.add(name)
                    return held[name]
        return default

    def __getitem__(self, names: str | tuple[str, ...]) -> Any:
        names = (names,) if isinstance(names, str) else names
        value = self.get(*names)
        if value is None:
            raise NotUnderstoodError(f"{self.op} {self.name!r} has neither {' nor '.join(names)}")
        return value

    def numbers(self, *names: str) -> list[int]:
        return [int(self[name]) for name in names]

    def input(self, *names: str) -> np.ndarray:
        return self[names or ("input", "input_tensor")]

    @property
    def bits(self) -> int:
        return 8 * self.input().dtype.itemsize

    def factor(self, multiplier: str | tuple[str, ...], shift: str) -> np.ndarray:
        """The real factor m * 2**(shift - 31); a requantizer splits it into the same m and shift again.

        Only where m is normalised (or 0, which stands for the factor 0): anything else would come out differently.
        """
        m = np.asarray(self[multiplier], np.int64)
        s = np.asarray(self[shift], np.int64)
        if not np.all((m == 0) | ((m >= 1 << 30) & (m < 1 << 31))) or not np.all((s >= -31) & (s <= 30)):
            raise NotUnderstoodError(f"{self.op} {self.name!r}: multiplier {m}, shift {s} are not normalised")
        return np.ldexp(m.astype(np.float64), s - 31)

    def output_factor(self) -> np.ndarray:
        return self.factor(("output_mult", "output_multiplier"), "output_shift")

    def clamp(self, y: np.ndarray) -> np.ndarray:
        low = self["out_activation_min", "activation_min"]
        return np.clip(y, low, self["out_activation_max", "activation_max"])

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """int8 codes; int4 ones are unpacked, low nibble first."""
        w, count = self["weights"], int(np.prod(shape))
        packed = any("_s4" in name for name in self.used_by)
        if w.size != (-(-count // 2) if packed else count):
            raise NotUnderstoodError(f"{self.op} {self.name!r}: {w.size} weights do not fill {shape}, int4={packed}")
        if not packed:
            return w.reshape(shape)
        pairs = w.view(np.uint8)
        nibbles = np.stack([pairs & 15, pairs >> 4], axis=1).ravel()[:count].astype(np.int8)
        return np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8).reshape(shape)

    def layer(self, kind: str, number: int) -> Case:
        """One layer of a network case, seen as a case of its own."""
        arrays = f"layer_{number}_{kind}_"
        own = {
            f"{kind}_{number}_{name[len(arrays) :]}": a for name, a in self.arrays.items() if name.startswith(arrays)
        }
        self.read.update(name for name in self.arrays if name.startswith(arrays))
        return Case(self.name, kind, self.used_by, self.attrs, own, prefix=f"{kind}_{number}_", read=self.read)

    def unread(self) -> list[str]:
        return sorted({*self.attrs, *self.arrays} - self.read - INFORMATIVE)


def load_case(entry: dict[str, Any]) -> Case:
    with np.load(cases_root() / entry["file"], allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    missing = [name for name in entry["arrays"] if name not in arrays]
    if missing:
        raise NotUnderstoodError(f"{entry['name']}: {entry['file']} lacks {', '.join(missing)}")
    return Case(entry["name"], entry["op"], entry["used_by"], entry["attrs"], arrays)
