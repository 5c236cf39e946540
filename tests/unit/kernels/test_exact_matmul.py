"""`numerics.exact_matmul` leaves large narrow products to the kernels and keeps the others."""

import numpy as np
import pytest

from refq.kernels import cpu
from refq.kernels import matmul as kernels
from refq.numerics import exact_matmul
from refq.numerics import matmul as numerics

needs_native = pytest.mark.skipif(not cpu.available(), reason="no instruction set with kernels")


@pytest.fixture
def asked(monkeypatch):
    """The types of the operands that reach the kernels; every size is large."""
    seen = []
    inner = kernels.integer_matmul

    def spy(a, b, threads=1):
        seen.append((a.dtype.name, b.dtype.name))
        return inner(a, b, threads)

    monkeypatch.setattr(kernels, "integer_matmul", spy)
    monkeypatch.setattr(numerics, "WORTH_A_KERNEL", 0)
    return seen


@needs_native
@pytest.mark.parametrize(
    ("a_range", "b_range", "want"),
    [
        ((-128, 127), (-127, 127), [("int8", "int8")]),
        ((0, 255), (-128, 127), [("uint8", "int8")]),
        ((-255, 255), (0, 200), [("int16", "uint8")]),
        ((-255, 255), (-255, 255), []),
        ((-40000, 40000), (-1, 1), []),
    ],
)
def test_values_choose_the_kernel_and_the_product_stays_exact(asked, monkeypatch, a_range, b_range, want):
    monkeypatch.setenv(cpu.VARIABLE, "native")
    rng = np.random.default_rng(0)
    a, b = rng.integers(*a_range, (9, 30), endpoint=True), rng.integers(*b_range, (30, 11), endpoint=True)
    a[0, :2], b[:2, 0] = a_range, b_range
    product = exact_matmul(a, b)
    assert product.dtype == np.int64
    assert product.tolist() == [
        [sum(x * y for x, y in zip(r, c, strict=True)) for c in b.T.tolist()] for r in a.tolist()
    ]
    assert asked == want


@pytest.mark.parametrize("route", ["numpy", "generic"])
def test_the_reference_stays_numpy(asked, monkeypatch, route):
    monkeypatch.setenv(cpu.VARIABLE, route)
    assert exact_matmul(np.array([[2, 3]]), np.array([[5], [7]])).tolist() == [[31]]
    assert asked == []


@needs_native
def test_sums_beyond_32_bits_are_not_left_to_the_kernels(asked, monkeypatch):
    monkeypatch.setenv(cpu.VARIABLE, "native")
    a, b = np.full((1, 600), 32767), np.full((600, 1), 127)
    assert exact_matmul(a, b).tolist() == [[600 * 32767 * 127]]
    assert asked == []
