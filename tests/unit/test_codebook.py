"""Codes, tables and scales against the definition, element by element."""

import numpy as np
import pytest

from refq.errors import GraphError, RangeError, ShapeError
from refq.graph import Codebook, Graph, Node, QParams, TensorSpec


def a_book(
    seed: int = 0, shape: tuple[int, ...] = (3, 5), sharing: tuple[int, ...] = (1, 2), width: int = 2
) -> Codebook:
    rng = np.random.default_rng(seed)
    books = int(np.prod([-(-n // s) if s else 1 for n, s in zip(shape, sharing, strict=True)]))
    return Codebook(
        codes=rng.integers(0, 7, (*shape, 2)),
        tables=rng.integers(-90, 90, (books, 2, 7, width)),
        sharing=sharing,
        scales=rng.integers(1, 9, books),
    )


def test_decoding_follows_the_definition_element_by_element() -> None:
    book = a_book()
    for o in range(3):
        for s in range(5):
            number = o * 3 + s // 2
            for i in range(2):
                want = sum(int(book.tables[number, r, book.codes[o, s, r], i]) for r in range(2))
                assert book.scales is not None
                assert book.decode()[o, s * 2 + i] == want * int(book.scales[number])


def test_books_of_a_convolution_are_counted_along_every_axis() -> None:
    book = a_book(shape=(4, 3, 3, 5), sharing=(2, 0, 0, 3), width=1)
    assert [int(book.books()[o, 2, 1, c]) for o in range(4) for c in range(5)] == [
        0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 2, 2, 2, 3, 3,
    ]  # fmt: skip


def test_stored_bits_and_metadata_follow_from_the_shapes() -> None:
    book = a_book()  # 3 bits a code, 2 stages, 2 weights a code; 9 books of 2 * 7 * 2 entries of one byte, 9 scales
    assert book.bits_per_weight == 3.0
    assert book.metadata_bytes == 9 * 28 + 9


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"codes": [[[2]]]}, RangeError),
        ({"codes": [[0.5]]}, ShapeError),
        ({"tables": [[[[1 << 31], [0]]]]}, RangeError),
        ({"tables": [[[1], [2]]]}, ShapeError),
        ({"sharing": (1,)}, ShapeError),
        ({"sharing": (-1, 0)}, ShapeError),
        ({"multiplier": "shift", "tables": [[[[3], [0]]]]}, RangeError),
        ({"multiplier": "sign", "tables": [[[[3], [2]]]]}, RangeError),
        ({"multiplier": "bit_planes", "tables": [[[[3], [2], [1]]]]}, ShapeError),
        ({"multiplier": "group_rescale"}, RangeError),
        ({"multiplier": "guess"}, RangeError),
        ({"scales": [0]}, ShapeError),
        ({"scales": [1, 2]}, ShapeError),
        ({"scales": [1 << 24], "tables": [[[[1 << 8], [0]]]]}, RangeError),
    ],
)
def test_contradictions_are_refused(change: dict, error: type[Exception]) -> None:
    good = {"codes": [[[0], [1]]], "tables": [[[[1], [2]]]]}
    Codebook(**good)
    with pytest.raises(error):
        Codebook(**{**good, **change})


def test_a_graph_takes_only_a_codebook_that_decodes_to_its_constant() -> None:
    book = Codebook(codes=[[[0], [1]]], tables=[[[[1], [2]]]])

    def graph(values: list[list[int]], grid: QParams | None) -> Graph:
        return Graph(
            name="g",
            nodes=(Node(op="Dense", name="d", inputs=("x", "w"), outputs=("y",)),),
            tensors={
                "x": TensorSpec(name="x", shape=(1, 2)),
                "w": TensorSpec(name="w", shape=(1, 2), dtype="int8", qparams=grid, codebook=book),
                "y": TensorSpec(name="y", shape=(1, 1)),
            },
            constants={"w": np.array(values, np.int8)},
            inputs=("x",),
            outputs=("y",),
        )

    assert graph([[1, 2]], QParams(scale=1.0)).tensors["w"].codebook == Codebook(codes=book.codes, tables=book.tables)
    with pytest.raises(RangeError, match="other integers"):
        graph([[1, 1]], QParams(scale=1.0))
    with pytest.raises(ShapeError, match="decodes to"):
        graph([[1, 2, 3]], QParams(scale=1.0))
    with pytest.raises(GraphError, match="no grid"):
        graph([[1, 2]], None)
