"""What a run of a layer leaves behind: every tensor of it, its parameters, and the product it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import Node
from refq.layers.windows import Window, pad_image, patches

Wide = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Integers and how many bits of a word they take."""

    values: NDArray[Any]
    bits: int
    signed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRecord:
    """One node of an integer run.

    Attributes
    ----------
    node : Node
    tensors : name -> Tensor. Every node has `x` (x0, x1 ... where there are several operands) and `y`. Layers of
        products also have w, bias, one array a factor of the requantizer (multiplier, shift: one value a channel), acc
        (the sum of products and bias), one array a step of the requantizer, and placed (zero point added, not clamped);
        w_zero where channels have zero points of their own. Reals are held as their IEEE bit patterns.
    parameters : name -> integer: zero points, clamp limits, sizes, strides and pads
    requantizer : name of the rule; "" where the node has none of its own
    window : of a convolution
    """

    node: Node
    tensors: dict[str, Tensor]
    parameters: dict[str, int]
    requantizer: str = ""
    window: Window | None = None

    def product(self) -> tuple[Wide, Wide] | None:
        """The layer as one matrix product: x - x_zero as (pixels, K), w - w_zero as (K, channels); None if it is none.

        K runs over kernel rows, kernel columns, channels, the last fastest; padding holds 0.
        """
        if self.node.op not in ("Conv2D", "Dense") or dict(self.node.attrs).get("groups", 1) != 1:
            return None
        if "w" not in self.tensors:
            return None
        x = self.tensors["x"].values.astype(np.int64) - self.zero("x")
        w = self.tensors["w"].values.astype(np.int64)
        w = (w.reshape(len(w), -1) - np.reshape(self.zero("w"), (-1, 1))).T
        if self.window is not None:
            x = patches(pad_image(x, self.window), self.window)
        return x.reshape(-1, len(w)), w

    def zero(self, tensor: str) -> Any:
        """Zero point of a tensor: a number, or one a channel."""
        held = self.tensors.get(f"{tensor}_zero")
        return self.parameters.get(f"{tensor}_zero", 0) if held is None else held.values.astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One value that hardware gives, in the order it gives them.

    t : number of the event; all columns of a word share it
    coordinates : (row, column, tile along K) of the product; for a layer's output (n, h, w, c)
    """

    t: int
    coordinates: tuple[int, ...]
    value: int
