"""The table of converters: Keras class name -> function(builder, call) -> tensor(s); filled by discovery."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from refq.io.keras.builder import Builder, Call, Tensor

Converter = Callable[[Builder, Call], Any]
_CONVERTERS: dict[str, Converter] = {}


def converts(*kinds: str) -> Callable[[Converter], Converter]:
    """Decorator: this function converts these Keras classes (or functions of keras.ops and tf)."""

    def register(function: Converter) -> Converter:
        _CONVERTERS.update(dict.fromkeys(kinds, function))
        return function

    return register


@cache
def _discover() -> None:
    package = import_module("refq.io.keras")
    for module in iter_modules(package.__path__):
        if module.name.endswith("_layers"):
            import_module(f"refq.io.keras.{module.name}")


def converter(kind: str) -> Converter | None:
    """The converter of a Keras class; None if there is none."""
    _discover()
    return _CONVERTERS.get(kind)


def pair(value: Any) -> tuple[int, int]:
    """A Keras size: one number for both axes, or two."""
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def one(value: Any) -> int:
    """A Keras size of a 1-D layer: a number, or a list of one."""
    return int(value) if isinstance(value, int) else int(value[0])


def channels_last(builder: Builder, call: Call, body: Callable[[Tensor, str], Tensor]) -> Tensor:
    """Run `body(x, output name)` on channels-last data, with transposes around it for a channels-first layer."""
    if call.config.get("data_format") != "channels_first":
        return body(call.x, call.name)
    rank = len(call.x.shape)
    to_last = (0, *range(2, rank), 1)
    to_first = (0, rank - 1, *range(1, rank - 1))
    x = builder.emit("Transpose", f"{call.name}/to_channels_last", [call.x], perm=to_last)
    y = body(x, f"{call.name}/channels_last")
    return builder.emit("Transpose", f"{call.name}/to_channels_first", [y], call.name, perm=to_first)
