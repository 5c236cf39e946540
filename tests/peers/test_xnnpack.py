"""Profile `xnnpack` against LiteRT's default delegate, on models that really are delegated."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

import refq
from tests.peers import mac_models, xnnpack_models
from tests.peers.litert import Tensor, interpreter, single
from tests.peers.test_litert_mac import both

MODELS = {
    "conv": mac_models.conv,
    "conv uint8": lambda seed: mac_models.conv(seed, "uint8", "uint8", zero=117),
    "depthwise": mac_models.depthwise,
    "transpose conv": mac_models.transpose_conv,
    "dense": mac_models.dense,
    "dense uint8": lambda seed: mac_models.dense(seed, "uint8", "uint8", zero=117),
    "batch matmul": xnnpack_models.batch_matmul,
    "mul": xnnpack_models.binary("MUL"),
    "add": xnnpack_models.binary("ADD"),
    "sub": xnnpack_models.binary("SUB"),
    "mean": xnnpack_models.mean,
    "leaky relu": xnnpack_models.unary("LEAKY_RELU"),
    "elu": xnnpack_models.unary("ELU"),
    "logistic": xnnpack_models.unary("LOGISTIC"),
    "tanh": xnnpack_models.unary("TANH"),
    "quantize": xnnpack_models.unary("QUANTIZE"),
    "resize bilinear": xnnpack_models.resize_bilinear,
    "max pool": xnnpack_models.max_pool,
}


def is_delegated(model: bytes) -> bool:
    return any(op["op_name"] == "DELEGATE" for op in interpreter(model, "xnnpack")._get_ops_details())


@pytest.mark.parametrize("name", MODELS)
def test_random_models_equal_the_delegate(tmp_path, name):
    delegated = 0
    for seed in range(120):
        model, inputs = MODELS[name](seed)
        if not is_delegated(model):
            continue
        delegated += 1
        ours, theirs = both(tmp_path, model, inputs, "xnnpack", "xnnpack")
        np.testing.assert_array_equal(ours, theirs, err_msg=f"{name}, seed {seed}")
    assert delegated > 60


@pytest.mark.parametrize("code", ["ADD", "SUB", "MUL"])
def test_every_pair_of_codes_between_random_grids(tmp_path, code):
    """All 65,536 pairs: the last bit of a multiplier shows in a few of them only."""
    first, second = np.meshgrid(*[np.arange(-128, 128, dtype=np.int8)] * 2, indexing="ij")
    inputs = [codes.reshape(1, 16, 16, 256) for codes in (first, second)]
    for seed in range(25):
        rng = np.random.default_rng(seed)
        scales, zeros = np.exp(rng.uniform(-4, -1, 3)), rng.integers(-128, 128, 3)
        a, b, y = (
            Tensor(name, (1, 16, 16, 256), "int8", scale=scale, zero_point=zero)
            for name, scale, zero in zip("aby", scales, zeros, strict=True)
        )
        model = single(code, [a, b], [y], version=2)
        assert is_delegated(model)
        ours, theirs = both(tmp_path, model, inputs, "xnnpack", "xnnpack")
        np.testing.assert_array_equal(ours, theirs, err_msg=f"seed {seed}")


@pytest.mark.parametrize("name", ["conv", "depthwise", "dense", "mul", "add", "mean", "resize bilinear"])
def test_the_delegate_differs_from_the_reference_kernels_somewhere(tmp_path, name):
    """Otherwise the models above would not tell the two profiles apart."""
    different = 0
    for seed in range(120):
        model, inputs = MODELS[name](seed)
        if not is_delegated(model):
            continue
        ours, theirs = both(tmp_path, model, inputs, "xnnpack", "litert")
        different += int(np.any(ours != theirs))
    assert different > 0


@pytest.mark.parametrize("name", ["pretrainedResnet_quant", "kws_ref_model", "ad01_int8"])
def test_whole_networks_equal_the_stored_runs_of_the_delegate(shared, name):
    graph = refq.load(shared / "models" / "mlperf_tiny" / f"{name}.tflite")
    stored = np.load(shared / "golden" / "tflite" / f"{name}.npz")
    ours = refq.run(graph, stored["input"], path="integer", arithmetic="xnnpack")
    np.testing.assert_array_equal(ours, stored["output_xnnpack"])
