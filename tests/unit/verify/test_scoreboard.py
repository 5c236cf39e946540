"""The scoreboard: what it lets pass, what it refuses, and what its report says."""

import numpy as np
import pytest

from refq.errors import RangeError
from refq.verify import ArrayOrder, Golden, MismatchError, Scoreboard, random_codes
from tests.unit.verify.graphs import convolution


@pytest.fixture(scope="module")
def layer():
    graph = convolution()
    x = random_codes(graph)
    golden = Golden(graph)
    (record,) = golden.records(x)
    return golden, x, record


def report(board):
    with pytest.raises(MismatchError) as caught:
        board.finish()
    return str(caught.value)


def test_right_items_in_order_pass():
    board = Scoreboard([5, -1, 3], bits=8)
    for value in (5, np.int8(-1), "00000011"):
        board.observe(value)
    assert board.finish().checked == 3


def test_nothing_seen_fails_even_where_nothing_was_expected():
    assert "nothing was observed" in report(Scoreboard([]))
    assert "2 missing" in report(Scoreboard([1, 2]))


def test_missing_and_extra_items_fail():
    board = Scoreboard([5, -1, 3])
    board.observe(5)
    text = report(board)
    assert "2 mismatches (2 missing), 1 items compared" in text
    assert "item 1 at (1,): expected -1" in text
    assert "got nothing" in text
    assert "missing results: 2 of 3 results never came" in text
    board = Scoreboard([5])
    board.observe(5)
    board.observe(6)
    assert "extra: item 1" in report(board)


@pytest.mark.parametrize("value", ["x", "z", "0000000x", "zzzzzzzz", "xxxxxxxx", "Z", "uuuuuuuu"])
def test_a_value_that_is_not_known_is_a_mismatch(value):
    board = Scoreboard([0], bits=8)
    board.observe(value)
    text = report(board)
    assert f"got {value} (unknown)" in text
    assert "unknown value" in text


def test_a_value_is_shown_in_decimal_hexadecimal_and_bits():
    board = Scoreboard([-3], bits=8, layer="conv", max_report=1)
    board.observe(5)
    text = report(board)
    assert "layer 'conv'" in text
    assert "expected -3 (0xfd, 0b11111101), got 5 (0x05, 0b00000101), difference +8" in text


def test_only_the_first_mismatches_are_written_out():
    board = Scoreboard(range(10), max_report=2)
    for i in range(10):
        board.observe(i + 1)
    text = report(board)
    assert "... and 8 more" in text
    assert text.count("expected") == 2


class Bits:
    """A value of a simulator: printed as binary digits, as long as it is wide."""

    def __init__(self, text):
        self.text = text

    def __len__(self):
        return len(self.text)

    def __str__(self):
        return self.text


def test_binary_values_are_read_with_the_sign_of_what_is_expected():
    for expected, bits in ((-1, 8), (255, 8), (-8, 32)):
        board = Scoreboard([expected], bits=bits)
        width = 4 if expected == -8 else 8
        board.observe(Bits(f"{expected & (1 << width) - 1:0{width}b}"))
        assert board.finish().checked == 1
    unsigned = convolution(unsigned=True)
    x = random_codes(unsigned)
    (record,) = Golden(unsigned).records(x)
    board = Scoreboard(Golden(unsigned).step("layer", x), bits=8, record=record)
    for value in record.tensors["y"].values.reshape(-1).tolist():
        board.observe(f"{value:08b}")
    assert board.finish().checked == record.tensors["y"].values.size


def test_items_in_any_order_name_their_coordinates(layer):
    golden, x, record = layer
    items = list(golden.step("layer", x))
    board = Scoreboard(items, "any", record=record)
    for item in reversed(items):
        board.observe(item.value, item.coordinates)
    assert board.finish().checked == len(items)
    board = Scoreboard(items, "any")
    with pytest.raises(RangeError, match="needs the coordinates"):
        board.observe(1)
    board.observe(items[0].value, items[0].coordinates)
    board.observe(items[0].value, items[0].coordinates)
    board.observe(0, (9, 9, 9, 9))
    text = report(board)
    assert "2 extra" in text
    assert f"{len(items) - 1} missing" in text


def test_a_tile_must_be_whole_before_the_next():
    def board():
        return Scoreboard([10, 11, 20, 21], "by_tile", tile=2)

    right, wrong = board(), board()
    for place in (1, 0, 3, 2):
        right.observe((10, 11, 20, 21)[place], (place,))
    assert right.finish().checked == 4
    for place in (0, 2, 1, 3):
        wrong.observe((10, 11, 20, 21)[place], (place,))
    assert "1 extra" in report(wrong)
    with pytest.raises(RangeError, match="tile=0"):
        Scoreboard([1], "by_tile")
    with pytest.raises(RangeError, match="not one of"):
        Scoreboard([1], "sometimes")  # type: ignore[arg-type]


def test_the_report_shows_what_stands_behind_a_code(layer):
    golden, x, record = layer
    board = Scoreboard(golden.step("layer", x), record=record, layer="layer", bits=8, max_report=1)
    y = record.tensors["y"].values
    place = (0, 2, 1, 3)
    for where, value in np.ndenumerate(y):
        board.observe(int(value) + (where == place))
    text = report(board)
    index = int(np.ravel_multi_index(place, y.shape))
    a, b = record.product()
    assert f"item {index} at {place}" in text
    assert f"accumulator {record.tensors['acc'].values[place]}" in text
    assert f"bias {record.tensors['bias'].values[3]}" in text
    assert f"multiplier {record.tensors['multiplier'].values[3]}" in text
    assert f"high {record.tensors['high'].values[place]}" in text
    assert f"operands {a[9, 0]}*{b[0, 3]}, {a[9, 1]}*{b[1, 3]}" in text


def test_the_report_of_an_array_names_word_lane_and_operands(layer):
    golden, x, record = layer
    order = ArrayOrder(rows=4, cols=2)
    board = Scoreboard(golden.step("layer", x, order), record=record, array=order, max_report=1)
    a, b = record.product()
    values = order.events(a, b)
    values[6, 1] += 1
    for value in values.reshape(-1).tolist():
        board.observe(value)
    text = report(board)
    assert "word 6, lane 1" in text
    row, column, _ = order.coordinates(len(a), b.shape[1], len(b))[6, 1].tolist()
    assert f"operands {a[row, 0]}*{b[0, column]}" in text


def test_a_systematic_fault_of_an_array_is_named(layer):
    golden, x, record = layer
    order = ArrayOrder(rows=4, cols=2)
    a, b = record.product()
    events = order.events(a, b)
    tiles = events.reshape(-1, 4, 2)
    kept = np.cumsum(tiles, axis=0).reshape(events.shape)
    narrow = ((events + (1 << 11)) & 0xFFF) - (1 << 11)
    late = np.roll(events, 1, axis=0)
    unsigned = order.events(a, b & 255)
    for values, cause in (
        (kept, "stale accumulator: sums are never cleared"),
        (narrow, "accumulator width: accumulator of 12 bits that wraps"),
        (tiles[:, ::-1].reshape(events.shape), "order of results: rows of a tile in reverse order"),
        (late, "timing: one word late"),
        (unsigned, "sign extension: weights read as unsigned numbers"),
    ):
        board = Scoreboard(golden.step("layer", x, order), record=record, array=order)
        for value in values.reshape(-1).tolist():
            board.observe(value)
        assert f"likeliest cause: {cause}" in report(board)
