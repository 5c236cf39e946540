"""Float32 convolutions and their gradients, laid out for `refq.kernels.float_convolution`.

The gradient of the input is a convolution too: inputs that lie a stride apart see the same part of the kernel, so that
each of the sy * sx phases of dx is a convolution of dy, of stride 1, with every sy-th and sx-th weight, reversed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pair = tuple[int, int]

_NARROW = 4
"""Below so many outputs a row, blocks are too small to be faster than a matrix product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatConvolution:
    """A convolution that the kernels compute.

    strides, out : (height, width); before : zeros above and to the left of an image; size : of the padded image
    """

    strides: Pair
    before: Pair
    size: Pair
    out: Pair

    def product(self, x: Floats, w: Floats) -> Floats:
        """y (N, OY, OX, O) from x (N, H, W, C) and w (O, FY, FX, C)."""
        y = np.empty((len(x), *self.out, len(w)), np.float32)
        _convolve(x, w.transpose(1, 2, 3, 0), self.strides, self.before, self.size, y)
        return y

    def weight_grad(self, dy: Floats, x: Floats, w: Floats) -> Floats:
        """dw, the shape of w."""
        from refq.kernels.float_convolution import add_weight_gradient

        outputs, rows, columns, channels = w.shape
        share = _share(outputs)
        whole = -(-outputs // share) * share
        slopes = np.ascontiguousarray(dy)
        if whole != outputs:
            slopes = np.zeros((*dy.shape[:3], whole), np.float32)
            slopes[..., :outputs] = dy
        dw = np.zeros((rows, columns * channels, whole), np.float32)
        padded = np.zeros((*self.size, channels), np.float32)
        add_weight_gradient(slopes, x, padded, (*self.strides, *self.before), share, dw)
        return np.ascontiguousarray(dw[..., :outputs].reshape(rows, columns, channels, outputs).transpose(3, 0, 1, 2))

    def input_grad(self, dy: Floats, x: Floats, w: Floats) -> Floats:
        """dx, the shape of x."""
        dx = np.empty(x.shape, np.float32)
        for phase in np.ndindex(*self.strides):
            places = [_taps(*numbers) for numbers in zip(phase, self.before, self.strides, w.shape[1:3], strict=True)]
            (first_y, pad_y), (first_x, pad_x) = places
            part = dx[:, phase[0] :: self.strides[0], phase[1] :: self.strides[1]]
            taps = w[:, first_y :: self.strides[0], first_x :: self.strides[1]][:, ::-1, ::-1]
            if not taps.size or not part.size:
                part[...] = 0
                continue
            size = (part.shape[1] + taps.shape[1] - 1, part.shape[2] + taps.shape[2] - 1)
            seen = dy[:, max(-pad_y, 0) :, max(-pad_x, 0) :]
            _convolve(seen, taps.transpose(1, 2, 0, 3), (1, 1), (max(pad_y, 0), max(pad_x, 0)), size, part)
        return dx


def float_convolution(x: NDArray[Any], w: NDArray[Any], **geometry: Any) -> FloatConvolution | None:
    """The kernels' convolution of these arrays, None where NumPy computes it.

    Parameters
    ----------
    x, w : real arrays (N, H, W, C) and (O, FY, FX, C)
    geometry : fields of `FloatConvolution`

    Notes
    -----
    Whether the kernels take a convolution does not depend on N, nor does the result for an image.
    """
    from refq.kernels.cpu import features, has_instructions, route

    are_floats = x.dtype == np.float32 and w.dtype == np.float32
    if not are_floats or geometry["out"][1] < _NARROW or not has_instructions():
        return None
    if route() in ("numpy", "generic") or "fma" not in features():
        return None
    return FloatConvolution(**geometry)


def _taps(phase: int, before: int, stride: int, kernel: int) -> Pair:
    """The first of the weights that inputs of a phase see, and how many zeros stand before dy (or outputs are cut)."""
    first = (phase + before) % stride
    return first, len(range(first, kernel, stride)) - 1 - (phase + before) // stride


def _share(outputs: int) -> int:
    """Outputs of a panel: two vectors, unless that leaves one more of them empty."""
    from refq.kernels.float_convolution import LANES

    return LANES if -(-outputs // LANES) % 2 else 2 * LANES


def _convolve(x: Floats, w: NDArray[Any], strides: Pair, before: Pair, size: Pair, y: Floats) -> None:
    """y = the convolution of x (N, H, W, C), padded to `size`, with w (FY, FX, C, O)."""
    from refq.kernels.float_convolution import ROWS, convolve

    rows, columns, channels, outputs = w.shape
    share = _share(outputs)
    wide = np.zeros((rows, columns * channels, -(-outputs // share) * share), np.float32)
    wide[..., :outputs] = w.reshape(rows, columns * channels, outputs)
    packed = np.ascontiguousarray(wide.reshape(rows, columns * channels, -1, share).transpose(2, 0, 1, 3))
    padded, tile = np.zeros((*size, channels), np.float32), np.empty((ROWS, share), np.float32)
    convolve(x, padded, packed, (*strides, *before), tile, y)
