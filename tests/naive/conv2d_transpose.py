import numpy as np

from tests.naive import Case

OP = "Conv2DTranspose"
CASES = (
    Case(shapes=((2, 3, 4, 2), (3, 3, 3, 2), (3,)), attrs={"strides": (2, 2), "padding": "same"}),
    Case(shapes=((1, 3, 2, 2), (2, 2, 4, 2), None), attrs={"strides": (3, 2)}),
    Case(
        shapes=((1, 3, 3, 1), (2, 3, 3, 1), (2,)),
        attrs={"strides": (2, 2), "padding": "same", "output_padding": (1, 0)},
    ),
    Case(shapes=((1, 4, 3, 2), (1, 2, 3, 2), (1,)), attrs={"dilation": (2, 1), "padding": ((1, 0), (0, 2))}),
    Case(
        shapes=((1, 2, 3, 2), (2, 2, 1, 2), (2,)),
        attrs={"strides": (2, 3), "padding": "valid", "output_padding": (1, 2)},
    ),
    Case(
        shapes=((1, 2, 2, 1), (1, 3, 4, 1), None),
        attrs={"strides": (3, 1), "padding": ((1, 1), (0, 1)), "output_padding": (2, 0)},
    ),
)


def extent(layer, axis, size, kernel):
    """(places cut at the front, output size) of one axis, as Keras and TFLite define them."""
    stride, reach = layer.strides[axis], (kernel - 1) * layer.dilation[axis] + 1
    reached = (size - 1) * stride + reach
    if isinstance(layer.padding, tuple):
        before, after = layer.padding[axis]
        return before, reached - before - after + (layer.output_padding or (0, 0))[axis]
    if layer.padding == "valid":
        return 0, (reached + layer.output_padding[axis]) if layer.output_padding else max(reached, size * stride)
    out = reached - 2 * (reach // 2) + layer.output_padding[axis] if layer.output_padding else size * stride
    return max((reached - out) // 2, 0), out


def naive(layer, x, w, b):
    (sy, sx), (dy, dx) = layer.strides, layer.dilation
    top, height = extent(layer, 0, x.shape[1], w.shape[1])
    left, width = extent(layer, 1, x.shape[2], w.shape[2])
    y = np.empty((len(x), height, width, len(w)), x.dtype)
    for n, oy, ox, o in np.ndindex(y.shape):
        total = 0 if b is None else b[o]
        for iy, ix, fy, fx, i in np.ndindex(x.shape[1], x.shape[2], w.shape[1], w.shape[2], w.shape[3]):
            if iy * sy + fy * dy - top == oy and ix * sx + fx * dx - left == ox:
                total += x[n, iy, ix, i] * w[o, fy, fx, i]
        y[n, oy, ox, o] = total
    return y
