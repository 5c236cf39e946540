"""Thresholds and blocked grids against ONNX Runtime's calibrators and the ONNX reference evaluator."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization.calibrate import HistogramCollector

from refq.quantizers import PerChannel, PerGroup, PerTensor, Scheme, Uniform, dequantize_array, quantize_array
from refq.quantizers.ranges.entropy import entropy_interval
from refq.quantizers.ranges.percentile import quantile


def data(seed):
    rng = np.random.default_rng(seed)
    x = [rng.normal, rng.laplace, rng.standard_cauchy, rng.exponential][seed % 4](size=3000)
    return (np.clip(x, -60, 60) * (1 + seed)).astype(np.float32)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("levels", [16, 128])
def test_entropy_intervals_equal_those_of_onnxruntime(seed, levels):
    bins = [257, 513, 640][seed % 3]
    collector = HistogramCollector("entropy", True, bins, levels, 99.9, "same")
    collector.collect({"x": [data(seed)]})
    histogram = collector.histogram_dict["x"]
    theirs = [float(v) for v in collector.get_entropy_threshold(histogram, levels)]
    low, high = entropy_interval(histogram[0], histogram[1], levels)
    assert [max(low, float(histogram[2])), min(high, float(histogram[3]))] == theirs


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("percent", [90.0, 99.0, 99.9, 99.99])
def test_percentiles_equal_those_of_onnxruntime(seed, percent, capsys):
    for symmetric in (True, False):
        collector = HistogramCollector("percentile", symmetric, 2048, 128, percent, "same")
        collector.collect({"x": [data(seed)]})
        counts, edges, least, most = collector.histogram_dict["x"][:4]
        low, high = (float(v) for v in collector.compute_percentile()["x"][:2])
        cut = (100.0 - percent) / (100.0 if symmetric else 200.0)
        upper = quantile(edges[:-1], counts, percent / 100.0 if symmetric else 1.0 - cut)
        lower = -upper if symmetric else quantile(edges[:-1], counts, cut)
        assert (low, high) == (max(lower, float(least)), min(upper, float(most)))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(
    ("granularity", "attrs"),
    [
        (PerTensor(), {}),
        (PerChannel(0), {"axis": 0}),
        (PerChannel(-1), {"axis": 1}),
        (PerGroup(axis=1, size=4, channel_axis=None), {"axis": 1, "block_size": 4}),
        (PerGroup(axis=0, size=3, channel_axis=None), {"axis": 0, "block_size": 3}),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_uniform_grids_equal_onnx_quantize_and_dequantize_linear(granularity, attrs, symmetric, seed):
    x = data(seed)[:96].reshape(6, 16)
    scheme = Scheme(grid=Uniform(symmetric=symmetric), granularity=granularity)
    fitted = scheme.fit(x)
    x.reshape(-1)[:2] = float(fitted.scale.reshape(-1)[0]) * np.array([0.5, 2.5], np.float32)  # ties go to even
    codes = quantize_array(x, fitted)
    inputs = {"x": x, "s": fitted.scale, "z": fitted.zero_point.astype(np.int8)}
    types = {"x": TensorProto.FLOAT, "s": TensorProto.FLOAT, "z": TensorProto.INT8}
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **attrs),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **attrs),
        ],
        "g",
        [helper.make_tensor_value_info(name, types[name], inputs[name].shape) for name in inputs],
        [
            helper.make_tensor_value_info("q", TensorProto.INT8, x.shape),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, x.shape),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    theirs, real = ReferenceEvaluator(model).run(None, inputs)
    np.testing.assert_array_equal(codes, theirs)
    np.testing.assert_array_equal(dequantize_array(codes, fitted), real)
