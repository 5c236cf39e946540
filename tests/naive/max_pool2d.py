import numpy as np

from tests.naive import Case
from tests.naive.conv2d import pads
from tests.naive.fixed_point import double

OP = "MaxPool2D"
CASES = (
    Case(shapes=((2, 5, 6, 3),)),
    Case(shapes=((1, 7, 6, 2),), attrs={"pool": (3, 2), "strides": (2, 1), "padding": "same"}),
    Case(shapes=((1, 4, 4, 1),), attrs={"pool": (2, 2), "strides": (1, 1), "padding": ((1, 0), (0, 1))}),
)


def windows(layer, x):
    """(output place, elements of x under the window) for every output."""
    n_images, height, width, channels = x.shape
    shim = type("Shim", (), {"padding": layer.padding, "strides": layer.strides, "dilation": (1, 1)})
    (top, bottom), (left, right) = pads(shim, (height, width), layer.pool)
    out_y = (height + top + bottom - layer.pool[0]) // layer.strides[0] + 1
    out_x = (width + left + right - layer.pool[1]) // layer.strides[1] + 1
    for n, oy, ox, c in np.ndindex(n_images, out_y, out_x, channels):
        seen = []
        for fy, fx in np.ndindex(*layer.pool):
            iy, ix = oy * layer.strides[0] + fy - top, ox * layer.strides[1] + fx - left
            if 0 <= iy < height and 0 <= ix < width:
                seen.append(x[n, iy, ix, c])
        yield (n, oy, ox, c), seen


def pooled(layer, x, function):
    found = list(windows(layer, x))
    y = np.empty([last + 1 for last in found[-1][0]], x.dtype)
    for place, seen in found:
        y[place] = function(seen)
    return y


def on_output_grid(code, grid, out):
    """A code of one grid on another: unchanged where they are equal."""
    if grid == out:
        return code
    return double(code - int(grid.zero_point), float(grid.scale) / float(out.scale)) + int(out.zero_point)


def naive(layer, x):
    return pooled(layer, x, max)


def naive_integer(layer, codes, grids, out):
    return pooled(layer, codes[0], lambda seen: on_output_grid(max(seen), grids[0], out))
