import numpy as np

from tests.naive import Case

OP = "Slice"
CASES = (
    Case(shapes=((2, 5, 4),), attrs={"begin": (None, 1, 0), "end": (None, -1, None)}),
    Case(
        shapes=((2, 5, 4),),
        attrs={"begin": (None, 4, 2), "end": (None, 0, 3), "strides": (1, -2, 1), "squeeze": (2,)},
    ),
)


def naive(layer, x):
    strides = layer.strides or (1,) * x.ndim
    picked = [list(range(n))[b:e:s] for n, b, e, s in zip(x.shape, layer.begin, layer.end, strides, strict=True)]
    y = np.empty([len(p) for p in picked], x.dtype)
    for place in np.ndindex(y.shape):
        y[place] = x[tuple(p[i] for p, i in zip(picked, place, strict=True))]
    return y.reshape([n for axis, n in enumerate(y.shape) if axis not in layer.squeeze])
