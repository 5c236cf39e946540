"""The ONNX project's own node tests of real-valued operators: right, or refused in one line."""

import warnings
from collections import Counter
from functools import cache

import numpy as np
import pytest

import refq
from refq.errors import RefqError

onnx = pytest.importorskip("onnx")

NEEDED = {
    "Abs": 1, "Add": 8, "And": 8, "ArgMax": 8, "ArgMin": 8, "AveragePool": 13, "BatchNormalization": 2, "Ceil": 2,
    "Clip": 8, "Concat": 12, "Conv": 6, "ConvTranspose": 8, "Cos": 2, "CumSum": 9, "DepthToSpace": 2, "Div": 3,
    "Elu": 3, "Equal": 8, "Erf": 1, "Exp": 2, "Expand": 2, "Flatten": 9, "Floor": 2, "Gather": 4, "GatherND": 2,
    "Gelu": 4, "Gemm": 11, "GlobalAveragePool": 2, "Greater": 8, "GreaterOrEqual": 8, "HardSigmoid": 3, "HardSwish": 1,
    "InstanceNormalization": 2, "LeakyRelu": 3, "Less": 8, "LessOrEqual": 8, "Log": 2, "LogSoftmax": 7, "MatMul": 7,
    "Max": 14, "MaxPool": 12, "Min": 14, "Mish": 1, "Mul": 8, "Neg": 2, "Or": 8, "PRelu": 2, "Pad": 3, "Reciprocal": 2,
    "ReduceL1": 8, "ReduceL2": 8, "ReduceLogSum": 4, "ReduceMax": 6, "ReduceMean": 8, "ReduceMin": 9, "ReduceProd": 8,
    "ReduceSum": 10, "ReduceSumSquare": 8, "Reshape": 9, "Resize": 3, "Round": 1, "Selu": 3, "Sigmoid": 2, "Sin": 2,
    "Slice": 7, "Softmax": 7, "Softplus": 2, "Softsign": 2, "SpaceToDepth": 4, "Split": 14, "Sqrt": 2, "Squeeze": 2,
    "Sub": 8, "Sum": 3, "Tanh": 2, "ThresholdedRelu": 3, "Tile": 2, "TopK": 7, "Transpose": 7, "Unsqueeze": 7,
    "Upsample": 1, "Where": 2, "Xor": 8,
}  # fmt: skip
"""Operators, and how many of their node tests must run; the others are refused by name."""


@cache
def node_cases():
    """Node tests of one operator whose first result is real: (operator, name, model, inputs, outputs)."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    found = []
    for case in cases:
        model = case.model
        if len(model.graph.node) != 1 or model.graph.node[0].op_type not in NEEDED:
            continue
        for inputs, outputs in case.data_sets:
            if not any(isinstance(value, (onnx.TensorProto, list, type(None))) for value in (*inputs, *outputs)):
                arrays = [np.asarray(value) for value in inputs], [np.asarray(value) for value in outputs]
                found.append((model.graph.node[0].op_type, case.name, model, *arrays))
    return found


def with_constants(model, inputs):
    """The model with every input but the first as a constant, as trained files have them."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    given = dict(zip((value.name for value in model.graph.input), inputs, strict=True))
    first = model.graph.input[0].name
    held = [onnx.numpy_helper.from_array(array, name) for name, array in given.items() if name != first]
    changed.graph.initializer.extend(held)
    return changed, {first: given[first]}


@pytest.mark.parametrize("op", NEEDED)
def test_node_tests_are_right_or_refused(op, tmp_path):
    path, counts, refused = tmp_path / "node.onnx", Counter(), []
    for kind, name, model, inputs, outputs in node_cases():
        if kind != op:
            continue
        changed, feeds = with_constants(model, inputs)
        onnx.save(changed, path)
        try:
            found = refq.run(refq.load(path), feeds)
        except RefqError as error:
            assert "\n" not in str(error)  # noqa: PT017
            refused.append(f"{name}: {error}")
            continue
        counts["right"] += 1
        for y, want in zip(found if isinstance(found, tuple) else (found,), outputs, strict=True):
            assert y.shape == want.shape, name
            np.testing.assert_allclose(
                y.astype(np.float64), want.astype(np.float64), rtol=1e-3, atol=1e-5, err_msg=name
            )
    assert counts["right"] >= NEEDED[op], "\n".join(refused)
