"""Fixed-point functions bit for bit against scalar objects with machine words."""

import numpy as np
import pytest

from refq.numerics.exponential import exp_on_negative_values
from refq.numerics.logistic import logistic, tanh
from refq.numerics.reciprocal import one_minus_x_over_one_plus_x, one_over_one_plus_x
from tests.naive import gemmlowp as naive
from tests.unit.numerics.published_inputs import VALUES

FORMATS = [(bits, k) for bits in (32, 16) for k in (0, 1, 3, 4, 5, 6, 9)]


def sample(bits: int) -> np.ndarray:
    if bits == 32:
        return VALUES[32]
    rng = np.random.default_rng(8)
    near = [s * 2**k + d for s in (1, -1) for k in range(15) for d in (-2, -1, 0, 1, 2)]
    return np.unique([*near, -32768, -32767, 32767, *rng.integers(-32768, 32768, 1500)])


@pytest.mark.parametrize(("bits", "k"), FORMATS)
@pytest.mark.parametrize(("ours", "theirs"), [(logistic, naive.logistic), (tanh, naive.tanh)])
def test_logistic_and_tanh_equal_the_scalar_objects(ours, theirs, bits, k):
    a = sample(bits)
    assert ours(a, k, bits).tolist() == [theirs(naive.Fixed(int(v), k, bits)).raw for v in a]


@pytest.mark.parametrize(("bits", "k"), FORMATS)
def test_exponentials_equal_the_scalar_objects(bits, k):
    a = sample(bits)
    a = a[a <= 0]
    want = [naive.exp_negative(naive.Fixed(int(v), k, bits)).raw for v in a]
    assert exp_on_negative_values(a, k, bits).tolist() == want


@pytest.mark.parametrize("bits", [32, 16])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(one_over_one_plus_x, naive.one_over_one_plus), (one_minus_x_over_one_plus_x, naive.one_minus_over_one_plus)],
)
def test_quotients_equal_the_scalar_objects(ours, theirs, bits):
    a = sample(bits)
    a = a[a >= 0]
    assert ours(a, bits).tolist() == [theirs(naive.Fixed(int(v), 0, bits)).raw for v in a]
