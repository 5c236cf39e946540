"""Layers whose operands are all -1 and 1 take the product of bits, and give what the other route gives."""

from dataclasses import replace

import numpy as np
import pytest

from refq.layers.base import MacLayer
from refq.layers.conv2d import Conv2D
from refq.layers.dense import Dense
from refq.numerics.bit_planes import is_binary


def signs(shape, seed):
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), shape)


CASES = [
    (Dense(), (3, 70), (5, 70)),
    (Dense(), (2, 3, 9), (1, 9)),
    (Conv2D(), (2, 6, 7, 3), (4, 3, 2, 3)),
    (Conv2D(padding="same", strides=(2, 1)), (1, 5, 6, 20), (3, 3, 3, 20)),
    (Conv2D(padding=((2, 0), (1, 3)), dilation=(2, 2)), (1, 6, 6, 5), (2, 2, 3, 5)),
    (Conv2D(padding="same", groups=2), (1, 4, 4, 6), (4, 3, 3, 3)),
]


@pytest.mark.parametrize(("layer", "x_shape", "w_shape"), CASES, ids=str)
def test_accumulators_are_those_of_the_product_in_float64(layer, x_shape, w_shape, monkeypatch):
    x, w, b = signs(x_shape, 0), signs(w_shape, 1), np.arange(w_shape[0], dtype=np.int32)
    taken = []
    original = type(layer).binary_product

    def watched(self, *operands):
        found = original(self, *operands)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(type(layer), "binary_product", watched)
    acc = layer.accumulate(x, w, b, 0)
    assert acc.dtype == np.int64
    assert acc.tolist() == (layer.product(x.astype(np.float64), w.astype(np.float64)) + b).tolist()
    assert taken == [getattr(layer, "groups", 1) == 1]


def test_zero_points_are_taken_off_before_operands_count_as_binary():
    x, w = signs((3, 70), 0), signs((5, 70), 1)
    assert Dense().accumulate(x + 7, w, None, 7).tolist() == (x.astype(int) @ w.T.astype(int)).tolist()


@pytest.mark.parametrize("wrong", [0, 2, -2])
def test_one_code_off_the_grid_takes_the_other_route(wrong, monkeypatch):
    x, w = signs((3, 70), 0), signs((5, 70), 1)
    x[1, 2] = wrong
    assert not is_binary(x)
    monkeypatch.setattr(Dense, "binary_product", lambda *_: pytest.fail("not binary"))
    assert Dense().accumulate(x, w, None, 0).tolist() == (x.astype(int) @ w.T.astype(int)).tolist()


def test_no_codes_are_not_binary_codes():
    assert not is_binary(np.zeros((0, 3), np.int8))
    assert Dense().accumulate(np.zeros((0, 3), np.int8), signs((2, 3), 0), None, 0).shape == (0, 2)


def test_layers_without_a_form_of_bits_say_so():
    assert MacLayer().binary_product(signs((1, 2), 0), signs((1, 2), 1)) is None
    assert replace(Conv2D(), groups=2).binary_product(signs((1, 2, 2, 2), 0), signs((2, 1, 1, 1), 1)) is None
