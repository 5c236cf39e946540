"""The table of converters: ONNX operator -> functions (builder, call) -> tensor(s); filled by discovery.

    @converts("Relu")
    def _relu(b: Builder, call: Call) -> Tensor:
        return b.emit("Relu", call, [call.x])

An operator may have several converters, for different uses of it: each says with `accepts` which calls are its own, and
the first that accepts is used. `call.opset` is the version of the operator set the file imports.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from refq.io.onnx.builder import Builder, Call

Converter = Callable[[Builder, Call], Any]
Accepts = Callable[[Call], bool]
_CONVERTERS: dict[str, list[tuple[Accepts | None, Converter]]] = {}


def converts(*ops: str, domain: str = "", accepts: Accepts | None = None) -> Callable[[Converter], Converter]:
    """Decorator: this function converts these operators.

    Parameters
    ----------
    ops : operator names
    domain : operator domain; "" is ONNX's own
    accepts : function of the call; leave it out for the converter that takes every call no other accepts
    """

    def register(function: Converter) -> Converter:
        for op in ops:
            found = _CONVERTERS.setdefault(key(domain, op), [])
            found.insert(len(found) if accepts is None else 0, (accepts, function))
        return function

    return register


def key(domain: str, op: str) -> str:
    """How an operator is called in tables and messages: its name, with the domain in front if it is not ONNX's own."""
    return f"{domain}.{op}" if domain not in ("", "ai.onnx") else op


@cache
def _discover() -> None:
    package = import_module("refq.io.onnx")
    for module in iter_modules(package.__path__):
        if module.name.endswith("_ops"):
            import_module(f"refq.io.onnx.{module.name}")


def supported_ops() -> tuple[str, ...]:
    """Operators that have a converter, sorted."""
    _discover()
    return tuple(sorted(_CONVERTERS))


def converter(call: Call) -> Converter | None:
    """The converter of a call; None if there is none."""
    _discover()
    for accepts, convert in _CONVERTERS.get(key(call.domain, call.op), []):
        if accepts is None or accepts(call):
            return convert
    return None
