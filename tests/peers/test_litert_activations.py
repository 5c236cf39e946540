"""Functions of one element and along the last axis against LiteRT's kernels: every code, many grids, no difference."""

import ctypes
import ctypes.util

import numpy as np
import pytest

import refq
from refq.errors import RangeError, UnsupportedError

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

from tests.peers.agreement import agree
from tests.peers.litert import Tensor, run, single

GRIDS = 40
LOWEST = {"int8": -128, "uint8": 0, "int16": -32768}


def every_code(dtype):
    info = np.iinfo(dtype)
    return np.arange(info.min, info.max + 1).astype(dtype)[None]


def random_grid(rng, dtype, i):
    """A scale, every fourth a power of two so that ties occur, and a zero point."""
    low, high = (1e-5, 0.02) if dtype == "int16" else (0.002, 0.3)
    scale = np.exp(rng.uniform(np.log(low), np.log(high)))
    if i % 4 == 0:
        scale = 2.0 ** np.round(np.log2(scale))
    zero = 0 if dtype == "int16" else int(rng.integers(LOWEST[dtype], LOWEST[dtype] + 256))
    return {"scale": np.float32(scale), "zero_point": zero}


def fixed_grid(code, dtype):
    """The output grid of a kernel that has one only."""
    low = LOWEST[dtype]
    narrow = {
        "LOGISTIC": (1 / 256, low),
        "LOG_SOFTMAX": (1 / 16, low + 255),
        "L2_NORMALIZATION": (1 / 128, low + 128),
        "SOFTMAX": (1 / 256, low),
    }
    wide = dict.fromkeys(("LOGISTIC", "TANH", "SOFTMAX"), (2.0**-15, 0))
    return (wide if dtype == "int16" else narrow).get(code)


def pair(rng, code, dtype, shape, i):
    """Input and output tensors on random grids."""
    x, y, fixed = random_grid(rng, dtype, i), random_grid(rng, dtype, i // 3), fixed_grid(code, dtype)
    if fixed is not None:
        y = {"scale": fixed[0], "zero_point": fixed[1]}
    return Tensor("x", shape, dtype, **x), Tensor("y", shape, dtype, **y)


UNARY = [
    ("ABS", "int8 int16"),
    ("EXP", "int8 int16"),
    ("GELU", "int8 uint8"),
    ("HARD_SWISH", "int8 uint8"),
    ("LEAKY_RELU", "int8 uint8 int16"),
    ("LOG", "int8 int16"),
    ("LOGISTIC", "int8 uint8 int16"),
    ("NEG", "int8 int16"),
    ("RELU", "int8 uint8 int16"),
    ("RELU6", "int8 uint8 int16"),
    ("RELU_0_TO_1", "int8 uint8"),
    ("RELU_N1_TO_1", "int8 uint8"),
    ("TANH", "int8 uint8 int16"),
]
UNARY = [(code, dtype) for code, dtypes in UNARY for dtype in dtypes.split()]


@pytest.mark.parametrize(("code", "dtype"), UNARY, ids=lambda v: v)
def test_every_code_on_many_grids(tmp_path, code, dtype):
    rng = np.random.default_rng(sum(map(ord, code + dtype)))
    codes = every_code(dtype)
    for i in range(GRIDS):
        x, y = pair(rng, code, dtype, codes.shape, i)
        options = {}
        if code == "GELU":
            options = {"approximate": bool(i % 2)}
        if code == "LEAKY_RELU":
            options = {"alpha": float(np.float32(rng.uniform(-0.5, 1.5)))}
        agree(tmp_path, single(code, [x], [y], options), [codes])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("code", ["SQRT", "RSQRT"])
def test_roots_of_every_code_that_is_not_negative(tmp_path, code, dtype):
    rng = np.random.default_rng(len(code))
    for i in range(GRIDS):
        codes = every_code(dtype)
        x, y = pair(rng, code, dtype, codes.shape, i)
        codes = codes[codes >= x.zero_point][None]
        x, y = (Tensor(t.name, codes.shape, dtype, scale=t.scale, zero_point=t.zero_point) for t in (x, y))
        agree(tmp_path, single(code, [x], [y]), [codes])


@pytest.mark.parametrize("code", ["SQRT", "RSQRT"])
def test_roots_of_negative_codes_stop_both(tmp_path, code):
    x, y = Tensor("x", (1, 2), "int8", scale=0.1, zero_point=5), Tensor("y", (1, 2), "int8", scale=0.1)
    model, codes = single(code, [x], [y]), np.array([[6, 4]], np.int8)
    with pytest.raises(RuntimeError, match="only defined for"):
        run(model, [codes])
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    with pytest.raises(RangeError, match=r"code 4 stands for a negative real \(zero point 5\)"):
        refq.run(refq.load(path), codes, path="integer")


def test_elu_has_no_reference_kernel_and_equals_the_only_one(tmp_path):
    rng, codes = np.random.default_rng(9), every_code("int8")
    for i in range(GRIDS):
        x, y = pair(rng, "ELU", "int8", codes.shape, i)
        model = single("ELU", [x], [y])
        path = tmp_path / "model.tflite"
        path.write_bytes(model)
        (expected,) = run(model, [codes], "builtin")
        np.testing.assert_array_equal(refq.run(refq.load(path), codes, path="integer"), expected)


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_of_int16_is_exact_with_the_functions_of_the_c_library(tmp_path, monkeypatch, approximate):
    """LiteRT takes erfcf and tanhf from the host, where they are not always the nearest float32; ours are."""
    name = "tanhf" if approximate else "erfcf"
    function = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    codes = every_code("int16")
    rng = np.random.default_rng(10)
    for i in range(GRIDS):
        x, y = pair(rng, "GELU", "int16", codes.shape, i)
        model = single("GELU", [x], [y], {"approximate": approximate})
        path = tmp_path / "model.tflite"
        path.write_bytes(model)
        graph, (expected,) = refq.load(path), run(model, [codes])
        nearest = refq.run(graph, codes, path="integer").astype(int)
        assert np.abs(nearest - expected).max() <= 1
        with monkeypatch.context() as patch:
            patch.setattr(f"refq.layers.gelu.{name[:-1]}", np.vectorize(lambda v: function(v), otypes=[np.float32]))
            assert np.count_nonzero(refq.run(graph, codes, path="integer") != expected) == 0


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_prelu_on_many_grids(tmp_path, dtype):
    """Beside int16 LiteRT takes alphas of int8."""
    rng = np.random.default_rng(11)
    for i in range(GRIDS):
        shape = (1, 6, 40)
        x, y = pair(rng, "PRELU", dtype, shape, i)
        width = "int8" if dtype == "int16" else dtype
        data = rng.integers(LOWEST[width], LOWEST[width] + 256, (1, 1, 40) if i % 2 else (6, 40))
        a = Tensor("a", data.shape, width, data=data, **random_grid(rng, width, i))
        info = np.iinfo(dtype)
        codes = rng.integers(info.min, info.max + 1, shape).astype(dtype)
        agree(tmp_path, single("PRELU", [x, a], [y]), [codes])


def test_int16_alphas_are_refused_since_litert_reads_their_bytes(tmp_path):
    x, y = (Tensor(name, (1, 4), "int16", scale=0.1) for name in "xy")
    path = tmp_path / "model.tflite"
    path.write_bytes(single("PRELU", [x, Tensor("a", (4,), "int16", scale=0.1, data=[1, 2, 3, 4])], [y]))
    with pytest.raises(UnsupportedError, match="alphas of int16"):
        refq.load(path)


SCALES16 = [2.0**-13, 2.0**-12, 2.0**-11, 2.0**-10, 2.0**-12 * 1.0006, 2.0**-12 * 1.0008, 2.0**-11 * 0.9994]
SCALES16 += [2.0**-11 * 0.9992, 1e-9, 1e-7, 1e-6, 0.3, 1.0, 1.4, 5.0, 6.0, 40.0]


@pytest.mark.parametrize("code", ["LOGISTIC", "TANH"])
def test_int16_scales_near_powers_of_two_tiny_and_huge(tmp_path, code):
    codes = every_code("int16")
    for scale in SCALES16:
        x, y = Tensor("x", codes.shape, "int16", scale=scale), Tensor("y", codes.shape, "int16", scale=2.0**-15)
        agree(tmp_path, single(code, [x], [y]), [codes])


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("code", ["LOG_SOFTMAX", "L2_NORMALIZATION"])
def test_rows_on_many_grids(tmp_path, code, dtype):
    rng = np.random.default_rng(12)
    for i in range(2 * GRIDS):
        shape = (37, int(rng.integers(1, 60)))
        x, y = pair(rng, code, dtype, shape, i)
        agree(tmp_path, single(code, [x], [y]), [rows(rng, shape, dtype)])


def rows(rng, shape, dtype):
    """Rows of random spread: wide ones, narrow ones, equal codes."""
    info = np.iinfo(dtype)
    spread = rng.integers(1, info.max - info.min + 2, (shape[0], 1))
    start = rng.integers(info.min, info.max + 2 - spread)
    codes = start + (rng.random(shape) * spread).astype(np.int64)
    codes[0] = info.max
    return codes.astype(dtype)


SOFTMAX = [("int8", "int8"), ("uint8", "uint8"), ("int8", "int16"), ("uint8", "int16"), ("int16", "int16")]


@pytest.mark.parametrize(("dtype", "out"), SOFTMAX, ids=lambda v: v)
def test_softmax_of_random_rows_with_beta(tmp_path, dtype, out):
    rng = np.random.default_rng(13)
    for i in range(2 * GRIDS):
        shape = (37, int(rng.integers(1, 60)))
        x = Tensor("x", shape, dtype, **random_grid(rng, dtype, i))
        scale, zero = fixed_grid("SOFTMAX", dtype) if dtype == out else (2.0**-16, -32768)
        y = Tensor("y", shape, out, scale=scale * (1 + 0.0005 * (i % 3 - 1)), zero_point=zero)
        beta = 1.0 if i % 2 else float(np.float32(rng.uniform(0.2, 3)))
        agree(tmp_path, single("SOFTMAX", [x], [y], {"beta": beta}), [rows(rng, shape, dtype)])


REALS = "ABS COS EXP GELU HARD_SWISH LOG LOGISTIC LOG_SOFTMAX NEG L2_NORMALIZATION RELU_0_TO_1 RSQRT SIN SQRT SQUARE"


@pytest.mark.parametrize("code", [*REALS.split(), "SOFTMAX"])
def test_reals(tmp_path, code):
    rng = np.random.default_rng(14)
    x, y = (Tensor(name, (5, 40), "float32") for name in "xy")
    values = rng.uniform(0.1, 4, (5, 40)) if code in ("LOG", "RSQRT", "SQRT") else rng.normal(size=(5, 40)) * 3
    options = {"beta": 0.7} if code == "SOFTMAX" else {}
    agree(tmp_path, single(code, [x], [y], options), [values.astype(np.float32)])


@pytest.mark.parametrize(
    ("code", "dtype", "scale", "zero", "text"),
    [
        ("LOG_SOFTMAX", "int8", 1 / 16, 126, "0 at the highest code"),
        ("L2_NORMALIZATION", "int8", 1 / 64, 0, "scale 1/128"),
        ("SOFTMAX", "int8", 1 / 255, -128, "8 bits of scale 1/256"),
        ("SOFTMAX", "int16", 2.0**-16, 0, "int16 of scale 1/32768"),
        ("HARD_SWISH", "int8", 1e-4, 0, "below 1/128 of the input scale"),
    ],
)
def test_grids_without_a_kernel_are_refused_by_both(tmp_path, code, dtype, scale, zero, text):
    x = Tensor("x", (1, 4), dtype, scale=0.1)
    model = single(
        code,
        [x],
        [Tensor("y", (1, 4), dtype, scale=scale, zero_point=zero)],
        {"beta": 1.0} if code == "SOFTMAX" else {},
    )
    codes = np.zeros((1, 4), dtype)
    with pytest.raises((RuntimeError, ValueError)):
        run(model, [codes])
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    with pytest.raises((UnsupportedError, RangeError), match=text):
        refq.run(refq.load(path), codes, path="integer")
