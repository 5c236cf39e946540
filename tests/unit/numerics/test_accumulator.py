import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import AccumulatorOverflowError, RangeError
from refq.numerics import Accumulator, exact_matmul, exact_type


@given(value=st.integers(-(2**40), 2**40), bits=st.integers(8, 48))
def test_wrapping_keeps_the_low_bits(value, bits):
    kept = int(Accumulator(bits=bits, overflow="wrap").fit(np.array([value]))[0])
    assert (kept - value) % 2**bits == 0
    assert -(2 ** (bits - 1)) <= kept < 2 ** (bits - 1)


def test_saturating_stops_at_the_ends_and_raising_names_the_sum():
    sums = np.array([-40000, 5, 40000])
    assert Accumulator(bits=16, overflow="saturate").fit(sums).tolist() == [-32768, 5, 32767]
    with pytest.raises(AccumulatorOverflowError, match="a sum of -40000 does not fit an accumulator of 16 bits"):
        Accumulator(bits=16).fit(sums)
    with pytest.raises(RangeError, match=r"bits=7 is outside 8\.\.64"):
        Accumulator(bits=7)


@pytest.mark.parametrize(("bound", "name"), [(2**24 - 1, "float32"), (2**24, "float64"), (2**53, "int64")])
def test_the_type_of_an_exact_sum_follows_from_its_bound(bound, name):
    assert exact_type(bound).name == name


@given(
    k=st.integers(0, 2000), magnitude=st.sampled_from([1, 127, 255, 32767, 2**31 - 1]), seed=st.integers(0, 2**32 - 1)
)
def test_matrix_product_equals_big_integers_at_worst_case_magnitudes(k, magnitude, seed):
    rng = np.random.default_rng(seed)
    a = rng.choice([-magnitude, magnitude], (2, k))
    b = np.sign(a[:1].T + 0.5).astype(np.int64) * 127  # all products of one sign in row 0
    want = [[sum(int(x) * int(y) for x, y in zip(row, b[:, 0], strict=True))] for row in a]
    assert exact_matmul(a, b).tolist() == want
