"""Canonical Huffman codes: shortest, exact, and safe against bytes of any origin."""

from itertools import combinations_with_replacement, pairwise
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from refq.compress import (
    HuffmanCode,
    huffman_bits,
    huffman_bits_per_weight,
    huffman_decode,
    huffman_encode,
    huffman_report,
)
from refq.errors import LoadError, RangeError
from refq.graph import Codebook


def package_merge(counts, limit):
    """Larmore and Hirschberg 1990: the least total length of words of at most `limit` bits."""
    coins = sorted((n, (i,)) for i, n in enumerate(counts))
    row = list(coins)
    for _ in range(limit - 1):
        pairs = [(row[i][0] + row[i + 1][0], row[i][1] + row[i + 1][1]) for i in range(0, len(row) - 1, 2)]
        row = sorted(coins + pairs)
    return sum(n for n, _ in row[: 2 * len(counts) - 2])


def least_by_trial(counts):
    """The least total length over all lengths that Kraft's inequality admits."""
    ranked, n = sorted(counts, reverse=True), len(counts)
    fits = (ls for ls in combinations_with_replacement(range(1, n), n) if sum(2.0**-length for length in ls) <= 1)
    return min(sum(c * length for c, length in zip(ranked, lengths, strict=True)) for lengths in fits)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=7))
def test_no_prefix_code_is_shorter(counts):
    lengths = HuffmanCode.of_counts(counts).lengths
    total = int((lengths * np.array(counts)).sum())
    assert total == package_merge(counts, len(counts) - 1 or 1)
    if len(counts) <= 6:
        assert total == least_by_trial(counts)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300))
def test_words_are_prefix_free_consecutive_and_as_long_as_package_merge_says(counts):
    code = HuffmanCode.of_counts(counts)
    symbols, words = code.words()
    texts = [format(w, f"0{code.lengths[s]}b") for s, w in zip(symbols, words, strict=True)]
    assert texts == sorted(texts)
    for a, b in pairwise(texts):
        assert not b.startswith(a)
    assert [(len(t), s) for t, s in zip(texts, symbols, strict=True)] == sorted(
        (len(t), s) for t, s in zip(texts, symbols, strict=True)
    )
    used = [n for n in counts if n]
    if len(used) > 1:
        assert int((code.lengths * np.array(counts)).sum()) == package_merge(used, 24)


def test_a_code_by_hand():
    code = HuffmanCode.of_counts([1, 1, 2, 4])  # words 110 111 10 0
    assert code.lengths.tolist() == [3, 3, 2, 1]
    symbols, words = code.words()
    assert (symbols.tolist(), words.tolist()) == ([3, 2, 0, 1], [0, 2, 6, 7])
    assert code.encode(np.array([3, 0, 2])) == bytes([0b01101000])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "u4", "i8", "u8"])
@given(data=st.data())
def test_codes_come_back_exactly(dtype, data):
    low = 0 if dtype[0] == "u" else -100
    codes = data.draw(arrays(dtype, st.integers(0, 200), elements=st.integers(low, 100)))
    again = huffman_decode(huffman_encode(codes))
    assert again.dtype == codes.dtype
    np.testing.assert_array_equal(again, codes)


@pytest.mark.parametrize("bits", range(1, 17))
def test_skewed_codes_of_every_width_come_back_and_lie_between_entropy_and_one_bit_more(bits):
    rng = np.random.default_rng(bits)
    codes = np.minimum(rng.geometric(1.6 / 2**bits, 20000) - 1, 2**bits - 1).astype(np.uint16)
    data, report = huffman_encode(codes), huffman_report(codes)
    np.testing.assert_array_equal(huffman_decode(data), codes)
    share = np.unique(codes, return_counts=True)[1] / codes.size
    entropy = -sum(p * log2(p) for p in share.tolist())
    assert report.entropy_bits == pytest.approx(entropy)
    assert entropy <= report.bits_per_code < entropy + 1
    assert len(data) == report.table_bytes + -(-report.payload_bits // 8)
    assert report.total_bits_per_code == pytest.approx(8 * len(data) / codes.size, abs=8 / codes.size)


def test_long_data_cross_the_chunks_of_the_decoder():
    codes = np.random.default_rng(0).geometric(0.2, 900_000).astype(np.uint8)
    np.testing.assert_array_equal(huffman_decode(huffman_encode(codes)), codes)


def test_words_may_be_as_long_as_fibonacci_makes_them():
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    code = HuffmanCode.of_counts(fibonacci)
    assert code.lengths.max() == 39
    symbols = np.array([0, 39, 1, 20, 0])
    np.testing.assert_array_equal(code.decode(code.encode(symbols), 5), symbols)
    while len(fibonacci) < 70:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    with pytest.raises(RangeError, match="exceeds 56"):
        HuffmanCode.of_counts(fibonacci)


def test_no_codes_and_a_single_symbol():
    for codes in (np.zeros(0, np.int16), np.full(9, -7, np.int8), np.array([5], np.uint8)):
        again = huffman_decode(huffman_encode(codes))
        assert again.dtype == codes.dtype
        np.testing.assert_array_equal(again, codes)
    report = huffman_report(np.full(9, 3))
    assert (report.payload_bits, report.entropy_bits, report.bits_per_code) == (9, 0.0, 1.0)
    empty = huffman_report(np.zeros(0, int))
    assert (empty.bits_per_code, empty.total_bits_per_code) == (0.0, 0.0)


def test_shapes_are_flattened_in_c_order():
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3).T
    np.testing.assert_array_equal(huffman_decode(huffman_encode(codes)), codes.ravel())


@given(st.data())
def test_damaged_bytes_give_an_error_or_codes_but_never_a_crash(data):
    codes = data.draw(arrays(np.uint8, st.integers(0, 40), elements=st.integers(0, 9)))
    whole = bytearray(huffman_encode(codes))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        again = huffman_decode(cut)
    except LoadError:
        return
    assert again.size <= 8 * len(cut)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: b"", "do not begin"),
        (lambda d: b"XXXX" + d[4:], "do not begin"),
        (lambda d: d[:4] + b"\x63" + d[5:], "word lengths"),
        (lambda d: d[:9] + b"\xff\xff\xff\xff" + d[13:], "word lengths"),
        (lambda d: d[:13] + b"\xff" * 8 + d[21:], "cannot hold"),
        (lambda d: d[:21] + b"\x01\x01\x01" + d[24:], "complete prefix code"),
        (lambda d: d[:21] + b"\xff\xff\xff" + d[24:], "0..56"),
        (lambda d: d[:5] + b"\xff\xff\xff\x7f" + d[9:], "do not fit"),
        (lambda d: d[:-1], "cannot hold|end"),
    ],
)
def test_what_is_wrong_with_bytes_is_said(change, text):
    data = huffman_encode(np.array([0, 1, 1, 2, 2, 2, 0, 2], np.uint8))
    with pytest.raises(LoadError, match=text):
        huffman_decode(change(data))


def test_a_set_bit_in_data_of_one_symbol_is_an_error():
    data = huffman_encode(np.full(3, 4, np.uint8))
    with pytest.raises(LoadError, match="single symbol"):
        huffman_decode(data[:-1] + b"\x80")


def test_data_that_end_inside_a_word_are_an_error():
    code = HuffmanCode.of_counts([1] * 8)  # words of 3 bits: the sixth begins at bit 15 of 16
    whole = code.encode(np.arange(6))
    np.testing.assert_array_equal(code.decode(whole, 6), np.arange(6))
    with pytest.raises(LoadError, match="inside code word 6"):
        code.decode(whole[:2], 6)
    with pytest.raises(LoadError, match="end after 6 of 7"):
        code.decode(whole[:2], 7)


def test_what_cannot_be_coded_is_refused():
    with pytest.raises(RangeError, match="must be integers"):
        huffman_encode(np.array([0.5]))
    with pytest.raises(RangeError, match="span at most 65536"):
        huffman_encode(np.array([0, 1 << 20]))
    with pytest.raises(RangeError, match="must not be negative"):
        HuffmanCode.of_counts([1, -1])
    with pytest.raises(RangeError, match="has no word"):
        HuffmanCode.of_counts([1, 0, 2]).encode(np.array([1]))
    with pytest.raises(RangeError, match=r"must lie in 0\.\.2"):
        HuffmanCode.of_counts([1, 0, 2]).encode(np.array([3]))


def test_codes_of_a_codebook_cost_what_their_words_measure():
    codes = np.array([0, 0, 0, 0, 1, 1, 2, 3]).reshape(2, 4, 1)
    book = Codebook(codes=codes, tables=np.arange(8).reshape(1, 1, 4, 2))
    assert huffman_report(codes).payload_bits == 14
    assert huffman_bits([4, 2, 1, 1]) == 1.75
    assert huffman_bits_per_weight(book) == 1.75 / 2  # a code names two weights
    assert huffman_bits([]) == 0.0
