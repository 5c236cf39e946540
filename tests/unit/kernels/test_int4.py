"""4-bit weights with scales by groups: every route equals the formula, float32 bit for float32 bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refq.errors import RangeError, ShapeError, UnsupportedError
from refq.kernels import cpu, int4
from refq.kernels.int4 import grouped_matmul, pack_int4

ROUTES = ["numpy", "generic", *(f"native-{name}" for name in cpu.available())]


@pytest.fixture(params=ROUTES)
def on_route(request, monkeypatch):
    """A route, on which every product is worth its threads."""
    monkeypatch.setattr(int4, "WORTH_A_THREAD", 1)
    monkeypatch.setenv(cpu.VARIABLE, request.param)


def naive(a, codes, scales, group):
    """One float32 operation at a time, in the order of the groups."""
    y = np.zeros((a.shape[0], codes.shape[1]), np.float32)
    for m, n in np.ndindex(y.shape):
        for g in range(len(scales)):
            rows = range(g * group, min((g + 1) * group, a.shape[1]))
            total = sum(int(a[m, k]) * int(codes[k, n]) for k in rows)
            y[m, n] = y[m, n] + scales[g, n] * np.float32(total)
    return y


def operands(seed, m, n, k, group):
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (m, k)).astype(np.int8)
    codes = rng.integers(-8, 8, (k, n)).astype(np.int8)
    if seed % 3 == 0:
        a[:], codes[:] = -128, -8
    return a, codes, rng.normal(size=(-(-k // group), n)).astype(np.float32)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    m=st.integers(0, 9), n=st.sampled_from([0, 1, 15, 31, 32, 33, 70]), k=st.integers(0, 40),
    group=st.sampled_from([1, 3, 8, 12, 16, 32, 50]), threads=st.integers(1, 3), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_product_is_the_formula_bit_for_bit(on_route, m, n, k, group, threads, seed):
    a, codes, scales = operands(seed, m, n, k, group)
    left = np.asfortranarray(a) if seed % 2 else a
    y = grouped_matmul(left, pack_int4(codes, scales, group), threads)
    np.testing.assert_array_equal(y.view(np.int32), naive(a, codes, scales, group).view(np.int32))


@pytest.mark.parametrize("shape", [(400, 100, 512), (6, 300, 4096), (1, 3000, 3200)], ids=str)
def test_blocks_of_rows_and_threads_give_the_same_bits(on_route, shape):
    m, n, k = shape
    a, codes, scales = operands(1, m, n, k, 32)
    want = np.zeros((m, n), np.float32)
    for g, scale in enumerate(scales):
        rows = slice(32 * g, 32 * g + 32)
        want += scale * (a[:, rows].astype(np.int32) @ codes[rows].astype(np.int32)).astype(np.float32)
    packed = pack_int4(codes, scales, 32)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(grouped_matmul(a, packed, threads).view(np.int32), want.view(np.int32))


def test_wrong_operands_are_named():
    codes, scales = np.zeros((8, 2), np.int8), np.ones((1, 2), np.float32)
    with pytest.raises(RangeError, match=r"codes from 0 to 8 leave 4 bits, \[-8, 7\]"):
        pack_int4(codes + np.int8(8) * np.eye(8, 2, dtype=np.int8), scales, 8)
    with pytest.raises(ShapeError, match=r"codes of shape \(8, 2\) in groups of 4 do not fit scales of shape \(1, 2\)"):
        pack_int4(codes, scales, 4)
    with pytest.raises(RangeError, match="group=0 must be at least 1"):
        pack_int4(codes, scales, 0)
    with pytest.raises(UnsupportedError, match="codes are int64, scales float32"):
        pack_int4(codes.astype(int), scales, 8)
    packed = pack_int4(codes, scales, 8)
    with pytest.raises(UnsupportedError, match="a has type uint8, grouped_matmul takes int8"):
        grouped_matmul(np.zeros((1, 8), np.uint8), packed)
    with pytest.raises(ShapeError, match=r"a of shape \(1, 7\) does not fit weights of shape \(8, 2\)"):
        grouped_matmul(np.zeros((1, 7), np.int8), packed)
    with pytest.raises(RangeError, match="threads=0 must be at least 1"):
        grouped_matmul(np.zeros((1, 8), np.int8), packed, 0)
