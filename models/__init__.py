"""Builders of reference networks, one file a topology, and the small models shipped beside them.

`python -m models list`, `python -m models build NAME -o FILE.h5`, `python -m models ship`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


def builders() -> dict[str, Callable[..., Any]]:
    """Every topology by name: modules of this package that have a `build` function."""
    modules = {
        info.name: import_module(f"models.{info.name}") for info in iter_modules(__path__) if info.name[0] != "_"
    }
    return {name: module.build for name, module in sorted(modules.items()) if hasattr(module, "build")}
