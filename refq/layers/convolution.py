"""A convolution and its gradients: patches times weights in NumPy, or the kernels of `refq.kernels`.

x (N, H, W, C), w (O, FY, FX, C), dy (N, OY, OX, O), one group; NumPy's products are the specification.
"""

from math import prod

import numpy as np

from refq.layers.base import Array
from refq.layers.windows import Window, crop_image, pad_image, patches, tap
from refq.numerics.float_convolution import FloatConvolution, float_convolution

_PATCH_BYTES = 4 << 20
"""Patches are copied for as many images at a time as fit this: caches hold them, and memory is that of one portion."""


def product(x: Array, w: Array, window: Window) -> Array:
    """Sums of products: one matrix product with the patches of as many images as fit."""
    compiled = _compiled(x, w, window)
    if compiled is not None:
        return compiled.product(x, w)
    y, columns = np.empty((len(x), *window.out, len(w)), np.result_type(x, w)), w.reshape(len(w), -1).T
    for images in _portions(x, window):
        rows = patches(pad_image(x[images], window), window).reshape(-1, len(columns))
        y[images] = (rows @ columns).reshape(y[images].shape)
    return y


def weight_grad(dy: Array, x: Array, w: Array, window: Window) -> Array:
    """dw: one product with the patches."""
    compiled = _compiled(x, w, window)
    if compiled is not None:
        return compiled.weight_grad(dy, x, w)
    dw = np.zeros((len(w), w[0].size), w.dtype)
    for images in _portions(x, window):
        rows = patches(pad_image(x[images], window), window).reshape(-1, w[0].size)
        dw += dy[images].reshape(-1, len(w)).T @ rows
    return dw.reshape(w.shape)


def input_grad(dy: Array, x: Array, w: Array, window: Window) -> Array:
    """dx: one product a kernel place, added where it lies."""
    compiled = _compiled(x, w, window)
    if compiled is not None:
        return compiled.input_grad(dy, x, w)
    padded = np.zeros_like(pad_image(x, window))
    for fy, fx in np.ndindex(*window.kernel):
        tap(padded, window, fy, fx)[...] += dy @ w[:, fy, fx]
    return crop_image(padded, window)


def _portions(x: Array, window: Window) -> list[slice]:
    image_bytes = prod(window.out) * prod(window.kernel) * x.shape[3] * x.itemsize
    step = max(1, _PATCH_BYTES // max(image_bytes, 1))
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _compiled(x: Array, w: Array, window: Window) -> FloatConvolution | None:
    """The kernels' convolution, where they have it."""
    if window.dilation != (1, 1):
        return None
    pads_y, pads_x = window.pads
    size = (x.shape[1] + sum(pads_y), x.shape[2] + sum(pads_x))
    return float_convolution(x, w, strides=window.strides, before=(pads_y[0], pads_x[0]), size=size, out=window.out)
