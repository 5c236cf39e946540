"""Product quantization against its definition."""

import numpy as np
import pytest

from refq.errors import RangeError, ShapeError
from refq.quantizers.product import ProductCodebook, decode, encode, train_product_codebook


def trained(x, **arguments):
    return train_product_codebook(x, generator=np.random.default_rng(0), **arguments)


def points(count=300, dims=6, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dims)).astype(np.float32)


def test_code_names_the_nearest_centroid_of_its_subspace():
    x = points()
    codebook = trained(x, subspaces=3, centroids=10, iterations=3)
    codes = encode(codebook, x)
    assert codes.dtype == np.uint8
    for n, s in np.ndindex(codes.shape):
        part = x[n, 2 * s : 2 * s + 2].astype(np.float64)
        distances = np.square(codebook.centroids[s].astype(np.float64) - part).sum(axis=1)
        assert distances[codes[n, s]] <= distances.min() * (1 + 1e-5)


def test_decoded_vectors_are_centroids_side_by_side():
    codebook = ProductCodebook(centroids=np.arange(12).reshape(2, 3, 2))
    assert decode(codebook, [[2, 0], [1, 1]]).tolist() == [[4, 5, 6, 7], [2, 3, 8, 9]]
    assert decode(codebook, np.zeros((0, 2), np.uint8)).shape == (0, 4)


def test_encoding_what_was_decoded_gives_the_codes_back():
    codebook = trained(points(), subspaces=2, centroids=20)
    codes = np.random.default_rng(1).integers(0, 20, (50, 2))
    assert np.array_equal(encode(codebook, decode(codebook, codes)), codes)
    assert encode(codebook, np.zeros((0, 6))).shape == (0, 2)


def test_training_lowers_the_error():
    x = points(2000, 8)
    errors = []
    for iterations in (0, 1, 5, 25):
        codebook = trained(x, subspaces=2, centroids=32, iterations=iterations)
        errors.append(np.square(decode(codebook, encode(codebook, x)) - x).mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_codes_follow_the_scale(factor):
    x, codebook = points(), trained(points(), subspaces=2, centroids=20, iterations=1)
    scaled = ProductCodebook(centroids=codebook.centroids * np.float32(factor))
    agreeing = encode(scaled, x * np.float32(factor)) == encode(codebook, x)
    assert agreeing.mean() > 0.99  # all but points half-way between two centroids


def test_threads_change_nothing():
    x = points(500, 8)
    one, three = (trained(x, subspaces=4, centroids=16, threads=threads) for threads in (1, 3))
    assert np.array_equal(one.centroids, three.centroids)
    assert np.array_equal(encode(one, x), encode(one, x, threads=3))


def test_more_than_256_centroids_take_16_bit_codes():
    x = points(400, 2)
    codebook = trained(x, subspaces=1, centroids=300, iterations=1)
    codes = encode(codebook, x)
    assert codes.dtype == np.uint16
    assert codes.max() > 255


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: trained(points(), subspaces=4), ShapeError, "subspaces=4 must divide the 6 dimensions"),
        (lambda: trained(points(), subspaces=0), ShapeError, "subspaces=0 must divide"),
        (lambda: trained(points(9), subspaces=2), RangeError, r"centroids=256 must be in 1\.\.9"),
        (lambda: trained(points(), subspaces=2, centroids=1 << 17), RangeError, "centroids=131072 exceeds 65536"),
        (lambda: trained(points(), subspaces=2, centroids=4, threads=0), RangeError, "threads=0"),
        (lambda: ProductCodebook(centroids=np.zeros((2, 2))), ShapeError, r"centroids of shape \(2, 2\)"),
        (lambda: ProductCodebook(centroids=[[[np.inf]]]), RangeError, "centroids must be finite"),
        (lambda: encode(trained(points(), subspaces=2, centroids=4), points(3, 4)), ShapeError, "the 6 dimensions"),
        (
            lambda: encode(trained(points(), subspaces=2, centroids=4), np.full((1, 6), 1e30)),
            RangeError,
            "times as far out as any centroid",
        ),
        (
            lambda: decode(ProductCodebook(centroids=[[[1]]]), [[1]]),
            RangeError,
            r"codes in \[1, 1\] must lie in 0\.\.0",
        ),
        (lambda: decode(ProductCodebook(centroids=[[[1]]]), [[0.0]]), ShapeError, "must be integers"),
    ],
)
def test_errors_name_the_value_and_the_limit(call, error, text):
    with pytest.raises(error, match=text):
        call()
