"""Small graphs built by hand, for tests that need no model file."""

import numpy as np

from refq.graph import Graph, Node, TensorSpec


def assemble(nodes, shapes, constants, inputs=("x",), outputs=("y",), name="small") -> Graph:
    """A graph from nodes, the shapes of its activations and its constants."""
    specs = {k: TensorSpec(name=k, shape=tuple(s)) for k, s in shapes.items()}
    specs |= {k: TensorSpec(name=k, shape=v.shape, dtype=str(v.dtype)) for k, v in constants.items()}
    return Graph(
        name=name, nodes=tuple(nodes), tensors=specs, constants=constants, inputs=tuple(inputs), outputs=tuple(outputs)
    )


def residual(seed: int = 0, relu: bool = True) -> Graph:
    """conv - batchnorm - relu - conv, added to the first activation, flattened into a dense layer."""
    rng = np.random.default_rng(seed)

    def array(*shape, low=-0.5, high=0.5):
        return rng.uniform(low, high, shape).astype(np.float32)

    constants = {
        "conv/kernel": array(4, 3, 3, 3),
        "conv/bias": array(4),
        "bn/gamma": array(4, low=0.5, high=1.5),
        "bn/beta": array(4),
        "bn/mean": array(4),
        "bn/variance": array(4, low=0.5, high=2.0),
        "conv_1/kernel": array(4, 3, 3, 4),
        "dense/kernel": array(5, 144),
        "dense/bias": array(5),
    }
    same = {"padding": "same"}
    nodes = [
        Node(op="Conv2D", name="conv", inputs=("x", "conv/kernel", "conv/bias"), outputs=("conv",), attrs=same),
        Node(
            op="BatchNormalization",
            name="bn",
            inputs=("conv", "bn/gamma", "bn/beta", "bn/mean", "bn/variance"),
            outputs=("bn",),
        ),
        Node(op="Relu" if relu else "Sigmoid", name="act", inputs=("bn",), outputs=("act",)),
        Node(op="Conv2D", name="conv_1", inputs=("act", "conv_1/kernel", ""), outputs=("conv_1",), attrs=same),
        Node(op="Add", name="add", inputs=("act", "conv_1"), outputs=("add",)),
        Node(op="Reshape", name="flat", inputs=("add",), outputs=("flat",), attrs={"shape": (0, -1)}),
        Node(op="Dense", name="dense", inputs=("flat", "dense/kernel", "dense/bias"), outputs=("y",)),
    ]
    image = (1, 6, 6, 4)
    shapes = {"x": (1, 6, 6, 3), "flat": (1, 144), "y": (1, 5)}
    shapes |= dict.fromkeys(("conv", "bn", "act", "conv_1", "add"), image)
    return assemble(nodes, shapes, constants)


def images(count: int, seed: int = 1) -> np.ndarray:
    """Inputs for `residual`."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 6, 6, 3)).astype(np.float32)
