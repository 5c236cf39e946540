"""Graphs of binary networks: what inner layers read instead of the output of a ReLU.

Each form takes the ReLUs in front of inner multiply-accumulate layers out, all but the first and the last of which it
changes. Signs are `Binarize` nodes, scales are nodes that exist on every path: the integer path computes those of an
image from its codes, as the float path does from reals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refq.errors import GraphError, RangeError
from refq.graph import Graph, Node
from refq.layers import MacLayer, layer_class, layer_for
from refq.transforms.expansion import Expansion

Form = Callable[[Graph], Graph]


def binarize(graph: Graph) -> Graph:
    """Signs in place of ReLU: `Binarize`, before any pooling.

    Raises
    ------
    GraphError    there is no ReLU in front of an inner layer
    """
    return _in_place_of_relu(graph, "Binarize")


def without_relu(graph: Graph) -> Graph:
    """`Identity` in place of ReLU, for quantizers of activations of both signs.

    Raises
    ------
    GraphError    there is no ReLU in front of an inner layer
    """
    return _in_place_of_relu(graph, "Identity")


def scaled_signs(graph: Graph) -> Graph:
    """XNOR-Net's inputs: signs, and a map of scales that the sums are multiplied by.

        y = (sign(x) conv w) * K,   K = A * k,  A = mean over channels of |x|,  k = 1 / (FY FX) everywhere

    Raises
    ------
    GraphError    no ReLU in front of an inner layer, or an inner layer `map_of_scales` does not know

    Notes
    -----
    Rastegari et al. 2016, section 3.2, eq. (11): K is that of the image at hand, padding counts as 0. The paper finds
    the scales of weights to matter much more.
    """

    def build(part: Expansion) -> None:
        sums = part.again("sums", part.add("Binarize", "signs", part.node.inputs[0]))
        part.add("Multiply", "scaled", sums, map_of_scales(part))

    return _expanded(graph, build)


def residual_signs(order: int = 2) -> Form:
    """HORQ's inputs: a sign, and the sign of what it leaves over, each with a scale.

        y = sum_i beta_i (H_i conv w);   R_1 = x,  H_i = sign(R_i),  beta_i = mean |R_i|,  R_i+1 = R_i - beta_i H_i

    Parameters
    ----------
    order : int in 1..8

    Raises
    ------
    RangeError    an order outside 1..8
    GraphError    no ReLU in front of an inner layer

    Notes
    -----
    Li et al. 2017, eq. (9)-(14), order 2 in the paper. There every patch has its own betas. Here every image has: what
    a patch leaves over is then the same for all patches it lies in, and a plane is one binary convolution.
    """
    if not 1 <= order <= 8:
        raise RangeError(f"order={order} is outside 1..8")

    def build(part: Expansion) -> None:
        rest, terms = part.node.inputs[0], list[str]()
        axes = tuple(range(1, len(part.shape(rest))))
        for i in range(1, order + 1):
            signs = part.add("Binarize", f"signs{i}", rest)
            beta = part.add("Mean", f"beta{i}", part.add("Abs", f"size{i}", rest), axes=axes, keepdims=True)
            terms.append(part.add("Multiply", f"term{i}", part.again(f"sums{i}", signs), beta))
            if i < order:
                rest = part.add("Subtract", f"rest{i}", rest, part.add("Multiply", f"part{i}", signs, beta))
        _total(part, terms)

    return lambda graph: _expanded(graph, build)


def shifted_signs(bases: int = 3) -> Form:
    """ABC-Net's inputs: signs at several thresholds; thresholds and scales are constants that training may change.

        y = sum_n beta_n (A_n conv w),   A_n = sign(x + v_n - 1/2)

    Parameters
    ----------
    bases : int in 1..8      thresholds 1/2 - v_n start equally spaced in (0, 1), the scales at 1 / bases

    Raises
    ------
    RangeError    bases outside 1..8
    GraphError    no ReLU in front of an inner layer

    Notes
    -----
    Lin, Zhao & Pan 2017, eq. (7)-(9): A_n = 2 [clip(x + v_n, 0, 1) >= 1/2] - 1, whose straight-through gradient passes
    where 0 <= x + v_n <= 1 (`estimators.within(0.5)`). The constants are called layer/shift1 ... and layer/scale1 ...;
    shifts hold v_n - 1/2.
    """
    if not 1 <= bases <= 8:
        raise RangeError(f"bases={bases} is outside 1..8")

    def build(part: Expansion) -> None:
        terms: list[str] = []
        for n in range(1, bases + 1):
            shifted = part.add("Add", f"shifted{n}", part.node.inputs[0], part.constant(f"shift{n}", -n / (bases + 1)))
            sums = part.again(f"sums{n}", part.add("Binarize", f"signs{n}", shifted))
            terms.append(part.add("Multiply", f"term{n}", sums, part.constant(f"scale{n}", 1 / bases)))
        _total(part, terms)

    return lambda graph: _expanded(graph, build)


def map_of_scales(part: Expansion) -> str:
    """K of the replaced layer: the mean of |x| over the patch of every sum.

    Raises
    ------
    GraphError    a layer that is neither dense nor a convolution without groups and dilation
    """
    node = part.node
    size = part.add("Abs", "size", node.inputs[0])
    mean = part.add("Mean", "mean", size, axes=(-1,), keepdims=True)
    if node.op == "Dense":
        return mean
    layer: Any = layer_for(node)
    if node.op != "Conv2D" or layer.groups != 1 or layer.dilation != (1, 1):
        raise GraphError(
            f"{node.op} {node.name!r} has no map of scales: dense layers have one, and convolutions without groups and "
            "dilation"
        )
    kernel = part.shape(node.inputs[1])[1:3]
    pads = layer.window(part.shape(node.inputs[0]), part.shape(node.inputs[1])).pads
    padded = part.add("Pad", "padded", mean, paddings=((0, 0), *pads, (0, 0)))
    return part.add("AveragePool2D", "map", padded, pool=kernel, strides=layer.strides)


def _total(part: Expansion, terms: list[str]) -> None:
    total = terms[0]
    for i, term in enumerate(terms[1:], 2):
        total = part.add("Add", f"total{i}", total, term)


def _expanded(graph: Graph, build: Callable[[Expansion], None]) -> Graph:
    """The graph without ReLU in front of inner layers, each of which `build` expands."""
    linear = without_relu(graph)
    wanted = {node.name for node in weighted_layers(graph)[1:-1] if is_behind_relu(graph, node)}
    nodes: list[Node] = []
    tensors, constants = dict(linear.tensors), dict(linear.constants)
    for node in linear.nodes:
        if node.name not in wanted:
            nodes.append(node)
            continue
        if len(node.inputs) > 2 and node.inputs[2]:
            raise GraphError(
                f"{node.op} {node.name!r} adds a bias, which would be scaled as its sums of signs are; leave the bias "
                "to the normalization behind it"
            )
        part = Expansion(linear, node)
        build(part)
        nodes += part.settled()
        tensors |= part.tensors
        constants |= part.constants
    return linear.with_nodes(nodes, tensors=tensors, constants=constants)


def weighted_layers(graph: Graph) -> list[Node]:
    """The multiply-accumulate layers with constant weights."""
    return [node for node in graph.nodes if _has_weights(graph, node)]


def source(graph: Graph, name: str) -> str:
    """Where the elements of a tensor were computed, before they were only moved or pooled."""
    node = graph.producer(name)
    while node is not None and layer_class(node.op).output_grid == "same" and node.clamp is None:
        name = node.inputs[0]
        node = graph.producer(name)
    return name


def is_behind_relu(graph: Graph, node: Node) -> bool:
    """Whether the first input of a layer was computed by a ReLU."""
    producer = graph.producer(source(graph, node.inputs[0]))
    return producer is not None and producer.op == "Relu"


def _has_weights(graph: Graph, node: Node) -> bool:
    cls = layer_class(node.op)
    return issubclass(cls, MacLayer) and "w" in cls.parameters and node.inputs[1] in graph.constants


def _in_place_of_relu(graph: Graph, op: str) -> Graph:
    wanted = {source(graph, node.inputs[0]) for node in weighted_layers(graph)[1:-1]}
    names = {node.name for node in graph.nodes if node.op == "Relu" and node.output in wanted}
    if not names:
        raise GraphError(f"{graph.name!r} has no ReLU in front of an inner layer that could become a sign")
    nodes = [
        Node(op=op, name=node.name, inputs=node.inputs, outputs=node.outputs) if node.name in names else node
        for node in graph.nodes
    ]
    return graph.with_nodes(nodes)
