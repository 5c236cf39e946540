"""Quantize matrix products and convolutions dynamically: integer weights, activations on a grid found at run time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refq.graph import Graph, Node, TensorSpec
from refq.layers import layer_for
from refq.quantizers.granularity import PerChannel, PerTensor
from refq.quantizers.scheme import Scheme
from refq.quantizers.uniform import Uniform

_GRID = Uniform(bits=8, symmetric=True, narrow=True)


def dynamic_quantize(graph: Graph, *, per_channel: bool = False) -> Graph:
    """Replace every Dense, Conv2D and DepthwiseConv2D with constant weights by explicit integer nodes.

        x_q, s_x, z_x = DynamicQuantizeLinear(x);   y = Cast(sum (x_q - z_x) * w_q) * (s_x * s_w) + b

    Parameters
    ----------
    graph : Graph with real weights
    per_channel : one weight scale an output channel, else one a tensor

    Returns
    -------
    Graph without grids: the explicit nodes compute the same on every path

    Notes
    -----
    The nodes are those of `onnxruntime.quantization.quantize_dynamic` with int8 weights: max|w| / 127, zero point 0.
    That tool gives convolutions one scale a tensor even with per_channel=True (its ConvInteger never asks for channels;
    only MatMul does); one a channel is what the same nodes compute with a vector of scales. A depthwise convolution is
    a convolution in as many groups as it has input channels.
    """
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    nodes: list[Node] = []
    for node in graph.nodes:
        operands = [*node.inputs, "", "", ""]
        values = graph.constants.get(operands[1])
        if node.op not in ("Dense", "Conv2D", "DepthwiseConv2D") or values is None or values.dtype.kind != "f":
            nodes.append(node)
            continue
        is_depthwise = node.op == "DepthwiseConv2D"
        if is_depthwise:
            values = np.ascontiguousarray(values.transpose(3, 1, 2, 0))
        granularity = PerChannel(0) if per_channel else PerTensor()
        grid, codes = Scheme(grid=_GRID, granularity=granularity).quantize(values)
        x, bias, y = operands[0], operands[2], graph.tensors[node.output]

        def put(part: str, shape: tuple[int, ...], dtype: str, node: Node = node) -> str:
            label = f"{node.name}/{part}"
            tensors[label] = TensorSpec(name=label, shape=shape, dtype=dtype)
            return label

        def hold(part: str, array: np.ndarray, node: Node = node) -> str:
            label = f"{node.name}/{part}"
            constants[label] = array
            tensors[label] = TensorSpec(name=label, shape=array.shape, dtype=array.dtype.name)
            return label

        q, s, z = (
            put("x", graph.tensors[x].shape, "uint8"),
            put("x_scale", (), "float32"),
            put("x_zero_point", (), "uint8"),
        )
        nodes.append(Node(op="DynamicQuantizeLinear", name=f"{node.name}/quantize", inputs=(x,), outputs=(q, s, z)))
        is_dense = node.op == "Dense"
        weight = hold("w", np.ascontiguousarray(codes.T) if is_dense else codes)
        layer = layer_for(node)
        attrs = {} if is_dense else {key: getattr(layer, key) for key in ("strides", "padding", "dilation")}
        if not is_dense:
            attrs["groups"] = graph.tensors[x].shape[-1] if is_depthwise else layer.groups
        acc, real = put("sum", y.shape, "int32"), put("real", y.shape, "float32")
        op = "MatMulInteger" if is_dense else "ConvInteger"
        nodes.append(Node(op=op, name=f"{node.name}/product", inputs=(q, weight, z), outputs=(acc,), attrs=attrs))
        cast = Node(op="Cast", name=f"{node.name}/cast", inputs=(acc,), outputs=(real,), attrs={"to": "float32"})
        nodes.append(cast)
        scale = put("scale", grid.scale.shape, "float32")
        factors = (s, hold("w_scale", grid.scale))
        nodes.append(Node(op="Multiply", name=f"{node.name}/scale", inputs=factors, outputs=(scale,)))
        scaled = put("scaled", y.shape, "float32") if bias else y.name
        nodes.append(Node(op="Multiply", name=f"{node.name}/rescale", inputs=(real, scale), outputs=(scaled,)))
        if bias:
            sums = (scaled, bias)
            nodes.append(Node(op="Add", name=f"{node.name}/bias", inputs=sums, outputs=(y.name,)))
        nodes[-1] = replace(nodes[-1], clamp=node.clamp)
    return graph.with_nodes(nodes, tensors=tensors, constants=constants)
