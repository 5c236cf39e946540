"""Sliding windows: padding, output sizes, and the views that convolution and pooling share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError

Pair = tuple[int, int]
Padding = Literal["valid", "same"] | tuple[Pair, Pair]


@dataclass(frozen=True, slots=True)
class Window:
    """A resolved window: every size is a number.

    kernel, strides, dilation, out : (height, width); pads : ((top, bottom), (left, right))
    """

    kernel: Pair
    strides: Pair
    dilation: Pair
    pads: tuple[Pair, Pair]
    out: Pair

    def places(self) -> list[Pair]:
        """Row and column of every kernel place, fy by fy, counted from the first input of the window."""
        return [(fy * self.dilation[0], fx * self.dilation[1]) for fy, fx in np.ndindex(*self.kernel)]


def resolve(subject: str, size: Pair, kernel: Pair, strides: Pair, dilation: Pair, padding: Padding) -> Window:
    """Work out pads and output size.

        valid:  out = (in - reach) // stride + 1,   reach = (kernel - 1) * dilation + 1
        same:   out = ceil(in / stride),  total pad = max((out - 1) * stride + reach - in, 0),  top = total // 2

    Raises
    ------
    RangeError    a kernel, stride or dilation below 1, a negative pad, an unknown padding
    ShapeError    the window does not fit the padded input
    """
    if min(*kernel, *strides, *dilation) < 1:
        raise RangeError(f"{subject}: kernel={kernel}, strides={strides}, dilation={dilation} must all be at least 1")
    if isinstance(padding, str) and padding not in ("valid", "same"):
        raise RangeError(f"{subject}: padding={padding!r} is not 'valid', 'same' or ((top, bottom), (left, right))")
    pads: list[Pair] = []
    out: list[int] = []
    for axis in (0, 1):
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        if padding == "same":
            steps = -(-size[axis] // strides[axis])
            total = max((steps - 1) * strides[axis] + reach - size[axis], 0)
            pad = (total // 2, total - total // 2)
        else:
            pad = (0, 0) if padding == "valid" else (int(padding[axis][0]), int(padding[axis][1]))
            if min(pad) < 0:
                raise RangeError(f"{subject}: padding={padding} must not be negative; crop instead")
            steps = (size[axis] + sum(pad) - reach) // strides[axis] + 1
        if steps < 1:
            raise ShapeError(
                f"{subject}: window of {reach} does not fit the input of {size[axis]} "
                f"padded by {pad} along axis {axis + 1}"
            )
        pads.append(pad)
        out.append(steps)
    return Window(kernel, strides, dilation, (pads[0], pads[1]), (out[0], out[1]))


def pad_image(x: NDArray[Any], window: Window, fill: Any = 0) -> NDArray[Any]:
    """Pad an NHWC batch by the window's pads."""
    if not any(map(any, window.pads)):
        return x
    (top, bottom), (left, right) = window.pads
    n, height, width, channels = x.shape
    padded = np.full((n, height + top + bottom, width + left + right, channels), fill, x.dtype)
    padded[:, top : top + height, left : left + width] = x
    return padded


def patches(padded: NDArray[Any], window: Window) -> NDArray[Any]:
    """View (N, OY, OX, FY, FX, C) of a padded NHWC batch; no copy is made, the result is read-only."""
    n, _, _, channels = padded.shape
    step_n, step_y, step_x, step_c = padded.strides
    return as_strided(
        padded,
        (n, *window.out, *window.kernel, channels),
        (
            step_n,
            step_y * window.strides[0],
            step_x * window.strides[1],
            step_y * window.dilation[0],
            step_x * window.dilation[1],
            step_c,
        ),
        writeable=False,
    )


def tap(padded: NDArray[Any], window: Window, fy: int, fx: int) -> NDArray[Any]:
    """View (N, OY, OX, C) of the inputs that kernel position (fy, fx) meets; writing to it writes to `padded`."""
    top, left = fy * window.dilation[0], fx * window.dilation[1]
    return padded[
        :,
        top : top + (window.out[0] - 1) * window.strides[0] + 1 : window.strides[0],
        left : left + (window.out[1] - 1) * window.strides[1] + 1 : window.strides[1],
    ]


def crop_image(padded: NDArray[Any], window: Window) -> NDArray[Any]:
    """Undo `pad_image`: the view of a padded NHWC batch without its pads."""
    (top, bottom), (left, right) = window.pads
    return padded[:, top : padded.shape[1] - bottom, left : padded.shape[2] - right]
