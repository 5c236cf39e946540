"""The MLPerf Tiny networks against LiteRT's reference kernels, live, on inputs nobody stored."""

import numpy as np
import pytest

import refq
import refq.errors

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

from refq.io.tflite.flatbuffer import parse
from refq.io.tflite.reader import tensors
from tests.peers.litert import run_all

INTEGER = ["pretrainedResnet_quant", "kws_ref_model", "ad01_int8"]


@pytest.fixture
def folder(shared):
    return shared / "models" / "mlperf_tiny"


def codes(shape, seed):
    """Uniform codes, then codes near one value: wide and narrow accumulators."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (4, *shape))
    x[2:] = np.clip(rng.normal(rng.integers(-100, 100), 12, (2, *shape)), -128, 127)
    return x.astype(np.int8)


@pytest.mark.parametrize("name", INTEGER)
def test_every_tensor_equals_the_reference_kernels(folder, name):
    path = folder / f"{name}.tflite"
    data, graph = path.read_bytes(), refq.load(path)
    names = [operand.name for operand in tensors(parse(data))]
    batch = codes(graph.tensors[graph.inputs[0]].shape[1:], seed=len(name))
    traced = refq.trace(graph, batch, path="integer")
    for row in range(len(batch)):
        theirs = {names[i]: v for i, v in run_all(data, [batch[row : row + 1]]).items() if i < len(names)}
        assert set(traced) <= set(theirs)
        wrong = {tensor: int((traced[tensor][row] != theirs[tensor][0]).sum()) for tensor in traced}
        assert not any(wrong.values()), wrong
        for tensor, held in graph.constants.items():
            assert np.array_equal(held.ravel(), theirs[tensor].ravel())


def with_real_weights(data):
    """A hybrid model (int8 weights, real activations) with its weights written out as reals."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data)
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8:
            buffer, grid = model.buffers[tensor.buffer], tensor.quantization
            codes = np.asarray(buffer.data, np.uint8).view(np.int8).astype(np.float32)
            buffer.data = (codes * np.float32(grid.scale[0])).view(np.uint8)
            tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_real_network_equals_litert_in_floating_point(folder, tmp_path):
    data = with_real_weights((folder / "kws_ref_model_float32.tflite").read_bytes())
    path = tmp_path / "real.tflite"
    path.write_bytes(data)
    graph, names = refq.load(path), [operand.name for operand in tensors(parse(data))]
    x = np.random.default_rng(3).normal(size=(1, 49, 10, 1)).astype(np.float32) * 40
    theirs, traced = run_all(data, [x]), refq.trace(graph, x, path="float")
    compared = [name for name in names if name in traced]
    assert len(compared) == len(traced) == 14
    for name in compared:
        expected = theirs[names.index(name)]
        assert np.abs(traced[name] - expected).max() <= 2e-5 * max(np.abs(expected).max(), 1), name


def test_a_hybrid_network_runs_on_the_weights_its_scales_say(folder, tmp_path):
    """LiteRT quantizes the activations of such a model while it runs; refq reads the weights and stays real."""
    hybrid = folder / "kws_ref_model_float32.tflite"
    path = tmp_path / "real.tflite"
    path.write_bytes(with_real_weights(hybrid.read_bytes()))
    x = np.random.default_rng(4).normal(size=(2, 49, 10, 1)).astype(np.float32) * 40
    np.testing.assert_array_equal(refq.run(refq.load(hybrid), x), refq.run(refq.load(path), x))
    with pytest.raises(refq.errors.GraphError, match="needs a grid on every real activation"):
        refq.run(refq.load(hybrid), x, path="integer")


def test_a_batch_equals_its_rows(folder):
    graph = refq.load(folder / "kws_ref_model.tflite")
    batch = codes((49, 10, 1), seed=1)
    together = refq.run(graph, batch, path="integer")
    apart = [refq.run(graph, batch[i : i + 1], path="integer") for i in range(len(batch))]
    assert np.array_equal(together, np.concatenate(apart))
