"""Laws 18, 19 and 22: integer matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from refq.testing.corners import integer_corners
from refq.testing.law import expect_equal
from refq.testing.oracles import wrap
from refq.testing.registry import law, no_example
from refq.testing.strategies import GemmCase, gemm_cases, same_sign_cases
from refq.testing.subjects import Matmul, NibbleMultiplier

Array = Any
DEPTHS = (1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65)


def extremes(m: Matmul) -> Iterator[GemmCase]:
    """Sums of equal signs of every depth, and ragged shapes full of corners."""
    for depth in DEPTHS:
        yield from same_sign_cases(m.a, m.b, depth)
    left, right = np.array(integer_corners(*m.a)), np.array(integer_corners(*m.b))
    for rows, depth, columns in ((1, 1, 1), (3, 1, 5), (1, 7, 1), (5, 3, 4), (17, 33, 9), (33, 65, 17)):
        a, b = np.resize(left, (rows, depth)), np.resize(right[::-1], (depth, columns))
        yield GemmCase(a=a, b=b, a_zero=m.a[0], b_zero=m.b[1])


def cases(m: Matmul) -> SearchStrategy[GemmCase]:
    """Ragged products of the operands' codes."""
    return gemm_cases(m.a, m.b)


def direct(m: Matmul, a: Array, b: Array) -> Array:
    """The product on integers without width, wrapped to the width of the sums."""
    exact = a.astype(object) @ b.astype(object)
    return np.array([[wrap(int(v), m.bits) for v in row] for row in exact], np.int64).reshape(exact.shape)


def _call(m: Matmul, a: Array, b: Array) -> Array:
    return np.asarray(m.multiply(a, b)).astype(np.int64)


def _wrapped(m: Matmul, sums: Array) -> Array:
    half = np.int64(1) << (m.bits - 1)
    return ((sums + half) & (2 * half - 1)) - half if m.bits < 64 else sums


@law(
    Matmul,
    18,
    "big integers",
    "y[m, n] = sum_k a[m, k] * b[k, n] on integers without width, wrapped",
    "definition",
    fixed=extremes,
    drawn=cases,
)
def product_equals_definition(m: Matmul, case: GemmCase) -> None:
    expect_equal(_call(m, case.a, case.b), direct(m, case.a, case.b), a=case.a, b=case.b)


@law(
    Matmul,
    18,
    "linear",
    "(a' + a'') b == a' b + a'' b before requantization",
    "distributive law",
    fixed=extremes,
    drawn=cases,
)
def product_is_linear(m: Matmul, case: GemmCase) -> None:
    part = np.clip(case.a // 2, *m.a)
    rest = case.a - part
    if rest.size and (rest.min() < m.a[0] or rest.max() > m.a[1]):
        return
    expected = _wrapped(m, _call(m, part, case.b) + _call(m, rest, case.b))
    expect_equal(_call(m, case.a, case.b), expected, a=case.a, b=case.b)


@law(
    Matmul,
    18,
    "zero points",
    "sum a b - za sum b - zb sum a + K za zb == sum (a - za)(b - zb)",
    "Jacob et al. 2018, eq. (7)",
    fixed=extremes,
    drawn=cases,
)
def zero_points_expand(m: Matmul, case: GemmCase) -> None:
    a, b, za, zb = case.a, case.b, case.a_zero, case.b_zero
    sums = _call(m, a, b) - za * b.sum(axis=0) - zb * a.sum(axis=1)[:, None] + a.shape[1] * za * zb
    expect_equal(_wrapped(m, sums), direct(m, a - za, b - zb), a=a, b=b, a_zero=za, b_zero=zb)


@law(
    Matmul,
    19,
    "tiles",
    "any cut into tiles of rows, columns and depth, in any order, gives the same sums (wrapping)",
    "addition modulo 2**n is associative",
    fixed=extremes,
    drawn=cases,
)
def tiles_do_not_matter(m: Matmul, case: GemmCase) -> None:
    a, b = case.a, case.b
    whole = _call(m, a, b)
    for tile in (1, 4):
        total = np.zeros(whole.shape, np.int64)
        for k in reversed(range(0, a.shape[1], max(tile, a.shape[1] // 4))):
            step = max(tile, a.shape[1] // 4)
            total = _wrapped(m, total + _call(m, a[:, k : k + step], b[k : k + step]))
        expect_equal(total, whole, a=a, b=b, tile=f"{tile} along depth")
    rows, columns = (a.shape[0] + 1) // 2, (b.shape[1] + 1) // 2
    parts = [
        [_call(m, p, q) for q in (b[:, :columns], b[:, columns:]) if q.size] for p in (a[:rows], a[rows:]) if p.size
    ]
    expect_equal(np.block(parts), whole, a=a, b=b, tile=(rows, columns))


@law(
    NibbleMultiplier,
    22,
    "bytes from nibbles",
    "256 hh + 16 (hl + lh) + ll == x y for all 65,536 pairs of int8, high nibbles signed, low ones unsigned",
    "x = 16 h + l",
    fixed=no_example,
)
def bytes_from_nibbles(n: NibbleMultiplier, _: None) -> None:
    x, y = (v.ravel() for v in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128), indexing="ij"))
    high, low = {"x": x >> 4, "y": y >> 4}, {"x": x & 15, "y": y & 15}

    def product(p: Array, q: Array) -> Array:
        return np.asarray(n.multiply(p, q)).astype(np.int64)

    cross = product(high["x"], low["y"]) + product(low["x"], high["y"])
    got = 256 * product(high["x"], high["y"]) + 16 * cross + product(low["x"], low["y"])
    expect_equal(got, x * y, x=x, y=y)
