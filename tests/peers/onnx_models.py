"""Small ONNX models, written with onnx.helper, and ONNX Runtime's answer to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node


def constant(name: str, values: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


def weights(seed: int = 0, spread: float = 0.3, **shapes: tuple[int, ...]) -> list[onnx.TensorProto]:
    """Random float32 initializers, one a keyword."""
    rng = np.random.default_rng(seed)
    return [constant(name, rng.normal(0, spread, shape).astype(np.float32)) for name, shape in shapes.items()]


def model(nodes, inputs: dict[str, Any], outputs: list[str], initializers=(), opset: int = 17, kind=TensorProto.FLOAT):
    """A model with float32 inputs (name -> shape) and outputs whose shape ONNX infers."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        list(initializers),
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_model(graph, opset_imports=imports)
    made.ir_version = 10
    return made


def answer(path, feeds: dict[str, Any], is_optimized: bool = True) -> list[Any]:
    """What ONNX Runtime's CPU provider computes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not is_optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)
