"""The table of converters: operator -> function(builder, operation); filled by discovery."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from refq.errors import GraphError
from refq.io.tflite.builder import Builder, Operation

Converter = Callable[[Builder, Operation], object]
_CONVERTERS: dict[str, Converter] = {}


def converts(*kinds: str) -> Callable[[Converter], Converter]:
    """Decorator: this function converts these operators; it emits nodes until every output is written."""

    def register(function: Converter) -> Converter:
        for kind in kinds:
            if kind in _CONVERTERS:
                raise GraphError(f"{kind} has two converters: {_CONVERTERS[kind].__module__} and {function.__module__}")
            _CONVERTERS[kind] = function
        return function

    return register


@cache
def _discover() -> None:
    package = import_module("refq.io.tflite")
    for module in iter_modules(package.__path__):
        if module.name.endswith("_ops"):
            import_module(f"refq.io.tflite.{module.name}")


def converter(kind: str) -> Converter | None:
    """The converter of an operator; None if there is none."""
    _discover()
    return _CONVERTERS.get(kind)


def converted_kinds() -> tuple[str, ...]:
    """Names of all operators that are read, sorted."""
    _discover()
    return tuple(sorted(_CONVERTERS))
