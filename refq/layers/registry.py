"""The layer registry: filled by importing every module of this package once; no list is edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, TypeVar, cast

from refq.errors import GraphError, UnsupportedError
from refq.graph import Node

if TYPE_CHECKING:
    from refq.layers.base import Layer

_LAYERS: dict[str, type[Layer]] = {}
_NOT_LAYERS = {"base", "binary", "comparison", "convolution", "reduction", "registry", "windows"}

T = TypeVar("T", bound="type[Layer]")


def layer(op: str) -> Callable[[T], T]:
    """Class decorator: make the class a frozen keyword-only dataclass and register it under `op`."""

    def register(cls: T) -> T:
        cls = dataclass(frozen=True, kw_only=True)(cls)
        if op in _LAYERS and _LAYERS[op].__module__ != cls.__module__:
            raise GraphError(f"layer {op!r} is registered twice: {_LAYERS[op].__module__} and {cls.__module__}")
        cls.op = op
        _LAYERS[op] = cls
        return cls

    return register


@cache
def _discover() -> None:
    package = import_module("refq.layers")
    for module in iter_modules(package.__path__):
        if module.name not in _NOT_LAYERS:
            import_module(f"refq.layers.{module.name}")


def layer_ops() -> tuple[str, ...]:
    """Names of all registered layers, sorted."""
    _discover()
    return tuple(sorted(_LAYERS))


def layer_class(op: str) -> type[Layer]:
    """The class registered under `op`.

    Raises
    ------
    UnsupportedError    if there is none; the text gives the nearest names
    """
    _discover()
    if op not in _LAYERS:
        near = get_close_matches(op, _LAYERS, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; supported are {', '.join(layer_ops())}"
        raise UnsupportedError(f"operation {op!r} has no layer{hint}")
    return _LAYERS[op]


def as_tuples(value: Any) -> Any:
    """Lists to tuples, all the way down: JSON has lists, frozen values want tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value


def layer_for(node: Node) -> Any:
    """The layer value of a node: its class with the node's attributes as fields (typed Any: fields differ by op).

    Raises
    ------
    UnsupportedError    unknown operation
    GraphError          an attribute the layer does not have
    """
    cls = layer_class(node.op)
    unknown = set(node.attrs) - {f.name for f in fields(cast(Any, cls))}
    if unknown:
        raise GraphError(f"{node.op} {node.name!r} has no attribute {', '.join(sorted(unknown))}")
    return cls(**{name: as_tuples(value) for name, value in node.attrs.items()})
