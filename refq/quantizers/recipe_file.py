"""Recipes from .toml files: every grid there is, by name, with any of its parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from refq.errors import LoadError, RangeError, RefqError
from refq.quantizers.catalog import quantizer_methods
from refq.quantizers.granularity import Granularity, PerChannel, PerChannelGroup, PerGroup, PerTensor
from refq.quantizers.ranges import Range, find_range
from refq.quantizers.recipe import Recipe
from refq.quantizers.scheme import Scheme
from refq.quantizers.uniform import Uniform
from refq.quantizers.vectors import Vectors

_SECTIONS = ("name", "weights", "activations", "intermediate_bits")
_WHOLE: dict[str, Granularity] = {"per_tensor": PerTensor(), "per_channel": PerChannel(0)}
_SIZED: dict[str, Callable[[int], Granularity]] = {
    "per_channel_group": lambda size: PerChannelGroup(size=size),
    "per_group": lambda size: PerGroup(size=size),
}
_GRANULARITIES = "per_tensor, per_channel, per_channel_group:SIZE, per_group:SIZE"


def read_recipe(path: Path, default: Recipe) -> Recipe:
    """The recipe of a file; what it leaves out is as in `default`. See `find_recipe`.

    Raises
    ------
    LoadError    a file that cannot be read, an unknown key, a value that is not legal
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LoadError(f"{path}: recipe cannot be read: {error}") from error
    unknown = set(table) - set(_SECTIONS)
    if unknown:
        raise LoadError(f"{path}: unknown key {sorted(unknown)[0]!r}; a recipe has {', '.join(_SECTIONS)}")
    return Recipe(
        name=str(table.get("name", path.stem)),
        weights=_scheme(path, "weights", table.get("weights", {}), default.weights),
        activations=_scheme(path, "activations", table.get("activations", {}), default.activations),
        intermediate_bits=_widths(path, table.get("intermediate_bits", {})),
    )


def _widths(path: Path, given: Any) -> dict[str, int]:
    if not isinstance(given, dict):
        raise LoadError(f"{path}: intermediate_bits must be a table")
    for op, bits in cast(dict[str, Any], given).items():
        if type(bits) is not int or not 2 <= bits <= 32:
            raise LoadError(f"{path}: intermediate_bits.{op}={bits!r} must be an integer in 2..32")
    return cast(dict[str, int], given)


def _scheme(path: Path, section: str, given: Any, default: Scheme) -> Scheme:
    if not isinstance(given, dict):
        raise LoadError(f"{path}: {section} must be a table")
    table = cast(dict[str, Any], given)
    kinds = {method.name: method.kind for method in quantizer_methods()}
    if section == "activations":
        kinds = {"Uniform": Uniform}
    name = table.get("grid", "Uniform")
    if not isinstance(name, str) or name not in kinds:
        raise LoadError(f"{path}: {section}.grid={name!r} is not one of {', '.join(kinds)}")
    granularity = _granularity(path, section, table, tensorwise=kinds[name] is Vectors)
    try:
        return Scheme(
            grid=_grid(path, section, table, kinds[name], default.grid),
            granularity=granularity,
            range=_range(path, section, table, name) or default.range,
        )
    except RangeError as error:
        raise LoadError(f"{path}: {section}: {error}") from error


def _grid(path: Path, section: str, table: dict[str, Any], kind: Any, preset: Any) -> Any:
    """The grid with the parameters that the table names; others are the preset's where it is of the kind."""
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    options = {key: getattr(preset, key) for key in known} if isinstance(preset, kind) else {}
    for key, value in table.items():
        if key in ("grid", "granularity", "range"):
            continue
        if key not in known:
            keys = ("grid", "granularity", *(("range",) if kind is Uniform else ()), *known)
            raise LoadError(f"{path}: unknown key {section}.{key}; keys of {kind.__name__} are {', '.join(keys)}")
        found = _read(hints[key], value)
        if found is MISSING:
            raise LoadError(f"{path}: {section}.{key}={value!r} must be {_legal(hints[key])}")
        options[key] = found
    missing = [
        key
        for key, field in known.items()
        if key not in options and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise LoadError(f"{path}: {section}.{missing[0]} is missing; {kind.__name__} has no default for it")
    try:
        return kind(**options)
    except RefqError as error:
        raise LoadError(f"{path}: {section}: {error}") from error


def _range(path: Path, section: str, table: dict[str, Any], grid: str) -> Range | None:
    if "range" not in table:
        return None
    given = table["range"]
    if grid != "Uniform":
        raise LoadError(
            f"{path}: {section}.range={given!r} has no meaning for {grid}, whose levels follow from the data"
        )
    if not isinstance(given, str):
        raise LoadError(f"{path}: {section}.range={given!r} must be of type str")
    return find_range(given)


def _granularity(path: Path, section: str, table: dict[str, Any], *, tensorwise: bool) -> Granularity:
    given = table.get("granularity", "per_channel" if section == "weights" and not tensorwise else "per_tensor")
    if isinstance(given, str):
        kind, _, size = given.partition(":")
        if given in _WHOLE:
            choice: Granularity | None = _WHOLE[given]
        else:
            choice = _SIZED[kind](int(size)) if kind in _SIZED and size.isdecimal() and int(size) else None
        single = section == "activations" or tensorwise
        if choice is not None and (given == "per_tensor" or not single):
            return choice
    legal = _GRANULARITIES
    if section == "activations":
        legal = "per_tensor for activations"
    elif tensorwise:
        legal = "per_tensor for Vectors, whose `sharing` says what shares a codebook"
    raise LoadError(f"{path}: {section}.granularity={given!r} must be {legal}")


def _read(hint: Any, value: Any) -> Any:
    """The value as a parameter of that type, or MISSING."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return next((found for part in parts if (found := _read(part, value)) is not MISSING), MISSING)
    if origin is Literal:
        return value if isinstance(value, str) and value in parts else MISSING
    if origin is tuple:
        if not isinstance(value, list):
            return MISSING
        found = [_read(parts[0], item) for item in cast(list[Any], value)]
        return MISSING if MISSING in found else tuple(found)
    if hint is float and type(value) in (int, float):
        return float(value)
    return value if isinstance(hint, type) and hint is not NoneType and type(value) is hint else MISSING


def _legal(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_legal(part) for part in parts if part is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(map(str, parts))
    if origin is tuple:
        return f"a list of {_legal(parts[0])}"
    return f"of type {getattr(hint, '__name__', hint)}"
