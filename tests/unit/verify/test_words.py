"""Memory words: what is packed is what $readmemh reads, and what a dump holds is what is read back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import LoadError, RangeError, ShapeError
from refq.verify import WordFormat, hex_text, parse_hex, read_hex


@st.composite
def memories(draw):
    bits, lanes = draw(st.integers(1, 64)), draw(st.integers(1, 9))
    form = WordFormat(
        bits=bits, lanes=lanes, order=draw(st.sampled_from(["little", "big"])), signed=draw(st.booleans())
    )
    low, high = form.limits
    value = st.sampled_from([-1, 1]) if form.signed and bits == 1 else st.integers(low, high)
    values = draw(st.lists(value | st.sampled_from([low, high]), min_size=0, max_size=40))
    return form, np.array(values, np.int64 if low < 0 or high < 1 << 63 else np.uint64)


@given(memories())
def test_what_is_packed_is_unpacked(memory):
    form, values = memory
    np.testing.assert_array_equal(form.unpack(form.pack(values), len(values)), values)


@given(memories())
def test_text_is_the_hexadecimal_of_the_packed_words(memory):
    form, values = memory
    assert form.text(values) == hex_text(form.pack(values), form.digits)


@given(memories())
def test_text_is_parsed_back(memory):
    form, values = memory
    dump = parse_hex(form.text(values), "memory", form.digits)
    assert not dump.unknown
    np.testing.assert_array_equal(form.unpack([word for word in dump.words if word is not None], len(values)), values)


@given(memories())
def test_a_lane_lies_where_its_order_says(memory):
    form, values = memory
    for number, word in enumerate(form.pack(values)):
        for lane, value in enumerate(values[number * form.lanes :][: form.lanes].tolist()):
            place = lane if form.order == "little" else form.lanes - 1 - lane
            code = (value + 1) // 2 if form.bits == 1 and form.signed else value % (1 << form.bits)
            assert (word >> (place * form.bits)) % (1 << form.bits) == code


def test_words_of_known_values_are_those_written_by_hand():
    values = np.array([-1, 2, -8, 7, 1])
    assert WordFormat(bits=4, lanes=2).text(values) == "2f\n78\n01\n"
    assert WordFormat(bits=4, lanes=2, order="big").text(values) == "f2\n87\n10\n"
    assert WordFormat(bits=1, lanes=4).text(np.array([1, -1, -1, 1, 1])) == "9\n1\n"
    assert WordFormat(bits=5, lanes=2).text(np.array([-16, 15])) == "1f0\n"


@pytest.mark.parametrize("values", [[128], [-129], [0, 300]])
def test_a_value_no_lane_holds_is_refused(values):
    with pytest.raises(RangeError, match="do not fit 8 bits"):
        WordFormat(bits=8).text(np.array(values))


def test_zero_is_no_sign_and_a_real_is_no_code():
    with pytest.raises(RangeError, match="not 0"):
        WordFormat(bits=1).pack(np.array([1, 0]))
    with pytest.raises(RangeError, match="no integers"):
        WordFormat(bits=32).pack(np.array([1.5]))


@pytest.mark.parametrize("wrong", [{"bits": 0}, {"bits": 65}, {"bits": 8, "lanes": 0}, {"bits": 8, "order": "middle"}])
def test_impossible_formats_are_refused(wrong):
    with pytest.raises(RangeError):
        WordFormat(**wrong)


def test_too_few_or_too_wide_words_are_refused():
    with pytest.raises(ShapeError, match="2 words hold 4 values, 5"):
        WordFormat(bits=8, lanes=2).unpack([1, 2], 5)
    with pytest.raises(RangeError, match="exceeds the 9 bits"):
        WordFormat(bits=9).unpack([512])


def test_comments_addresses_underscores_and_crlf_are_understood():
    text = "// memory\r\n0_1 /* two\r\nlines */ 02\r\n@4 ff // last\r\n"
    dump = parse_hex(text, "memory", 2)
    assert dump.words == (1, 2, None, None, 255)
    assert dump.unknown == {}


def test_x_and_z_are_never_numbers():
    dump = parse_hex("0x\nzz\n12\n", "memory", 2)
    assert dump.words == (None, None, 0x12)
    assert dump.unknown == {0: "0x", 1: "zz"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12\n-5\n", "line 2: word '-5' is not hexadecimal"),
        ("1g\n", "line 1: word '1g'"),
        ("00\n123\n", "line 2: word '123' has more than 2"),
        ("01010101\n", "more than 2 hexadecimal digits"),
        ("/* open\n12\n", "not closed"),
        ("01 02\n@0 03\n", "out of order"),
        ("@ffffffff 03\n", "beyond the memory"),
        ("@g 03\n", "address '@g'"),
        ("_\n", "not hexadecimal"),
    ],
)
def test_what_is_no_hex_memory_names_line_and_word(text, message):
    with pytest.raises(LoadError, match=message):
        parse_hex(text, "memory", 2)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(LoadError, match=r"none\.hex"):
        read_hex(tmp_path / "none.hex")
    (tmp_path / "binary.hex").write_bytes(b"\xff\x00")
    with pytest.raises(LoadError, match=r"binary\.hex"):
        read_hex(tmp_path / "binary.hex")
