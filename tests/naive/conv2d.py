import numpy as np

from tests.naive import Case

OP = "Conv2D"
CASES = (
    Case(shapes=((2, 5, 6, 3), (4, 3, 3, 3), (4,)), attrs={"padding": "same"}),
    Case(shapes=((1, 7, 5, 2), (3, 3, 2, 2), None), attrs={"strides": (2, 3), "padding": "same"}),
    Case(shapes=((1, 6, 7, 4), (6, 2, 3, 2), (6,)), attrs={"groups": 2, "strides": (1, 2)}),
    Case(shapes=((1, 8, 8, 2), (2, 3, 3, 2), (2,)), attrs={"dilation": (2, 3), "padding": "same"}),
    Case(shapes=((1, 4, 4, 3), (3, 2, 2, 1), (3,)), attrs={"groups": 3, "padding": ((1, 0), (0, 2))}),
    Case(shapes=((1, 1, 1, 1), (1, 1, 1, 1), (1,))),
)


def pads(layer, size, kernel):
    """(before, after) of each axis, from the definition of 'same'."""
    if layer.padding == "valid":
        return ((0, 0), (0, 0))
    if layer.padding != "same":
        return layer.padding
    found = []
    for n, k, s, d in zip(size, kernel, layer.strides, layer.dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        found.append((total // 2, total - total // 2))
    return tuple(found)


def naive(layer, x, w, b):
    n_images, height, width, _ = x.shape
    outputs, kernel_y, kernel_x, channels = w.shape
    (top, bottom), (left, right) = pads(layer, (height, width), (kernel_y, kernel_x))
    (sy, sx), (dy, dx) = layer.strides, layer.dilation
    out_y = (height + top + bottom - (kernel_y - 1) * dy - 1) // sy + 1
    out_x = (width + left + right - (kernel_x - 1) * dx - 1) // sx + 1
    y = np.empty((n_images, out_y, out_x, outputs), x.dtype)
    for n, oy, ox, o in np.ndindex(y.shape):
        total = 0 if b is None else b[o]
        first = o // (outputs // layer.groups) * channels
        for fy, fx, c in np.ndindex(kernel_y, kernel_x, channels):
            iy, ix = oy * sy + fy * dy - top, ox * sx + fx * dx - left
            if 0 <= iy < height and 0 <= ix < width:
                total += x[n, iy, ix, first + c] * w[o, fy, fx, c]
        y[n, oy, ox, o] = total
    return y
