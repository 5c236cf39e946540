import numpy as np
import pytest

from refq.errors import ShapeError
from refq.training import batches, chain, flip, pad_crop


def test_a_pass_meets_every_sample_once_and_keeps_pairs_together():
    x, y = np.arange(10) * 10, np.arange(10)
    seen = list(batches(x, y, 4, np.random.default_rng(3)))
    assert [len(part) for part, _ in seen] == [4, 4, 2]
    order = np.concatenate([labels for _, labels in seen])
    assert sorted(order) == list(range(10))
    assert list(order) != list(range(10))
    np.testing.assert_array_equal(np.concatenate([part for part, _ in seen]), order * 10)


def test_the_seed_decides_the_order_and_no_generator_keeps_it():
    x = np.arange(50)
    first, again = (next(iter(batches(x, x, 50, np.random.default_rng(1))))[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(next(iter(batches(x, x, 50)))[0], x)


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ShapeError, match=r"\[3, 4\] samples"):
        next(batches(np.zeros(3), (np.zeros(3), np.zeros(4)), 2))


def test_flip_mirrors_columns_of_some_images():
    x = np.random.default_rng(0).normal(size=(40, 3, 4, 2))
    y = flip(x, np.random.default_rng(1))
    mirrored = [np.array_equal(b, a[:, ::-1]) for a, b in zip(x, y, strict=True)]
    same = [np.array_equal(b, a) for a, b in zip(x, y, strict=True)]
    assert all(m != s for m, s in zip(mirrored, same, strict=True))
    assert 8 < sum(mirrored) < 32


def test_pad_crop_shifts_images_by_at_most_the_margin():
    x = np.random.default_rng(0).normal(size=(30, 5, 6, 2))
    y = chain(pad_crop(2))(x, np.random.default_rng(1))
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    shifts = set()
    for image, found in zip(padded, y, strict=True):
        places = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if np.array_equal(image[top : top + 5, left : left + 6], found)
        ]
        assert len(places) == 1
        shifts |= set(places)
    assert len(shifts) > 10
