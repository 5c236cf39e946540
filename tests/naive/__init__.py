"""Naive twins: every layer once more, as loops over Python numbers, written from the definition.

A twin module is named after the layer's module and holds, for the op in `OP`:

    CASES       tuple of `Case`: attributes and operand shapes the laws run over (ragged, 1-sized, asymmetric ones too)
    naive       (layer, *arrays) -> array, arithmetic on the elements as they come, so that Python integers stay exact
    naive_integer   (layer, codes, grids, out) -> array; only for layers whose integer path is not derived
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from refq.layers import layer_class


@dataclass(frozen=True, kw_only=True)
class Case:
    """One set of attributes and operand shapes.

    shapes : one per operand, None for an absent optional one
    low, high : reals are drawn from [low, high]
    indices : operands that hold integers in [0, limit) instead of reals: position -> limit
    types : operands of a stated element type: position -> name; integers are drawn from the whole type
    on_one_symmetric_grid : input and output share a grid of zero point 0 without its lowest code; for kernels that are
        defined on others but compute the function on these only
    """

    shapes: tuple[tuple[int, ...] | None, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    low: float = -2.0
    high: float = 2.0
    indices: dict[int, int] = field(default_factory=dict)
    types: dict[int, str] = field(default_factory=dict)
    on_one_symmetric_grid: bool = False


def twin(op: str) -> Any:
    """The twin module of a layer; ImportError where there is none."""
    return import_module(f"tests.naive.{layer_class(op).__module__.rpartition('.')[2]}")


def objects(array: Any) -> Any:
    """An array of Python numbers: no NumPy integer can wrap in it."""
    return array.astype(object)
