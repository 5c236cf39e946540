"""Every multiplier against the sum of products with the decoded integers, in Python numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refq.errors import AccumulatorOverflowError, ShapeError
from refq.graph import Codebook
from refq.graph.codebook import MULTIPLIERS
from refq.numerics.coded_products import CodedRows, coded_matmul


def a_table(multiplier: str, rng: np.random.Generator, books: int, stages: int, width: int) -> Any:
    if multiplier == "shift":
        return np.array([-64, -8, -1, 0, 1, 2, 16])[rng.integers(0, 7, (books, 1, 5, 1))]
    if multiplier == "sign":
        rows = rng.integers(1, 128, (books, 1, 2, 1))
        return np.concatenate([-rows[:, :, :1], np.zeros_like(rows[:, :, :1]), rows[:, :, 1:]], axis=2)
    if multiplier == "bit_planes":
        on = rng.integers(-90, 90, (books, stages, 1, 1))
        off = -on if rng.integers(2) else rng.integers(-90, 90, on.shape)
        return np.concatenate([off, on], axis=2)
    if multiplier == "shift_add":
        return rng.integers(-127, 128, (books, 1, 9, 1))
    return rng.integers(-300, 300, (books, stages, 9, width))


def a_book(
    multiplier: str, seed: int, shape: tuple[int, ...], sharing: tuple[int, ...], stages: int, width: int
) -> Any:
    rng = np.random.default_rng(seed)
    books = int(np.prod([-(-n // s) if s else 1 for n, s in zip(shape, sharing, strict=True)]))
    single = multiplier in ("shift", "shift_add", "sign")
    is_scaled = multiplier == "group_rescale" or bool(rng.integers(2))
    table = a_table(multiplier, rng, 1 if is_scaled and rng.integers(2) else books, stages, width)
    return Codebook(
        codes=rng.integers(0, table.shape[2], (*shape, 1 if single else stages)),
        tables=table,
        sharing=sharing,
        multiplier=multiplier,
        scales=rng.integers(1, 200, books) if is_scaled else None,
    )


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(MULTIPLIERS),
    st.integers(0, 1 << 30),
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 7)),
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([(-1, 1), (0, 3), (-255, 255)]),
)
def test_every_multiplier_gives_the_sum_of_products_of_the_decoded_integers(
    multiplier: str, seed: int, shape: Any, sharing: Any, stages: int, width: int, limits: tuple[int, int]
) -> None:
    width = width if multiplier in ("multiply", "lookup", "group_rescale") else 1
    book = a_book(multiplier, seed, shape, sharing, stages, width)
    w = book.decode().reshape(shape[0], -1).tolist()
    x = np.random.default_rng(seed).integers(limits[0], limits[1] + 1, (3, len(w[0])))
    want = [[sum(a * b for a, b in zip(row, column, strict=True)) for column in w] for row in x.tolist()]
    assert coded_matmul(x, book).tolist() == want


@pytest.mark.parametrize("multiplier", ["sign", "bit_planes"])
def test_signs_of_both_operands_are_counted(multiplier: Any) -> None:
    book = Codebook(codes=[[[1], [0], [1]]], tables=[[[[-7], [7]]]], multiplier=multiplier)
    assert coded_matmul([[1, 1, -1]], book).tolist() == [[7 * (1 - 1 - 1)]]


def test_rows_whose_last_vector_is_cut_are_padded_with_nothing() -> None:
    book = Codebook(codes=[[[1], [0]]], tables=[[[[1, 2], [3, 4]]]], tail=(1, 3))
    assert book.decode().tolist() == [[[3, 4, 1]]]
    assert coded_matmul([[10, 100, 1000]], book).tolist() == [[30 + 400 + 1000]]


def test_wide_weights_sum_in_64_bits() -> None:
    depth = 5000
    for multiplier, table in (("lookup", [[[[32767, 32767]]]]), ("shift_add", [[[[32767]]]]), ("sign", [[[[32767]]]])):
        width = np.shape(table)[-1]
        book = Codebook(codes=np.zeros((1, depth // width, 1), np.uint8), tables=table, multiplier=multiplier)  # type: ignore[arg-type]
        assert coded_matmul(np.full((1, depth), 255), book).tolist() == [[depth * 255 * 32767]]


def test_what_even_64_bits_cannot_hold_is_refused() -> None:
    book = Codebook(codes=[[[0], [0]]], tables=[[[[(1 << 31) - 1]]]])
    with pytest.raises(AccumulatorOverflowError):
        coded_matmul(np.full((1, 2), 1 << 33), book)


def test_another_width_or_kind_is_refused() -> None:
    book = Codebook(codes=[[[0], [1]]], tables=[[[[1], [2]]]])
    for x in ([[1]], [[1.0, 2.0]], [1, 2]):
        with pytest.raises(ShapeError, match="must be integers"):
            coded_matmul(x, book)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(MULTIPLIERS),
    st.integers(0, 1 << 30),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6)),
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)),
    st.integers(1, 3),
    st.sampled_from([(-1, 1), (0, 3), (-255, 255)]),
)
def test_outputs_with_inputs_of_their_own_give_sums_of_products_too(
    multiplier: str, seed: int, shape: Any, sharing: Any, stages: int, limits: tuple[int, int]
) -> None:
    book = a_book(multiplier, seed, shape, sharing, stages, 1)
    w = book.decode().reshape(-1, shape[2]).tolist()  # outputs along the last axis
    x = np.random.default_rng(seed).integers(limits[0], limits[1] + 1, (2, len(w), shape[2]))
    want = [[sum(row[k][o] * w[k][o] for k in range(len(w))) for o in range(shape[2])] for row in x.tolist()]
    assert coded_matmul(x, CodedRows.of(book, 2)).tolist() == want


@pytest.mark.parametrize("sharing", [(0, 0, 0), (1, 0, 0), (2, 0, 2), (4, 1, 0)])
def test_some_rows_of_coded_weights_are_those_of_the_whole(sharing: tuple[int, ...]) -> None:
    book = a_book("lookup", 7, (6, 2, 3), sharing, 2, 2)
    x = np.random.default_rng(0).integers(-9, 9, (4, 12))
    whole = coded_matmul(x, book)
    assert np.array_equal(coded_matmul(x, CodedRows.of(book).outputs(3, 5)), whole[:, 3:5])


def test_rows_of_codes_of_several_weights_lie_along_the_first_axis_only() -> None:
    book = a_book("lookup", 0, (2, 3), (0, 0), 1, 2)
    with pytest.raises(ShapeError, match="first axis"):
        CodedRows.of(book, 1)
    with pytest.raises(ShapeError, match="integers"):
        coded_matmul(np.zeros((1, 6, 2), np.int64), CodedRows.of(book))
