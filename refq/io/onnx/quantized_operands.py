"""Biases of layers whose input and weight are codes."""

from __future__ import annotations

import numpy as np

from refq.errors import ShapeError
from refq.graph import QParams
from refq.io.onnx.builder import Builder, Call, Tensor

_CLOSE = 1e-4


def bias_of(b: Builder, call: Call, x: Tensor, w: Tensor, bias: Tensor | None, axis: int = 0) -> Tensor | None:
    """The bias operand of a layer: real for real layers; int32 codes at scale s_x * s_w for quantized ones.

    A bias that the file stores as codes at that scale keeps them; one at another scale, or a real one, is put on it.
    """
    if bias is None:
        return None
    if bias.rank != 1:
        raise ShapeError(f"bias {bias.name!r} has shape {bias.shape}; one number an output channel is needed")
    x_grid, w_grid = b.grid(x), b.grid(w)
    if x_grid is None or w_grid is None or bias.value is None:
        return b.file_order(bias) if bias.grid is None else b.add_constant(bias.name, bias.real)
    if w_grid.axis is not None and w_grid.axis % w.rank != axis:
        raise ShapeError(f"weight {w.name!r} has one scale along axis {w_grid.axis}; output channels run along {axis}")
    scale = np.maximum(x_grid.scale * w_grid.scale, np.finfo(np.float32).tiny)
    grid = QParams(scale=scale, axis=None if scale.ndim == 0 else 0, bits=32)
    held = bias.grid
    if held is None and bias.value.dtype.kind in "iu":  # QLinearConv gives codes and leaves the scale to be understood
        return b.add_constant(bias.name, bias.value, grid)
    is_same = held is not None and held.is_symmetric and np.allclose(held.scale, scale, rtol=_CLOSE, atol=0)
    return b.add_constant(bias.name, bias.value if is_same else bias.real, grid)
