"""Quantized graphs of one layer or few, for tests of refq.verify."""

import numpy as np

import refq
from refq.graph import Graph, Node, QParams, TensorSpec
from tests.unit.small_graphs import residual


def quantized_residual(recipe="int8"):
    graph = residual(0)
    x = np.random.default_rng(1).uniform(-1, 1, (2, *graph.tensors["x"].shape[1:])).astype(np.float32)
    return refq.quantize(graph, x, recipe), x


def one_node(op, inputs, outputs, attrs=None, clamp=None, name="layer") -> Graph:
    """inputs, outputs: name -> (array or shape, grid); an array makes a constant."""
    tensors, constants = {}, {}
    for key, (held, grid) in {**inputs, **outputs}.items():
        is_constant = isinstance(held, np.ndarray)
        shape = held.shape if is_constant else held
        dtype = str(held.dtype) if is_constant else "float32"
        tensors[key] = TensorSpec(name=key, shape=shape, dtype=dtype, qparams=grid)
        if is_constant:
            constants[key] = held
    node = Node(op=op, name=name, inputs=tuple(inputs), outputs=tuple(outputs), attrs=attrs or {}, clamp=clamp)
    free = tuple(key for key in inputs if key not in constants)
    return Graph(name=name, nodes=(node,), tensors=tensors, constants=constants, inputs=free, outputs=tuple(outputs))


def convolution(seed=0, *, batch=1, unsigned=False, w_zero=0, bits=8, kernel=3, channels=3, outputs=5, size=4) -> Graph:
    """A convolution with random codes; unsigned: of x, w and y, w with zero point `w_zero`."""
    generator = np.random.default_rng(seed)
    low, high = (0, 256) if unsigned else (-127, 128)
    w = generator.integers(low, high, (outputs, kernel, kernel, channels)).astype(np.uint8 if unsigned else np.int8)
    b = generator.integers(-3000, 3000, outputs).astype(np.int32 if bits <= 8 else np.int64)
    x_zero, y_zero = (0, 0) if bits > 8 else (120, 130) if unsigned else (-5, 7)
    x_grid = QParams(scale=0.05, zero_point=x_zero, bits=bits, signed=not unsigned)
    w_grid = (
        QParams(scale=0.01, zero_point=w_zero, signed=not unsigned)
        if unsigned
        else QParams(scale=np.float32(0.01) * np.arange(1, outputs + 1, dtype=np.float32), axis=0)
    )
    return one_node(
        "Conv2D",
        {
            "x": ((batch, size, size, channels), x_grid),
            "w": (w, w_grid),
            "b": (b, QParams(scale=0.05 * w_grid.scale, axis=w_grid.axis, bits=32 if bits <= 8 else 64)),
        },
        {"y": ((batch, size, size, outputs), QParams(scale=0.3, zero_point=y_zero, bits=bits, signed=not unsigned))},
        {"padding": "same"},
    )
