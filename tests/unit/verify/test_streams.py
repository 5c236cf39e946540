"""The order of an array, against loops over its tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError, ShapeError
from refq.verify import ArrayOrder


def at(matrix, row, column):
    return int(matrix[row, column]) if row < matrix.shape[0] and column < matrix.shape[1] else 0


def naive(a, b, rows, cols, dataflow, bottom_first):
    """Words of A and of B as dictionaries by address, and (sum, place) as they leave, tile by tile."""
    (m, k), n = a.shape, b.shape[1]
    a_words, b_words, events = {}, {}, []
    if dataflow == "os":
        for tile_m in range(-(-m // rows)):
            for tile_n in range(-(-n // cols)):
                for t in range(k):
                    a_words[tile_m * k + t] = [at(a, tile_m * rows + r, t) for r in range(rows)]
                    b_words[tile_n * k + t] = [at(b, t, tile_n * cols + c) for c in range(cols)]
                for r in reversed(range(rows)) if bottom_first else range(rows):
                    row, places = tile_m * rows + r, [tile_n * cols + c for c in range(cols)]
                    events.append(
                        [
                            (
                                sum(at(a, row, t) * at(b, t, p) for t in range(k)),
                                (row, p, 0) if row < m and p < n else 0,
                            )
                            for p in places
                        ]
                    )
        return a_words, b_words, events
    for tile_n in range(-(-n // cols)):
        for tile_k in range(-(-k // rows)):
            number = tile_n * -(-k // rows) + tile_k
            for r in range(rows):
                b_words[number * rows + r] = [at(b, tile_k * rows + r, tile_n * cols + c) for c in range(cols)]
            for row in range(m):
                a_words[tile_k * m + row] = [at(a, row, tile_k * rows + r) for r in range(rows)]
                so_far = range(min((tile_k + 1) * rows, k))
                places = [tile_n * cols + c for c in range(cols)]
                events.append(
                    [
                        (sum(at(a, row, t) * at(b, t, p) for t in so_far), (row, p, tile_k) if p < n else 0)
                        for p in places
                    ]
                )
    return a_words, b_words, events


sizes = st.integers(1, 7)


@given(sizes, sizes, sizes, sizes, sizes, st.sampled_from(["os", "ws"]), st.booleans(), st.integers(0, 99))
def test_words_sums_and_coordinates_equal_loops_over_tiles(rows, cols, m, n, k, dataflow, bottom_first, seed):
    generator = np.random.default_rng(seed)
    a, b = generator.integers(-128, 128, (m, k)), generator.integers(-128, 128, (k, n))
    order = ArrayOrder(rows=rows, cols=cols, dataflow=dataflow, bottom_first=bottom_first)
    a_words, b_words, events = naive(a, b, rows, cols, dataflow, bottom_first)
    got_a, got_b = order.operands(a, b)
    assert got_a.tolist() == [a_words[i] for i in range(len(a_words))]
    assert got_b.tolist() == [b_words[i] for i in range(len(b_words))]
    assert order.events(a, b).tolist() == [[value for value, _ in word] for word in events]
    places = order.coordinates(m, n, k)
    assert places.tolist() == [[list(place) if place else [-1, -1, -1] for _, place in word] for word in events]


@given(sizes, sizes, sizes, sizes, sizes)
def test_a_fill_reaches_no_sum_in_use(rows, cols, m, n, k):
    generator = np.random.default_rng(m + 10 * n)
    a, b = generator.choice([-1, 1], (m, k)), generator.choice([-1, 1], (k, n))
    for dataflow, fills in (("os", (-1, -1)), ("ws", (0, -1))):
        order = ArrayOrder(rows=rows, cols=cols, dataflow=dataflow)
        inside = order.coordinates(m, n, k)[..., 0] >= 0
        np.testing.assert_array_equal(order.events(a, b, *fills)[inside], order.events(a, b)[inside])
        assert set(np.unique(order.operands(a, b, *fills)[1])) <= {-1, 1}


def test_impossible_arrays_and_products_are_refused():
    with pytest.raises(RangeError, match="at least one row"):
        ArrayOrder(rows=0, cols=4)
    with pytest.raises(RangeError, match="neither 'os' nor 'ws'"):
        ArrayOrder(rows=4, cols=4, dataflow="rs")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="no product"):
        ArrayOrder(rows=4, cols=4).events(np.zeros((2, 3)), np.zeros((2, 3)))
