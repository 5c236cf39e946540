"""The ONNX project's node tests of quantization operators and of casts to and from low-precision types: all of them."""

import warnings
from functools import cache

import numpy as np
import pytest

import refq

onnx = pytest.importorskip("onnx")

QUANTIZATION = {
    "QuantizeLinear": 13, "DequantizeLinear": 14, "DynamicQuantizeLinear": 6, "QLinearMatMul": 8, "QLinearConv": 1,
    "MatMulInteger": 1, "ConvInteger": 2,
}  # fmt: skip
"""Operators and how many cases each has in onnx 1.23.2, function bodies included."""
LOW_PRECISION_CASTS = 148


def _low(value) -> bool:
    kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    return kind.startswith(("FLOAT8", "FLOAT4", "INT4", "UINT4", "INT2", "UINT2"))


@cache
def node_cases():
    """Name -> (operator under test, case)."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    found = {}
    for case in cases:
        graph = case.model.graph
        ops = {node.op_type for node in graph.node}
        if case.name.startswith("test_cast") and any(map(_low, (*graph.input, *graph.output))):
            found[case.name] = ("Cast", case)
        elif case.name.startswith("test_dynamicquantizelinear"):
            found[case.name] = ("DynamicQuantizeLinear", case)
        elif len(ops) == 1 and (op := next(iter(ops))) in QUANTIZATION:
            found[case.name] = (op, case)
    return found


def array_of(value):
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def test_no_case_is_missing():
    counts = dict.fromkeys([*QUANTIZATION, "Cast"], 0)
    for op, _ in node_cases().values():
        counts[op] += 1
    assert counts == {**QUANTIZATION, "Cast": LOW_PRECISION_CASTS}
    assert sum(counts.values()) == 193


@pytest.mark.parametrize("op", [*QUANTIZATION, "Cast"])
def test_outputs_are_the_published_ones_to_the_last_bit(op, tmp_path):
    path = tmp_path / "node.onnx"
    for name, (kind, case) in node_cases().items():
        if kind != op:
            continue
        onnx.save(case.model, path)
        graph = refq.load(path)
        for inputs, outputs in case.data_sets:
            feeds = dict(zip(graph.inputs, map(array_of, inputs), strict=True))
            found = refq.run(graph, feeds)
            for y, want in zip(found if isinstance(found, tuple) else (found,), map(array_of, outputs), strict=True):
                assert y.dtype == want.dtype, name
                assert y.shape == want.shape, name
                assert y.tobytes() == want.tobytes(), f"{name}: {y} is not {want}"
