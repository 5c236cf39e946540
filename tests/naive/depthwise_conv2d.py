import numpy as np

from tests.naive import Case
from tests.naive.conv2d import pads

OP = "DepthwiseConv2D"
CASES = (
    Case(shapes=((2, 5, 6, 3), (1, 3, 3, 3), (3,)), attrs={"padding": "same"}),
    Case(shapes=((1, 7, 6, 2), (1, 3, 2, 4), None), attrs={"strides": (2, 2), "padding": "same"}),
    Case(shapes=((1, 8, 7, 2), (1, 2, 3, 2), (2,)), attrs={"dilation": (2, 2), "padding": ((1, 0), (0, 2))}),
    Case(shapes=((1, 1, 1, 1), (1, 1, 1, 3), (3,))),
)


def naive(layer, x, w, b):
    n_images, height, width, channels = x.shape
    _, kernel_y, kernel_x, outputs = w.shape
    (top, bottom), (left, right) = pads(layer, (height, width), (kernel_y, kernel_x))
    (sy, sx), (dy, dx) = layer.strides, layer.dilation
    out_y = (height + top + bottom - (kernel_y - 1) * dy - 1) // sy + 1
    out_x = (width + left + right - (kernel_x - 1) * dx - 1) // sx + 1
    y = np.empty((n_images, out_y, out_x, outputs), x.dtype)
    for n, oy, ox, o in np.ndindex(y.shape):
        total = 0 if b is None else b[o]
        for fy, fx in np.ndindex(kernel_y, kernel_x):
            iy, ix = oy * sy + fy * dy - top, ox * sx + fx * dx - left
            if 0 <= iy < height and 0 <= ix < width:
                total += x[n, iy, ix, o // (outputs // channels)] * w[0, fy, fx, o]
        y[n, oy, ox, o] = total
    return y
