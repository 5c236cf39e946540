"""A device with other numbers: one value a number, or many design points at once.

`with_values(arch, {"array.rows": 32})` replaces one number. With arrays of shape (points, 1) the device stands for that
many design points: costs of layers along the last axis broadcast against them. An entry of a list is named by its
precision where it has one ("tensorcore.rates.w8a8.reached_pct"), else by its place ("memory.0.size_kib").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from hwsim.arch.spec import Arch, Frozen, Quantity, check_value
from hwsim.errors import SpecError

_UNITS = {
    "_mhz": "MHz",
    "_kib": "KiB",
    "_mb_per_s": "MB/s",
    "_us": "us",
    "_pj_per_byte": "pJ/byte",
    "_pj": "pJ",
    "_mw": "mW",
    "_mm2": "mm2",
    "_um2": "um2",
    "_bytes": "bytes",
    "_pct": "%",
    "_nm": "nm",
    "_v": "V",
    "_bits": "bits",
    "_per_us": "1/us",
}
"""End of a key -> the unit as a report writes it"""


def _names(entries: tuple[Any, ...]) -> list[str]:
    """What a path calls each entry of a list of tables."""
    return [str(getattr(entry, "precision", index)) for index, entry in enumerate(entries)]


def with_values(arch: Arch, values: Mapping[str, Any]) -> Arch:
    """The device with other values at these paths ("link.bandwidth_mb_per_s", "memory.0.size_kib").

    Raises
    ------
    SpecError    a path that leads to no number of this device
    """

    def changed(owner: Any, keys: list[str], value: Any, path: str) -> Any:
        if not keys:
            if not isinstance(owner, Quantity):
                raise SpecError(f"{arch.name}: {path} is not a number of this specification; give the path of one")
            return replace(owner, value=value)
        if isinstance(owner, tuple):
            owner = cast("tuple[Any, ...]", owner)
            names = _names(owner)
            if keys[0] not in names:
                raise SpecError(f"{arch.name}: {path} has no entry {keys[0]!r}; entries are {', '.join(names)}")
            index = names.index(keys[0])
            return (*owner[:index], changed(owner[index], keys[1:], value, path), *owner[index + 1 :])
        if keys[0] not in getattr(owner, "__struct_fields__", ()):
            raise SpecError(f"{arch.name}: {path} is not a number of this specification; give the path of one")
        return replace(owner, **{keys[0]: changed(getattr(owner, keys[0]), keys[1:], value, path)})

    for path, value in values.items():
        arch = changed(arch, path.split("."), value, path)
    return arch


def numbers(arch: Arch) -> dict[str, Quantity]:
    """Every number of the device by its path, in the order of the specification's tables."""
    found: dict[str, Quantity] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, Quantity):
            found[path] = value
        elif isinstance(value, Frozen):
            for name in value.__struct_fields__:
                walk(getattr(value, name), f"{path}.{name}" if path else name)
        elif isinstance(value, tuple):
            entries = cast("tuple[Any, ...]", value)
            for name, entry in zip(_names(entries), entries, strict=True):
                walk(entry, f"{path}.{name}")

    walk(arch, "")
    return found


def unit(path: str) -> str:
    """The unit that the key at the end of a path names, "" for a plain number.

    Examples
    --------
    >>> unit("link.bandwidth_mb_per_s"), unit("kernels.dense_cycles_per_mac"), unit("array.rows")
    ('MB/s', 'cycles', '')
    """
    key = path.rpartition(".")[2]
    suffix = max((text for text in _UNITS if key.endswith(text)), key=len, default="")
    return "cycles" if not suffix and "cycles" in key else _UNITS.get(suffix, "")


def at_points(arch: Arch, vary: Mapping[str, Any]) -> tuple[Arch, int]:
    """(the device whose numbers at these paths are columns of design points, their count).

    Raises
    ------
    SpecError    paths without a number, sequences of different lengths, values a specification would refuse
    """
    columns = {path: np.asarray(values, np.float64).reshape(-1, 1) for path, values in vary.items()}
    counts = {len(column) for column in columns.values()}
    if len(counts) != 1 or 0 in counts:
        lengths = ", ".join(f"{path} {len(column)}" for path, column in columns.items()) or "none"
        raise SpecError(f"{arch.name}: design points need equally long, not empty lists of values; got {lengths}")
    for path, column in columns.items():
        for value in np.unique(column).tolist():
            check_value(value, path, arch.name)
    return with_values(arch, columns), counts.pop()


def whole(quantity: Quantity) -> Any:
    """The number as an integer, or integers where it holds design points."""
    value = np.asarray(quantity.value).astype(np.int64)
    return value if value.ndim else int(value)


def each(function: Callable[..., float], *values: Any) -> Any:
    """function(*values), called once for each distinct combination where some of the values hold design points."""
    if not any(isinstance(value, np.ndarray) for value in values):
        return function(*values)
    spread = np.broadcast_arrays(*values)
    keys = list(zip(*(part.ravel().tolist() for part in spread), strict=True))
    known = {key: function(*key) for key in dict.fromkeys(keys)}
    result: NDArray[np.float64] = np.array([known[key] for key in keys], np.float64)
    return result.reshape(spread[0].shape)
