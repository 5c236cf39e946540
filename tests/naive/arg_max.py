from tests.naive import Case
from tests.naive.elementwise import along

OP = "ArgMax"
CASES = (
    Case(shapes=((2, 3, 4),), attrs={"axis": 1}),
    Case(shapes=((2, 5),), attrs={"output_type": "int32"}),
    Case(shapes=((1, 2, 3),), attrs={"axis": -3, "keepdims": True}),
)


def naive(layer, x):
    y = along(x, layer.axis, lambda seen: [seen.index(max(seen))]).astype(layer.output_type)
    return y if layer.keepdims else y.reshape(layer.infer_shape(x.shape))


def naive_integer(layer, codes, grids, out):
    return naive(layer, codes[0])
