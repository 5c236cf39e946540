"""One layer a file; a new file here is found by the registry, no list is edited."""

from refq.layers.base import ExplicitLayer, FixedGrid, Layer, MacLayer, MoveLayer, TableLayer
from refq.layers.registry import layer, layer_class, layer_for, layer_ops

__all__ = [
    "ExplicitLayer",
    "FixedGrid",
    "Layer",
    "MacLayer",
    "MoveLayer",
    "TableLayer",
    "layer",
    "layer_class",
    "layer_for",
    "layer_ops",
]
