"""The same products by other tools, one thread unless told: name -> function, or nothing where a tool is absent."""

from importlib.util import find_spec

import numpy as np


def onnx_session(node, initializers, input_type, m, k, threads=1):
    """An onnxruntime session of one node with constant weights."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("a", input_type, [m, k])],
        [helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)],
        [numpy_helper.from_array(value, name) for name, value in initializers.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    model.graph.output[0].type.Clear()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def bound(session, a):
    """A call of the session that allocates nothing of its own for the input."""
    return lambda: session.run(None, {"a": a})[0]


def onnxruntime_u8s8(a, b, threads=1):
    """MatMulInteger, weights constant."""
    from onnx import TensorProto, helper

    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    return bound(onnx_session(node, {"b": b}, TensorProto.UINT8, *a.shape, threads), a)


def onnxruntime_int4(a, codes, scales, group):
    """MatMulNBits with 8-bit activations inside (accuracy level 4)."""
    from onnx import TensorProto, helper

    k, n = codes.shape
    nibbles = (codes.T + 8).astype(np.uint8).reshape(n, k // group, group // 2, 2)
    packed = nibbles[..., 0] | nibbles[..., 1] << 4
    node = helper.make_node(
        "MatMulNBits", ["a", "b", "s"], ["y"], domain="com.microsoft", K=k, N=n, bits=4, block_size=group,
        accuracy_level=4,
    )  # fmt: skip
    weights = {"b": packed, "s": np.ascontiguousarray(scales.T).reshape(-1)}
    return bound(onnx_session(node, weights, TensorProto.FLOAT, *a.shape), a)


def torch_s8s8(a, b):
    """torch._int_mm, the weights in the order that is faster."""
    if find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    left, right = torch.from_numpy(a), torch.from_numpy(np.ascontiguousarray(b.T)).t()
    return lambda: torch._int_mm(left, right).numpy()
