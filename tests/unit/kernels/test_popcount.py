"""Products of bit planes: compiled, interpreted and naive, for every pair of grids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError, ShapeError
from refq.kernels import popcount
from refq.numerics.bit_planes import pack_bits
from refq.numerics.bit_products import binary_matmul, bit_serial_matmul, packed_matmul, ternary_matmul

GRIDS = [("binary", 1), ("ternary", 1), *((g, bits) for g in ("unsigned", "signed") for bits in (1, 2, 3, 4, 8))]


def draw(grid, bits, shape, seed):
    rng = np.random.default_rng(seed)
    if grid == "binary":
        return rng.choice(np.array([-1, 1], np.int8), shape)
    if grid == "ternary":
        return rng.integers(-1, 2, shape, np.int8)
    if grid == "unsigned":
        return rng.integers(0, 1 << bits, shape, np.uint8, endpoint=False)
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape, np.int8)


def naive_product(a, b):
    """Sums over Python integers: a (M, K), b (N, K)."""
    return [[sum(int(x) * int(w) for x, w in zip(m, n, strict=True)) for n in b] for m in a]


sizes = st.tuples(st.sampled_from([0, 1, 3, 4, 5, 8, 9]), st.sampled_from([0, 1, 7, 16, 17, 33]), st.integers(0, 140))


@pytest.mark.parametrize("route", ["numpy", "generic", "native"])
@given(sizes, st.sampled_from(GRIDS), st.sampled_from(GRIDS), st.integers(1, 3), st.integers(0, 99))
def test_packed_product_is_the_naive_one(route, size, left, right, threads, seed):
    m, n, k = size
    a, b = draw(*left, (m, k), seed), draw(*right, (n, k), seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFQ_KERNELS", route)
        y = packed_matmul(pack_bits(a, *left), pack_bits(b, *right), threads)
    assert y.dtype == np.int32
    assert y.shape == (m, n)
    assert y.tolist() == naive_product(a, b)


@pytest.mark.parametrize("operation", [popcount.BINARY, popcount.PLANES, popcount.TERNARY])
@pytest.mark.parametrize("add", [False, True])
def test_interpreted_plain_kernel_counts_bits_as_strings_do(operation, add):
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 1 << 63, (2, 2, 2), np.uint64), rng.integers(0, 1 << 63, (2, 3, 2), np.uint64)
    a[0, 0, 0] = b[1, 1, 1] = np.uint64((1 << 64) - 1)
    expected = np.zeros((2, 3), np.int32)
    for m, n in np.ndindex(2, 3):
        for k in range(2):
            x, x2, w, w2 = (int(v) for v in (a[0, m, k], a[1, m, k], b[0, n, k], b[1, n, k]))
            if operation == popcount.BINARY:
                ones = bin(x ^ w).count("1")
            elif operation == popcount.PLANES:
                ones = bin(x & w).count("1")
            else:
                differ = bin(x & w & (x2 ^ w2)).count("1")
                ones = bin(x & w).count("1") - 2 * differ
            expected[m, n] += -3 * ones
        expected[m, n] += 50 if add else 7
    for kernel in (popcount.plain_products, popcount.plain_products.py_func):
        c = np.full((2, 3), 50, np.int32)
        kernel(operation, a, b, c, np.int32(7), np.int32(-3), add)
        assert c.tolist() == expected.tolist()


@given(st.integers(0, (1 << 64) - 1))
def test_ones_counts_bits(word):
    assert popcount.ones(np.uint64(word)) == popcount.ones.py_func(np.uint64(word)) == bin(word).count("1")


@pytest.mark.parametrize("n", [8, 40])
def test_rows_longer_than_one_cache_chunk(n):
    a, b = draw("binary", 1, (300, 64 * 130 + 5), 0), draw("binary", 1, (n, 64 * 130 + 5), 1)
    assert np.array_equal(packed_matmul(pack_bits(a), pack_bits(b)), a.astype(np.int64) @ b.T.astype(np.int64))


@pytest.mark.parametrize(
    "view",
    [np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2], lambda a: a[::-1], lambda a: a.astype(np.int64)],
    ids=["fortran", "strided", "reversed", "int64"],
)
def test_layout_of_the_codes_does_not_matter(view):
    a, b = draw("ternary", 1, (6, 70), 0), draw("ternary", 1, (70, 9), 1)
    seen, other = view(a), view(b)
    seen.setflags(write=False)
    assert ternary_matmul(seen, other).tolist() == naive_product(seen, other.T)


@given(st.sampled_from(GRIDS), st.integers(0, 4), st.integers(0, 130), st.integers(0, 99))
def test_unpack_gives_the_codes_back(grid, rows, depth, seed):
    codes = draw(*grid, (rows, depth), seed)
    assert np.array_equal(pack_bits(codes, *grid).unpack(), codes)


def test_matrices_are_multiplied_in_the_usual_orientation():
    a, b = draw("binary", 1, (3, 5), 0), draw("binary", 1, (5, 4), 1)
    expected = naive_product(a, b.T)
    assert binary_matmul(a, b).tolist() == expected
    assert binary_matmul(pack_bits(a), pack_bits(b.T)).tolist() == expected
    assert ternary_matmul(a, b).tolist() == expected
    assert bit_serial_matmul(a, b, 2, 2).tolist() == expected


def test_unsigned_by_signed_bits():
    a, b = draw("unsigned", 3, (3, 90), 0), draw("signed", 4, (90, 4), 1)
    assert bit_serial_matmul(a, b, 3, 4, a_signed=False).tolist() == naive_product(a, b.T)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: pack_bits([[0, 1]]), RangeError, "code=0 is not on the binary grid"),
        (lambda: pack_bits([[2, 1]], "ternary"), RangeError, r"code=2 is outside \[-1, 1\] of the ternary grid"),
        (lambda: pack_bits([[-3]], "signed", 2), RangeError, r"code=-3 is outside \[-2, 1\]"),
        (lambda: pack_bits([[1]], "signed", 9), RangeError, r"bits=9 is outside 1\.\.8"),
        (lambda: pack_bits([[1]], "octal"), RangeError, "grid='octal' is not one of"),
        (lambda: pack_bits([[1.0]]), ShapeError, "must be integers"),
        (lambda: pack_bits(1), ShapeError, "at least one axis"),
        (lambda: binary_matmul([[1, 1]], [[1]]), ShapeError, "packed rows of 2 and 1 codes"),
        (lambda: binary_matmul([1], [[1]]), ShapeError, r"a of shape \(1,\) must be a matrix"),
        (lambda: binary_matmul([[1]], [[1]], threads=0), RangeError, "threads=0 must be at least 1"),
    ],
)
def test_errors_name_the_value_and_the_limit(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_sums_that_may_leave_int32_are_refused():
    wide = pack_bits(np.zeros((1, 40_000), np.uint8), "unsigned", 8)
    with pytest.raises(RangeError, match=r"depth=40000 with codes up to 255 and 255 may exceed int32"):
        packed_matmul(wide, wide)
