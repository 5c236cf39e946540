"""Which quantizers there are: their names, formulas and sources, read from their own docstrings."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, is_dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One kind of grid.

    name, summary, formula, source : str     of its docstring: the first line, the indented formula, the notes
    multiplier : str                         what hardware does with a weight of it
    kind : the class
    """

    name: str
    summary: str
    formula: str
    source: str
    multiplier: str
    kind: Any


def quantizer_methods() -> tuple[Method, ...]:
    """Every grid of `refq.quantizers`, by name; found by looking, so that a new file is enough.

    >>> "APoT" in [method.name for method in quantizer_methods()]
    True
    """
    found: dict[str, Method] = {}
    package = import_module("refq.quantizers")
    for module in iter_modules(package.__path__, "refq.quantizers."):
        for name, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
            is_own = kind.__module__ == module.name and is_dataclass(kind)
            fits = "fit" in vars(kind) and "grid" not in getattr(kind, "__dataclass_fields__", {})
            if is_own and (fits or name == "Uniform"):
                found[name] = _described(name, kind)
    return tuple(found[name] for name in sorted(found))


def _described(name: str, kind: Any) -> Method:
    text = inspect.getdoc(kind) or ""
    lines = text.splitlines()
    formula = [line.strip() for line in _until_section(lines[1:]) if line.startswith("    ")]
    return Method(
        name=name,
        summary=lines[0],
        formula="; ".join(line for line in formula if line),
        source=_notes(lines),
        multiplier=getattr(kind, "multiplier", "multiply"),
        kind=kind,
    )


def _until_section(lines: list[str]) -> list[str]:
    for i, line in enumerate(lines):
        if line and not line.strip("-"):
            return lines[: i - 1]
    return lines


def _notes(lines: list[str]) -> str:
    """The notes up to the first blank line, as one."""
    start = lines.index("Notes") + 2 if "Notes" in lines else len(lines)
    body: list[str] = []
    for line in lines[start:]:
        if not line.strip():
            break
        body.append(line.strip())
    return " ".join(body)
