"""Find device specifications: by name, by path, or all of them. Reads one device, its bases and the sources only."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, cast

from hwsim.arch.spec import Arch, build, read_toml
from hwsim.errors import SpecError, UnknownArchError

_MAX_DEPTH = 8
"""Bases above a specification; more is a cycle."""


@cache
def specs_dir() -> Path:
    """The folder of specifications: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "specs"
    return inside if inside.is_dir() else package.parent / "specs"


def archs() -> tuple[str, ...]:
    """Names of all specifications, sorted; the file of device NAME is NAME.toml."""
    return tuple(sorted(path.stem for path in specs_dir().glob("*.toml") if path.name != "sources.toml"))


def sources() -> dict[str, Any]:
    """The citations of sources.toml by id."""
    return _sources(specs_dir() / "sources.toml")


@cache
def _sources(path: Path) -> dict[str, Any]:
    return read_toml(path)


def load_arch(name: str | Path) -> Arch:
    """The device of that name, or of that file if it ends in .toml.

    Raises
    ------
    UnknownArchError    no such device; the text lists the nearest names
    SpecError           the file cannot be used
    """
    path = _path_of(str(name), specs_dir())
    return build(_merged(path, 0), str(name) if str(name).endswith(".toml") else path.name, _known_sources(path))


def _known_sources(path: Path) -> dict[str, Any]:
    """The project's citations and those of a sources.toml beside the file."""
    beside = path.parent / "sources.toml"
    own = _sources(beside) if beside.is_file() and path.parent != specs_dir() else {}
    return {**sources(), **own}


def _path_of(name: str, folder: Path) -> Path:
    if name.endswith(".toml"):
        return folder / name if not Path(name).is_file() and (folder / name).is_file() else Path(name)
    known = archs()
    if name not in known:
        from hwsim.arch.entries import entries

        if name in entries():
            entry = entries()[name]
            why = f"{entry.no_model}; " if entry.no_model else ""
            raise UnknownArchError(
                f"arch {name!r} is a catalogue entry without a model ({entry.summary}); "
                f"{why}`hwsim archs` lists the devices with a model"
            )
        near = [other for other in known if name in other][:3] or get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`hwsim archs` lists all; or give a path ending .toml"
        raise UnknownArchError(f"arch {name!r} is not known; {hint}")
    return specs_dir() / f"{name}.toml"


def _merged(path: Path, depth: int) -> dict[str, Any]:
    """The file's table laid over that of its base."""
    table = read_toml(path)
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str) or depth >= _MAX_DEPTH:
        raise SpecError(f"{path.name}: base={base!r} is not a name or leads in a circle; name another specification")
    beside = path.parent / (base if base.endswith(".toml") else f"{base}.toml")
    return _overlay(_merged(beside if beside.is_file() else _path_of(base, path.parent), depth + 1), table)


def _overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables merge key by key; quantities, lists and texts are replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and "value" not in value:
            result[key] = _overlay(cast("dict[str, Any]", old), cast("dict[str, Any]", value))
        else:
            result[key] = value
    return result
