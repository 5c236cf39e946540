"""QParams: which integer stands for which real."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError


def _frozen(values: Any, dtype: Any) -> NDArray[Any]:
    array = np.array(values, dtype=dtype)  # a copy: the caller's array stays the caller's
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QParams:
    """Uniform quantization parameters of one tensor.

        real = scale * (code - zero_point),   qmin <= code <= qmax

    One signed bit means the codes -1 and +1 (binary weights); 0 is no code then.

    Parameters
    ----------
    scale : float32, shape () or (channels,), or counts of blocks      > 0 and finite
    zero_point : int32, same shape as scale       within [qmin, qmax]
    axis : int or None      the axis a per-channel scale runs along; None for one scale per tensor
    bits : int in 1..64     width of a code; above 32 only for biases of 16-bit activations
    signed : bool           two's complement codes, else unsigned
    narrow : bool           drop the lowest code, so that the grid is symmetric (restricted range)
    block : tuple of int or None    size of a block along every axis of the tensor, 0 for the whole axis; scale then
        has as many axes as the tensor, one entry a block. Graphs hold grids per tensor or per channel only

    Raises
    ------
    RangeError    if a value is outside its range, or scale, zero_point, axis and block contradict each other

    Notes
    -----
    Gholami et al. 2021, section III-B, write r = S (q + Z); here the zero point is subtracted, as TFLite and ONNX do.

    >>> QParams(scale=0.5, zero_point=-128).qmin
    -128
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]
    axis: int | None = None
    bits: int = 8
    signed: bool = True
    narrow: bool = False
    block: tuple[int, ...] | None = None

    def __init__(
        self,
        *,
        scale: Any,
        zero_point: Any = 0,
        axis: int | None = None,
        bits: int = 8,
        signed: bool = True,
        narrow: bool = False,
        block: tuple[int, ...] | None = None,
    ) -> None:
        put = object.__setattr__
        scale_array = _frozen(scale, np.float32)
        zero_array = _frozen(np.broadcast_to(np.asarray(zero_point), scale_array.shape), np.int32)
        put(self, "scale", scale_array)
        put(self, "zero_point", zero_array)
        put(self, "axis", axis)
        put(self, "bits", int(bits))
        put(self, "signed", bool(signed))
        put(self, "narrow", bool(narrow))
        put(self, "block", None if block is None else tuple(map(int, block)))
        self._check()

    def _check(self) -> None:
        if not 1 <= self.bits <= 64:
            raise RangeError(f"bits={self.bits} is outside 1..64")
        if self.block is not None:
            self._check_block(self.block)
        elif self.scale.ndim != (0 if self.axis is None else 1):
            raise RangeError(
                f"scale of shape {self.scale.shape} with axis={self.axis}: one scale takes axis=None, "
                "a vector of scales takes the axis it runs along"
            )
        if not np.all(np.isfinite(self.scale) & (self.scale > 0)):
            worst = float(np.asarray(self.scale).reshape(-1)[np.argmin(np.nan_to_num(self.scale, nan=-np.inf))])
            raise RangeError(f"scale={worst} must be positive and finite")
        if self.is_binary and (np.any(self.zero_point) or self.narrow):
            raise RangeError("one signed bit has the codes -1 and +1: zero_point must be 0 and narrow False")
        if np.any((self.zero_point < self.qmin) | (self.zero_point > self.qmax)):
            raise RangeError(f"zero_point={self.zero_point} is outside the codes [{self.qmin}, {self.qmax}]")

    def _check_block(self, block: tuple[int, ...]) -> None:
        if self.axis is not None or min(block, default=0) < 0:
            raise RangeError(f"block={block} with axis={self.axis}: blocks have sizes of at least 0 and no axis")
        is_whole = any(size == 0 and many != 1 for size, many in zip(block, self.scale.shape, strict=False))
        if self.scale.ndim != len(block) or is_whole:
            raise RangeError(f"scale of shape {self.scale.shape} does not count blocks of {block}")

    @property
    def is_binary(self) -> bool:
        """Whether the codes are -1 and +1."""
        return self.bits == 1 and self.signed

    @property
    def qmin(self) -> int:
        """Lowest code."""
        return (-(1 << (self.bits - 1)) if self.signed else 0) + int(self.narrow)

    @property
    def qmax(self) -> int:
        """Highest code."""
        if self.is_binary:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Smallest NumPy integer that holds every code."""
        signed, unsigned = (np.int8, np.int16, np.int32, np.int64), (np.uint8, np.uint16, np.uint32, np.uint64)
        for candidate in signed if self.signed else unsigned:
            if self.bits <= 8 * np.dtype(candidate).itemsize:
                return np.dtype(candidate)
        raise RangeError(f"bits={self.bits} is outside 1..64")

    @property
    def is_symmetric(self) -> bool:
        """Whether every zero point is 0."""
        return not np.any(self.zero_point)

    def along(self, values: NDArray[Any], ndim: int) -> NDArray[Any]:
        """Shape scale or zero_point so that it broadcasts against a tensor of `ndim` axes.

        Raises
        ------
        RangeError    blocks: how far they reach depends on the shape, see `refq.quantizers.apply`
        """
        if self.block is not None:
            raise RangeError(f"block={self.block}: scales of blocks need the shape of the tensor")
        if self.axis is None:
            return values
        shape = [1] * ndim
        shape[self.axis] = -1
        return values.reshape(shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QParams):
            return NotImplemented
        mine = (self.axis, self.block, self.bits, self.signed, self.narrow)
        theirs = (other.axis, other.block, other.bits, other.signed, other.narrow)
        return (
            mine == theirs
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )

    def __hash__(self) -> int:
        scales = (self.scale.tobytes(), self.zero_point.tobytes(), self.axis, self.block)
        return hash((*scales, self.bits, self.signed, self.narrow))
