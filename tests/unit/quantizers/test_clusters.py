"""k-means levels, weighted k-means, weighted entropy, and levels of one's own, against brute force."""

from itertools import combinations, pairwise
from math import log, sqrt

import numpy as np
import pytest

from refq.errors import CalibrationError, RangeError, ShapeError
from refq.quantizers.arbitrary import ArbitraryLevels
from refq.quantizers.kmeans_levels import KMeansLevels
from refq.quantizers.weighted_entropy import WeightedEntropy

RNG = np.random.default_rng(3)


def error(fitted, x, h=1.0):
    return float((h * (x - fitted.dequantize(fitted.quantize(x))).astype(np.float64) ** 2).sum())


def best_clusters(x, h, count):
    """The least weighted error of all ways to cut the sorted data into `count` runs, by dynamic programming."""
    order = np.argsort(x)
    x, h, n = x[order].astype(float).tolist(), h[order].tolist(), len(x)

    def cost(i, j):
        total = sum(h[i:j])
        mean = sum(a * b for a, b in zip(x[i:j], h[i:j], strict=True)) / total
        return sum(w * (v - mean) ** 2 for v, w in zip(x[i:j], h[i:j], strict=True))

    costs = {(i, j): cost(i, j) for i in range(n) for j in range(i + 1, n + 1)}
    table = [costs.get((0, j), 0.0) for j in range(n + 1)]
    for k in range(2, count + 1):
        table = [min((table[i] + costs[i, j] for i in range(k - 1, j)), default=np.inf) for j in range(n + 1)]
    return table[n]


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_best_start_comes_close_to_the_optimal_clusters(count, is_weighted):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=40).astype(np.float32)
        h = rng.uniform(0.1, 4, 40) if is_weighted else np.ones(40)
        fits = [
            KMeansLevels(bits=3, count=count, start=s, seed=t).fit(x, (0,), h)
            for s, t in [("linear", 0), ("density", 0), *(("random", t) for t in range(10))]
        ]
        errors = [error(f, x, h) for f in fits]
        truth = best_clusters(x, h, count)
        assert min(errors) >= truth * (1 - 1e-5)
        assert min(errors) <= truth * 1.1
        optimal = KMeansLevels(bits=3, count=count, start="optimal").fit(x, (0,), h)
        assert error(optimal, x, h) == pytest.approx(truth, rel=1e-5)
        for fit in fits:  # every one has arrived: centroids are the weighted means of their points
            codes = fit.quantize(x)
            for k in np.unique(codes):
                mine = codes == k
                mean = (h[mine] * x[mine]).sum() / h[mine].sum()
                assert float(fit.levels[0, k]) == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("size", [2, 3, 7, 16, 17, 33])
def test_optimal_clusters_are_optimal_for_every_number_of_points_and_clusters(size):
    rng = np.random.default_rng(size)
    x = np.round(rng.laplace(size=size), 1).astype(np.float32)  # some values coincide
    h = rng.integers(0, 3, size) + (np.arange(size) == 0)
    for count in range(2, 8):
        if count < len(np.unique(x[h > 0])) and np.all(h > 0):
            fitted = KMeansLevels(bits=3, count=count, start="optimal").fit(x, (0,), h)
            assert error(fitted, x, h) == pytest.approx(best_clusters(x, h, count), rel=1e-4, abs=1e-6)
        ones = np.ones(size)
        if count < len(np.unique(x)):
            fitted = KMeansLevels(bits=3, count=count, start="optimal").fit(x, (0,))
            assert error(fitted, x) == pytest.approx(best_clusters(x, ones, count), rel=1e-4, abs=1e-6)


def test_weights_pull_centroids_towards_what_matters():
    x = np.array([0.0, 1.0, 10.0], np.float32)
    grid = KMeansLevels(bits=1)
    assert grid.fit(x, (0,)).levels[0].tolist() == [0.5, 10.0]
    assert grid.fit(x, (0,), [3, 1, 1]).levels[0].tolist() == [0.25, 10.0]
    assert grid.fit(x, (0,), [0, 0, 0]).levels[0].tolist() == [0.5, 10.0]


@pytest.mark.parametrize("start", ["linear", "density", "random", "optimal"])
@pytest.mark.parametrize("bits", [1, 2, 8, 12, 16])
def test_fewer_values_than_levels_are_met_exactly(bits, start):
    x = np.array([3, 3, -1], np.float32)
    fitted = KMeansLevels(bits=bits, start=start).fit(x, (0,))
    assert fitted.count == 2**bits
    np.testing.assert_array_equal(fitted.dequantize(fitted.quantize(x)), x)


@pytest.mark.parametrize("bits", [1, 2, 4, 6])
def test_clusters_of_a_block_are_those_of_its_own_data(bits):
    x = RNG.laplace(size=(2, 200)).astype(np.float32)
    for grid in (KMeansLevels(bits=bits), WeightedEntropy(bits=bits)):
        whole = grid.fit(x, (1, 150))
        for i in range(2):
            for j, part in enumerate((x[i, :150], x[i, 150:])):
                own = grid.fit(part, (0,))
                np.testing.assert_array_equal(whole.levels[i, j], own.levels[0])
                np.testing.assert_array_equal(whole.thresholds[i, j], own.thresholds[0])


def test_k_means_refuses_what_cannot_be():
    for bad in ([], [np.nan]):
        with pytest.raises(CalibrationError, match="no finite values"):
            KMeansLevels().fit(np.array(bad), (0,))
    with pytest.raises(ShapeError, match="importance of shape"):
        KMeansLevels().fit(np.ones(3), (0,), np.ones(2))
    with pytest.raises(CalibrationError, match="importance=-1"):
        KMeansLevels().fit(np.ones(2), (0,), np.array([1.0, -1.0]))
    for bad in ({"bits": 0}, {"bits": 17}, {"bits": 2, "count": 5}, {"start": "best"}, {"iterations": -1}):
        with pytest.raises(RangeError, match=rf"{next(reversed(bad))}="):
            KMeansLevels(**bad)


def entropy(sizes, parts):
    """Park et al. 2017, eq. (1)-(3), of clusters given as lists of magnitudes."""
    total = 0.0
    for part in parts:
        share = len(part) / len(sizes)
        total -= (sum(v * v for v in part) / len(part)) * share * log(share)
    return total


@pytest.mark.parametrize("bits", [2, 3])
def test_weighted_entropy_clusters_resist_every_move_of_a_boundary_and_come_close_to_the_best(bits):
    half = 2 ** (bits - 1)
    for seed in range(6):
        x = np.abs(np.random.default_rng(seed).normal(size=14)).astype(np.float32)
        fitted = WeightedEntropy(bits=bits).fit(x, (0,))
        codes = fitted.quantize(x)
        ordered = sorted(x.astype(float).tolist())
        ends = [0, *np.cumsum([int((codes == k).sum()) for k in np.unique(codes)]).tolist()]
        assert len(ends) == half + 1

        def parts(ends, ordered=ordered):
            return [ordered[a:b] for a, b in pairwise(ends)]

        found = entropy(ordered, parts(ends))
        for k in range(1, half):
            for place in range(ends[k - 1] + 1, ends[k + 1]):
                assert entropy(ordered, parts([*ends[:k], place, *ends[k + 1 :]])) <= found + 1e-9
        best = max(
            entropy(ordered, parts([0, *inner, len(ordered)]))
            for inner in combinations(range(1, len(ordered)), half - 1)
        )
        assert found >= 0.9 * best
        for k, part in zip(np.unique(codes), parts(ends), strict=True):
            assert float(fitted.levels[0, k]) == pytest.approx(sqrt(sum(v * v for v in part) / len(part)), rel=1e-5)


@pytest.mark.parametrize("bits", range(1, 9))
def test_weighted_entropy_treats_both_signs_alike_and_keeps_clusters_apart(bits):
    x = RNG.normal(size=500).astype(np.float32)
    x = np.concatenate([x, -x])
    fitted = WeightedEntropy(bits=bits).fit(x, (0,))
    np.testing.assert_array_equal(fitted.levels[0], -fitted.levels[0, ::-1])
    reals = fitted.dequantize(fitted.quantize(x))
    np.testing.assert_array_equal(np.sign(reals), np.sign(x))
    np.testing.assert_array_equal(fitted.dequantize(fitted.quantize(-x)), -reals)
    np.testing.assert_array_equal(fitted.quantize(fitted.levels[0]), np.arange(2**bits))


@pytest.mark.parametrize("value", [0.0, 1e-42, -2.5, 3e38])
def test_a_constant_tensor_is_its_own_cluster(value):
    x = np.full((2, 2), value, np.float32)
    for grid in (WeightedEntropy(bits=3), KMeansLevels(bits=3)):
        fitted = grid.fit(x, (0, 0))
        np.testing.assert_array_equal(fitted.dequantize(fitted.quantize(x)), x)


def test_weighted_entropy_refuses_what_cannot_be():
    for bits in (0, 9):
        with pytest.raises(RangeError, match=f"bits={bits}"):
            WeightedEntropy(bits=bits)
    with pytest.raises(RangeError, match="iterations=-1"):
        WeightedEntropy(iterations=-1)
    with pytest.raises(CalibrationError, match="no finite values"):
        WeightedEntropy().fit(np.array([np.inf]), (0,))


def test_levels_of_ones_own_are_used_as_given_or_scaled_to_the_least_error():
    grid = ArbitraryLevels(levels=(-1, 0, 3), thresholds=(-0.2, 1))
    fitted = grid.fit(np.zeros((2, 2)), (1, 0))
    assert fitted.dequantize(fitted.quantize([[-1, -0.1], [0.9, 1.1]])).tolist() == [[-1, 0], [0, 3]]
    assert grid.bits == 2
    scaled = ArbitraryLevels(levels=(-1, 0, 3), scaled=True)
    x = np.array([[-2, 0, 6], [-0.5, 0, 1.5]], np.float32)
    fitted = scaled.fit(x, (1, 0))
    np.testing.assert_allclose(fitted.dequantize(fitted.quantize(x)), x, rtol=1e-5)
    assert np.isfinite(scaled.fit(np.zeros(3), (0,)).levels).all()


def test_steps_add_up_to_levels():
    assert ArbitraryLevels.from_steps(-1.0, (0.5, 0.25, 1.0)).levels == (-1.0, -0.5, -0.25, 0.75)
    with pytest.raises(RangeError, match=r"steps=.* must be positive"):
        ArbitraryLevels.from_steps(0.0, (1.0, 0.0))
    with pytest.raises(RangeError, match="strictly ascending"):
        ArbitraryLevels(levels=(1.0, 0.0))
    with pytest.raises(RangeError, match="cannot be scaled"):
        ArbitraryLevels(levels=(0.0,), scaled=True)
