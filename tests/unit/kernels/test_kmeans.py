"""Lloyd iterations against loops over Python numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError, ShapeError
from refq.kernels import kmeans as kernels
from refq.quantizers.kmeans import Frame, Panels, kmeans

UNMOVED = 1.0
shapes = st.tuples(st.sampled_from([1, 5, 63, 64, 65, 130]), st.sampled_from([1, 2, 8, 13]), st.integers(1, 9))


def whole_numbers(shape, seed, reach=4):
    """Float32 whole numbers: sums of their products are exact in any order, and ties occur."""
    return np.random.default_rng(seed).integers(-reach, reach + 1, shape).astype(np.float32)


def panels_of(x):
    return Panels(x, Frame(np.zeros(x.shape[1]), UNMOVED))


def naive_labels(x, centroids):
    distances = [
        [sum((float(a) - float(b)) ** 2 for a, b in zip(p, c, strict=True)) for c in centroids.tolist()]
        for p in x.tolist()
    ]
    return [row.index(min(row)) for row in distances], [min(row) for row in distances]


def naive_lloyd(x, first, iterations):
    means = x[first].astype(np.float64)
    for _ in range(iterations):
        labels, distances = naive_labels(x, means.astype(np.float32))
        farthest = sorted(range(len(x)), key=lambda n: -distances[n])
        moved = []
        for c in range(len(means)):
            mine = [x[n].astype(np.float64) for n in range(len(x)) if labels[n] == c]
            moved.append(sum(mine) / len(mine) if mine else x[farthest.pop(0)])
        means = np.array(moved, np.float64)
    return means


@pytest.mark.parametrize("route", ["generic", "native"])
@given(shapes, st.integers(0, 99))
def test_nearest_is_the_first_of_the_smallest_distances(route, shape, seed):
    points, dims, count = shape
    x, centroids = whole_numbers((points, dims), seed), whole_numbers((count, dims), seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFQ_KERNELS", route)
        labels, scores = panels_of(x).nearest(centroids)
    expected, distances = naive_labels(x, centroids)
    assert labels.tolist() == expected
    assert (np.square(x).sum(axis=1) - 2 * scores).tolist() == distances


def test_interpreted_kernels_equal_the_compiled_ones():
    x, centroids = whole_numbers((70, 3), 0), whole_numbers((5, 3), 1)
    panels = panels_of(x)
    labels, scores = panels.nearest(centroids)
    interpreted = np.zeros_like(panels.array)
    assert kernels.fill_panels.py_func(x, np.zeros(3), 1.0, 1e9, interpreted) == 0
    assert np.array_equal(interpreted, panels.array)
    plain = np.empty((2, 64), np.int32), np.empty((2, 64), np.float32)
    halves = np.square(centroids).sum(axis=1) / 2
    kernels.plain_nearest.py_func(panels.array, centroids, halves, np.empty(64, np.float32), *plain)
    assert plain[0].reshape(-1)[:70].tolist() == labels.tolist()
    assert plain[1].reshape(-1)[:70].tolist() == scores.tolist()


def test_sums_and_counts_a_label():
    x, labels = whole_numbers((70, 3), 0), np.arange(70, dtype=np.int32) % 4
    for kernel in (kernels.add_up, kernels.add_up.py_func):
        sums, counts = np.zeros((5, 3)), np.zeros(5, np.int64)
        kernel(panels_of(x).array, labels, sums, counts)
        assert counts.tolist() == [18, 18, 17, 17, 0]
        assert sums.tolist() == [*(x[c::4].sum(axis=0).tolist() for c in range(4)), [0.0, 0.0, 0.0]]


def test_distances_fall_to_the_nearest_centre_so_far():
    x, centre = whole_numbers((70, 3), 0), whole_numbers(3, 1)
    before = np.arange(70, dtype=np.float32)
    expected = np.minimum(before, np.square(x - centre).sum(axis=1))
    for kernel in (kernels.lower_distances, kernels.lower_distances.py_func):
        distances, sums = before.copy(), np.empty(2)
        kernel(panels_of(x).array, centre, np.empty(64, np.float32), distances, sums)
        assert distances.tolist() == expected.tolist()
        assert sums.tolist() == [expected[:64].sum(), expected[64:].sum()]


@given(st.integers(2, 40), st.integers(1, 3), st.integers(1, 8), st.integers(1, 3), st.integers(0, 99))
def test_lloyd_is_the_naive_one(points, dims, count, iterations, seed):
    count = min(count, points)
    x = np.random.default_rng(seed).integers(0, 1000, (points, dims)).astype(np.float32)  # ties are unlikely
    first = np.sort(np.random.default_rng(7).choice(points, count, replace=False))
    found = kmeans(x, count, generator=np.random.default_rng(7), iterations=iterations)
    expected = naive_lloyd(x, first, iterations)
    if count == len(np.unique(x, axis=0)):
        assert len(np.unique(found, axis=0)) == count
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("start", ["sample", "kmeans++"])
def test_as_many_centroids_as_distinct_points_reproduce_them(start):
    x = np.repeat(np.array([[0.0, 1.0], [5.0, 5.0], [-9.0, 2.0], [100.0, 3.0]], np.float32), 3, axis=0)
    found = kmeans(x, 4, generator=np.random.default_rng(1), start=start)
    assert sorted(found.tolist()) == sorted([[0.0, 1.0], [5.0, 5.0], [-9.0, 2.0], [100.0, 3.0]])


@pytest.mark.parametrize("start", ["sample", "kmeans++"])
def test_equal_points_give_equal_centroids(start):
    found = kmeans(np.full((9, 2), 3.25), 4, generator=np.random.default_rng(0), start=start)
    assert found.tolist() == [[3.25, 3.25]] * 4


def test_kmeans_plus_plus_chooses_far_apart_clusters():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [100, 0], [0, 100], [100, 100]])
    x = (centres[rng.integers(0, 4, 400)] + rng.standard_normal((400, 2))).astype(np.float32)
    for seed in range(10):
        first = kmeans(x, 4, generator=np.random.default_rng(seed), iterations=0, start="kmeans++")
        assert sorted(np.rint(first / 100).astype(int).tolist()) == [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(("shift", "factor"), [(1e6, 1.0), (0.0, 1e-30), (0.0, 1e30), (3e30, 1e30)])
def test_result_follows_shifts_and_scales(shift, factor):
    x = whole_numbers((200, 2), 0, reach=64) * 2
    small = kmeans(x, 8, generator=np.random.default_rng(3))
    moved = kmeans((x * factor + shift).astype(np.float32), 8, generator=np.random.default_rng(3))
    assert np.allclose((moved.astype(np.float64) - shift) / factor, small, atol=0.1)


@pytest.mark.parametrize("view", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2], np.float64])
def test_layout_of_the_points_does_not_matter(view):
    x = whole_numbers((90, 5), 0)
    seen = view(x)
    seen.setflags(write=False)
    found = kmeans(seen, 6, generator=np.random.default_rng(0))
    assert found.tolist() == kmeans(x, 6, generator=np.random.default_rng(0)).tolist()


@pytest.mark.parametrize(
    ("x", "arguments", "error", "text"),
    [
        (np.zeros((3, 2)), {"centroids": 4}, RangeError, r"centroids=4 must be in 1\.\.3, the number of points"),
        (np.zeros((3, 2)), {"centroids": 0}, RangeError, "centroids=0 must be in"),
        (np.zeros((0, 2)), {"centroids": 1}, RangeError, r"centroids=1 must be in 1\.\.0"),
        (np.array([[np.nan]]), {"centroids": 1}, RangeError, "not finite in float32"),
        (np.array([[1e39]]), {"centroids": 1}, RangeError, "not finite in float32"),
        (np.zeros(3), {"centroids": 1}, ShapeError, r"x of shape \(3,\)"),
        (np.zeros((3, 0)), {"centroids": 1}, ShapeError, "at least one dimension"),
        (np.zeros((3, 1), complex), {"centroids": 1}, ShapeError, "must be real numbers"),
        (np.zeros((3, 1)), {"centroids": 1, "iterations": -1}, RangeError, "iterations=-1"),
        (np.zeros((3, 1)), {"centroids": 1, "start": "best"}, RangeError, "start='best'"),
    ],
)
def test_errors_name_the_value_and_the_limit(x, arguments, error, text):
    with pytest.raises(error, match=text):
        kmeans(x, generator=np.random.default_rng(0), **arguments)
