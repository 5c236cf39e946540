"""Products by table lookup against loops over Python numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError, ShapeError
from refq.kernels import lookup_gemm
from refq.numerics.lookup_products import LookupWeights, lookup_matmul


def draw(rows, outputs, subspaces, stages, centroids, width, shared, seed, real=False):
    rng = np.random.default_rng(seed)
    books = rng.integers(-128, 128, (1 if shared else subspaces, stages, centroids, width))
    x = rng.integers(-128, 128, (rows, subspaces * width))
    codes = rng.integers(0, centroids, (outputs, subspaces, stages))
    return (x.astype(np.float32) / 8, codes, books.astype(np.float32) / 16) if real else (x, codes, books)


def naive_weights(codes, books):
    outputs, subspaces, stages = codes.shape
    width = books.shape[3]
    w = [[0] * (subspaces * width) for _ in range(outputs)]
    for n, s, r in np.ndindex(outputs, subspaces, stages):
        for d in range(width):
            w[n][s * width + d] += books[s if len(books) > 1 else 0, r, codes[n, s, r], d].item()
    return w


def naive_product(x, w):
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in w] for row in x.tolist()]


@pytest.mark.parametrize("route", ["numpy", "generic", "native"])
@given(
    st.sampled_from([0, 1, 3, 4, 16, 17]),
    st.sampled_from([0, 1, 7, 8, 9, 17]),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([1, 2, 8, 16, 17]),
    st.sampled_from([1, 2, 8]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 2),
    st.integers(0, 99),
)
def test_product_is_the_naive_one(route, rows, outputs, subspaces, stages, count, width, shared, real, threads, seed):
    x, codes, books = draw(rows, outputs, subspaces, stages, count, width, shared, seed, real)
    weights = LookupWeights(codes, books)
    expected = naive_weights(codes, books)
    assert weights.decode().tolist() == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFQ_KERNELS", route)
        y = lookup_matmul(x, weights, threads)
    assert y.dtype == (np.float32 if real else np.int32)
    assert y.shape == (rows, outputs)
    assert y.tolist() == naive_product(x, expected)  # the reals are multiples of 1/128 below 2**16: exact in float32


def test_more_tables_than_fit_the_cache_at_a_time():
    x, codes, books = draw(16, 20, 40, 1, 256, 2, False, 0)
    assert np.array_equal(lookup_matmul(x, LookupWeights(codes, books)), x @ np.array(naive_weights(codes, books)).T)


def test_interpreted_row_kernel_equals_the_compiled_one():
    x, codes, books = draw(1, 5, 3, 2, 4, 2, False, 0)
    weights = LookupWeights(codes, books)
    for kernel in (lookup_gemm.add_row, lookup_gemm.add_row.py_func):
        y = np.zeros(5, np.int32)
        kernel(x[0].astype(np.int32), weights.books, np.empty(8, np.int32), weights.codes, y)
        assert [y.tolist()] == naive_product(x, naive_weights(codes, books))


def test_layout_of_x_does_not_matter():
    x, codes, books = draw(20, 5, 3, 1, 4, 2, True, 0)
    weights = LookupWeights(codes, books)
    expected = naive_product(x, naive_weights(codes, books))
    for view in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x.astype(np.int8)):
        view.setflags(write=False)
        assert lookup_matmul(view, weights).tolist() == expected


WEIGHTS = LookupWeights([[0, 1]], np.ones((2, 2, 3), np.int8))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: LookupWeights([[0, 2]], np.ones((2, 2, 3))), RangeError, r"codes in \[0, 2\] must lie in 0\.\.1"),
        (lambda: LookupWeights([[-1, 0]], np.ones((2, 2, 3))), RangeError, r"codes in \[-1, 0\]"),
        (lambda: LookupWeights([[0, 1, 0]], np.ones((2, 2, 3))), ShapeError, r"\(3, 1\) subspaces and stages"),
        (lambda: LookupWeights([[0.0, 1.0]], np.ones((2, 2, 3))), ShapeError, "must be integers"),
        (lambda: LookupWeights([[0, 1]], np.ones((2, 0, 3))), ShapeError, r"codebooks of shape \(2, 0, 3\)"),
        (lambda: LookupWeights([[0, 1]], np.full((2, 2, 3), np.nan)), RangeError, "codebooks must be finite"),
        (lambda: lookup_matmul(np.ones((2, 5), np.int8), WEIGHTS), ShapeError, r"must be \(rows, 6\)"),
        (lambda: lookup_matmul(np.ones((2, 6)), WEIGHTS), ShapeError, "integers, as the codebooks are"),
        (lambda: lookup_matmul(np.full((1, 6), 1 << 29), WEIGHTS), RangeError, "may exceed int32"),
        (lambda: lookup_matmul(np.ones((1, 6), np.int8), WEIGHTS, threads=0), RangeError, "threads=0"),
    ],
)
def test_errors_name_the_value_and_the_limit(call, error, text):
    with pytest.raises(error, match=text):
        call()
