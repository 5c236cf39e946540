from math import exp, tanh

import numpy as np
import pytest

from refq.numerics.sigmoid_table import sigmoid16, sigmoid_of_steps, sigmoid_table, tanh16, tanh_of_steps

EVERY_INT16 = np.arange(-32768, 32768)


def test_the_table_holds_published_entries():
    """Entries of CMSIS-NN's arm_nntables.c, the nearest integers as well as those that are not."""
    published = {0: 32768, 4: 35493, 22: 46817, 50: 58280, 103: 64652, 135: 65301, 200: 65520, 254: 65534, 255: 65535}
    assert {k: int(sigmoid_table()[k]) for k in published} == published
    assert len(sigmoid_table()) == 256
    assert int(sigmoid_table().sum()) == 15_670_629


def test_table_is_within_one_and_a_quarter_of_the_function():
    exact = np.array([65536 / (1 + exp(-k / 24)) for k in range(256)])
    assert np.abs(sigmoid_table() - exact).max() < 1.25


@pytest.mark.parametrize("shift", [-3, -1, 0, 1, 2])
def test_sigmoid_and_tanh_are_close_to_the_functions_for_every_code(shift):
    real = EVERY_INT16 * 2.0**shift / 4096
    for found, exact in (
        (sigmoid16(EVERY_INT16, shift), [1 / (1 + exp(-v)) for v in real]),
        (tanh16(EVERY_INT16, shift), [tanh(v) for v in real]),
    ):
        assert np.abs(found - 32768 * np.array(exact)).max() <= 4
        assert found.min() >= -32768
        assert found.max() <= 32767


def naive_sigmoid(d):
    """The rule of the reference page, one Python integer at a time."""
    a, table = abs(d), [int(v) for v in sigmoid_table()]
    u = a >> 9
    r = 0x7FFF << 10 if u >= 255 else (table[u] << 9) + (a & 511) * (table[u + 1] - table[u])
    return (r + 512) >> 10 if d >= 0 else (2**25 - r + 511) >> 10


def naive_tanh(d):
    a, table = abs(d), [int(v) for v in sigmoid_table()]
    u = a >> 8
    r = 0xFFFF << 8 if u >= 255 else (table[u] << 8) + (a & 255) * (table[u + 1] - table[u])
    return (r - 2**23 + 128) >> 8 if d >= 0 else (-r + 2**23 + 127) >> 8


def test_interpolation_equals_the_rule_on_single_integers():
    steps = [*range(-140_000, 140_000, 37), *(k * 256 + e for k in range(-520, 520) for e in (-1, 0, 1))]
    assert sigmoid_of_steps(steps).tolist() == [naive_sigmoid(d) for d in steps]
    assert tanh_of_steps(steps).tolist() == [naive_tanh(d) for d in steps]


def test_negative_shift_rounds_half_up():
    assert tanh16([1, -1], -1).tolist() == [int(tanh_of_steps(2)), int(tanh_of_steps(-1))]
