"""k-means and codebooks against scikit-learn and faiss, on the same data."""

import numpy as np
import pytest

from refq.quantizers.kmeans import kmeans
from refq.quantizers.kmeans_levels import KMeansLevels
from refq.quantizers.vectors import Vectors

DRAWS = {"gaussian": "normal", "laplace": "laplace", "gumbel": "gumbel"}


def drawn(name, shape, seed=0):
    return getattr(np.random.default_rng(seed), DRAWS[name])(size=shape).astype(np.float32)


def error(fitted, x, h=1.0):
    return float((h * np.square((x - fitted.dequantize(fitted.quantize(x))).astype(np.float64))).sum())


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("count", [2, 5, 16])
@pytest.mark.parametrize("name", DRAWS)
def test_scalar_centroids_err_as_scikit_learns_do_from_the_same_start(name, count, is_weighted):
    cluster = pytest.importorskip("sklearn.cluster")
    x = drawn(name, 5000)
    h = np.random.default_rng(1).uniform(0, 3, x.size) if is_weighted else np.ones(x.size)
    begin = np.linspace(x.min(), x.max(), count)[:, None]
    theirs = cluster.KMeans(count, init=begin, n_init=1, max_iter=1000, tol=0).fit(x[:, None].astype(float), None, h)
    fitted = KMeansLevels(bits=6, count=count, iterations=1000).fit(x, (0,), h)
    mine = error(fitted, x, h)
    assert mine <= theirs.inertia_ * 1.005
    if count <= 5:  # no centroid ran empty: the same path to the same end
        np.testing.assert_allclose(fitted.levels[0], np.sort(theirs.cluster_centers_[:, 0]), atol=2e-3)


@pytest.mark.parametrize("count", [4, 16, 64])
@pytest.mark.parametrize("name", DRAWS)
def test_optimal_centroids_err_no_more_than_the_best_of_scikit_learns_random_starts(name, count):
    cluster = pytest.importorskip("sklearn.cluster")
    x = drawn(name, 3000)
    theirs = cluster.KMeans(count, n_init=5, random_state=0, max_iter=500).fit(x[:, None].astype(float)).inertia_
    assert error(KMeansLevels(bits=6, count=count, start="optimal").fit(x, (0,)), x) <= theirs * 1.00001


@pytest.mark.parametrize("dims", [1, 2, 4, 8])
def test_vector_centroids_err_as_scikit_learns_do(dims):
    cluster = pytest.importorskip("sklearn.cluster")
    x = np.random.default_rng(2).laplace(size=(4000, dims)).astype(np.float32)
    theirs = [cluster.KMeans(16, n_init=1, random_state=s, max_iter=100).fit(x).inertia_ for s in range(6)]

    def inertia(seed):
        centroids = kmeans(x, 16, generator=np.random.default_rng(seed), iterations=100, start="kmeans++")
        return float(np.square(x[:, None].astype(float) - centroids).sum(axis=2).min(axis=1).sum())

    assert min(map(inertia, range(6))) <= min(theirs) * 1.005
    assert np.median([inertia(s) for s in range(6)]) <= np.median(theirs) * 1.03


@pytest.mark.parametrize("stages", [1, 2])
def test_product_and_residual_codebooks_err_as_those_of_faiss(stages):
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(1)
    x = np.random.default_rng(3).normal(size=(20000, 16)).astype(np.float32)
    if stages == 1:
        peer = faiss.ProductQuantizer(16, 4, 6)
        grid = Vectors(width=4, bits=6, sharing="position")
    else:
        peer = faiss.ResidualQuantizer(16, 2, 6)
        peer.max_beam_size = 1
        grid = Vectors(width=16, bits=6, stages=2)
    peer.train(x)
    theirs = np.square(peer.decode(peer.compute_codes(x)) - x).sum(dtype=np.float64)
    assert error(grid.fit(x), x) <= theirs * 1.005
