"""The doors between reals and codes: QUANTIZE, DEQUANTIZE, weights in half floats."""

import numpy as np
import pytest

import refq

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

from tests.peers.agreement import agree
from tests.peers.litert import Op, Tensor, build, run, single

GRIDS = {"int8": (0.05, -7), "uint8": (0.04, 131), "int16": (0.0007, 0), "int32": (0.0001, 0)}


def codes(name, dtype, factor=1.0, shape=(1, 40)):
    scale, zero = GRIDS[dtype]
    return Tensor(name, shape, dtype, scale=scale * factor, zero_point=zero)


PAIRS = [(a, b) for a in ("int8", "uint8", "int16", "int32") for b in ("int8", "uint8", "int16")]
PAIRS = [pair for pair in PAIRS if pair not in (("int32", "uint8"), ("int16", "uint8"))]  # LiteRT has no kernel
PAIRS.append(("int16", "int32"))


@pytest.mark.parametrize(("before", "after"), PAIRS)
@pytest.mark.parametrize("factor", [1.0, 0.43, 3.1])
def test_requantization_between_integer_types(tmp_path, before, after, factor):
    x, y = codes("x", before), codes("y", after, factor)
    info = np.iinfo(before)
    low, high = (info.min, info.max + 1) if before != "int32" else (-60000, 60000)
    values = np.random.default_rng(4).integers(low, high, x.shape).astype(before)
    agree(tmp_path, single("QUANTIZE", [x], [y]), [values])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_real_inputs_and_outputs_of_an_integer_model(tmp_path, dtype):
    """QUANTIZE at the entry, DEQUANTIZE at the exit: reals in, reals out, codes between; equal to the last bit."""
    real, out = Tensor("real", (1, 40), "float32"), Tensor("out", (1, 20), "float32")
    a, y = codes("a", dtype), codes("y", dtype, shape=(1, 20))
    begin, size = (Tensor(n, (2,), "int32", data=v) for n, v in (("begin", [0, 3]), ("size", [1, 20])))
    ops = [
        Op("QUANTIZE", ["real"], ["a"]),
        Op("SLICE", ["a", "begin", "size"], ["y"]),
        Op("DEQUANTIZE", ["y"], ["out"]),
    ]
    model = build([real, a, begin, size, y, out], ops, ["real"], ["out"])
    rng = np.random.default_rng(5)
    x = rng.normal(size=(1, 40)).astype(np.float32) * 4
    x[0, :20] = (rng.integers(-300, 300, 20) + 0.5) * np.float32(a.scale)  # ties, and reals off the grid
    graph = agree(tmp_path, model, [x], integer=True)
    assert [node.op for node in graph.nodes] == ["Identity", "Slice", "Identity"]
    assert refq.run(graph, np.concatenate([x, x]), path="integer").shape == (2, 20)


@pytest.mark.parametrize("factor", [0.5, 0.25, 0.37, 1.7])
def test_a_real_tensor_between_two_grids(tmp_path, factor):
    """DEQUANTIZE then QUANTIZE elsewhere is done in reals, not by a fixed-point multiplier."""
    x, y = (codes(name, "int8", f, (1, 256)) for name, f in (("x", factor), ("y", 1.0)))
    ops = [Op("DEQUANTIZE", ["x"], ["real"]), Op("QUANTIZE", ["real"], ["y"])]
    model = build([x, Tensor("real", (1, 256), "float32"), y], ops, ["x"], ["y"])
    agree(tmp_path, model, [np.arange(-128, 128, dtype=np.int8)[None]])


def test_weights_in_half_floats(tmp_path):
    """DEQUANTIZE of a constant: the weights are known when the file is read."""
    rng = np.random.default_rng(6)
    half = Tensor("half", (5, 8), "float16", data=rng.normal(size=(5, 8)))
    x, w, y = (Tensor(n, s, "float32") for n, s in (("x", (2, 8)), ("w", (5, 8)), ("y", (2, 5))))
    ops = [Op("DEQUANTIZE", ["half"], ["w"]), Op("FULLY_CONNECTED", ["x", "w", ""], ["y"])]
    model = build([x, half, w, y], ops, ["x"], ["y"])
    graph = agree(tmp_path, model, [rng.normal(size=(2, 8)).astype(np.float32)])
    assert [node.op for node in graph.nodes] == ["Dense"]
    assert np.array_equal(graph.constants["w"], np.asarray(half.data, np.float16).astype(np.float32))


def test_weights_in_integers_read_by_a_real_operator(tmp_path):
    rng = np.random.default_rng(7)
    held = Tensor("held", (5, 8), "int8", scale=rng.uniform(0.01, 0.02, 5), data=rng.integers(-127, 128, (5, 8)))
    x, w, y = (Tensor(n, s, "float32") for n, s in (("x", (2, 8)), ("w", (5, 8)), ("y", (2, 5))))
    ops = [Op("DEQUANTIZE", ["held"], ["w"]), Op("FULLY_CONNECTED", ["x", "w", ""], ["y"])]
    path = tmp_path / "model.tflite"
    path.write_bytes(build([x, held, w, y], ops, ["x"], ["y"]))
    graph = refq.load(path)
    value = rng.normal(size=(2, 8)).astype(np.float32)
    real = (held.data * np.asarray(held.scale, np.float32)[:, None]).astype(np.float32)
    np.testing.assert_allclose(refq.run(graph, value), value @ real.T, rtol=1e-5, atol=1e-5)
    assert graph.tensors["w"].qparams.bits == 8


def test_dequantize_output_is_equal_in_reals():
    x, y = codes("x", "int8", shape=(1, 256)), Tensor("y", (1, 256), "float32")
    (expected,) = run(single("DEQUANTIZE", [x], [y]), [np.arange(-128, 128, dtype=np.int8)[None]])
    assert np.array_equal(expected[0], np.float32(x.scale) * (np.arange(-128, 128) + 7).astype(np.float32))
