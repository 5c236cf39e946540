"""QuantizeLinear and DequantizeLinear: the affine map between reals and codes, for every element type of ONNX.

`refq.quantizers.apply` does the same for the grids of a graph; here the parameters are arrays of any element type, one
a tensor, one an index of an axis, or one a block of elements along an axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.numerics.element_types import cast, integer_limits, is_integer, is_real


def spread(values: NDArray[Any], shape: tuple[int, ...], axis: int, block_size: int = 0) -> NDArray[Any]:
    """Bring a scale or zero point to the shape of its tensor.

    Parameters
    ----------
    values : shape () or (1,): one a tensor; (shape[axis],): one an index of `axis`; the rank of the tensor: one a block
    shape : of the tensor
    axis : int
    block_size : elements a block along `axis`, 0 where there are none; the last block may be short

    Raises
    ------
    RangeError    the axis does not exist, or block_size is negative
    ShapeError    a shape that fits none of the three; both are in the text
    """
    if values.size == 1 and values.ndim <= 1 and not block_size:
        return values.reshape(())
    if not -len(shape) <= axis < len(shape):
        raise RangeError(f"axis={axis} does not exist in a tensor of shape {shape}")
    if block_size < 0:
        raise RangeError(f"block_size={block_size} must not be negative")
    axis %= len(shape)
    if block_size:
        blocks = -(-shape[axis] // block_size)
        if values.shape != (*shape[:axis], blocks, *shape[axis + 1 :]):
            raise ShapeError(
                f"scale shape {values.shape} does not give blocks of {block_size} along axis {axis} of {shape}"
            )
        return np.take(values, np.arange(shape[axis]) // block_size, axis)
    if values.shape != (shape[axis],):
        raise ShapeError(f"scale shape {values.shape} fits neither the tensor nor axis {axis} of shape {shape}")
    return values.reshape([-1 if i == axis else 1 for i in range(len(shape))])


def check_scale(scale: NDArray[Any]) -> None:
    """RangeError unless every scale is positive and finite."""
    wide = scale.astype(np.float32)
    if not np.all(np.isfinite(wide) & (wide > 0)):
        raise RangeError(f"scale={wide.reshape(-1)[:4].tolist()} must be positive and finite")


def quantize_linear(
    x: NDArray[Any], scale: NDArray[Any], zero_point: NDArray[Any] | None, to: Any, *, saturate: bool = True
) -> NDArray[Any]:
    """Reals to an element type.

        integers  y = clip(round_half_even(x / scale) + zero_point, lowest, highest)
        floats    y = cast(x / scale + zero_point)

    Parameters
    ----------
    x : real or int32 array
    scale, zero_point : broadcast against x; no zero point is 0
    to : element type of y
    saturate : see `cast`

    Raises
    ------
    RangeError    scale not positive and finite

    Notes
    -----
    ONNX QuantizeLinear 10 to 25. The quotient has the type of `scale`. Rounding comes before the zero point, clipping
    before the cast; NaN becomes the zero point. The ONNX reference evaluator casts to int32 before it clips, so that
    quotients beyond 2**31 turn into the lowest code there; ONNX Runtime agrees with this function.
    """
    check_scale(scale)
    divisor = _computable(scale)
    with np.errstate(over="ignore", invalid="ignore"):
        quotient = x.astype(divisor.dtype) / divisor
    if is_real(to):
        return cast(
            quotient if zero_point is None else quotient + zero_point.astype(quotient.dtype), to, saturate=saturate
        )
    low, high = integer_limits(to)
    offset = 0 if zero_point is None else zero_point.astype(np.float64)
    return np.clip(
        np.rint(np.nan_to_num(quotient.astype(np.float64), posinf=np.inf, neginf=-np.inf)) + offset, low, high
    ).astype(to)


def dequantize_linear(x: NDArray[Any], scale: NDArray[Any], zero_point: NDArray[Any] | None, to: Any) -> NDArray[Any]:
    """Codes to reals: y = (x - zero_point) * scale, in element type `to`.

    Notes
    -----
    ONNX DequantizeLinear 10 to 25. The difference is formed in int64, or in float32 for 8- and 4-bit floats.
    """
    check_scale(scale)
    exact = np.int64 if is_integer(x.dtype) else np.float32
    steps = x.astype(exact) if zero_point is None else x.astype(exact) - zero_point.astype(exact)
    factor = _computable(scale)
    return cast(steps.astype(factor.dtype) * factor, to)


def check_zero_point(zero_point: NDArray[Any] | None, dtype: Any, subject: str) -> None:
    """RangeError if a zero point has another element type than the codes it belongs to."""
    if zero_point is not None and zero_point.dtype != dtype:
        raise RangeError(f"{subject} of {np.dtype(dtype).name} has a zero point of {zero_point.dtype.name}")


def _computable(scale: NDArray[Any]) -> NDArray[Any]:
    """The scale in a type NumPy divides in: its own, or float32 for 8-bit and brain floats."""
    return scale if scale.dtype.kind == "f" and scale.dtype.itemsize >= 2 else scale.astype(np.float32)
