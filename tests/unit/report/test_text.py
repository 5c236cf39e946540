from hwsim.report.text import align, digits, fitted, size

ROWS = [
    ("layer", "op", "bits", "macs", "cycles", "us", "share", "bound", "util", "uJ", "off-chip"),
    (
        "conv2d_with_a_long_name",
        "Conv2D",
        "w8a8",
        "2,359,296",
        "5,523",
        "11.50",
        "1.6%",
        "compute",
        "10%",
        "8.371",
        "3.010 KiB",
    ),
]


def test_a_narrow_table_loses_columns_and_never_breaks_a_line():
    for width in (60, 80, 120):
        rows = fitted(ROWS, width)
        assert max(map(len, align(rows))) <= width
        assert rows[0][0] == "layer"
        assert "us" in rows[0]
    assert fitted(ROWS, 200) == ROWS


def test_numbers_keep_three_to_four_significant_digits():
    assert [digits(v, "ms") for v in (0.00642, 0.7019, 12.345, 123.45, 57437.2)] == [
        "0.00642 ms",
        "0.702 ms",
        "12.35 ms",
        "123.5 ms",
        "57,437 ms",
    ]
    assert digits(None, "mJ") == "-"


def test_sizes_are_binary_units():
    assert [size(v) for v in (12, 1536, 3 << 20)] == ["12 B", "1.500 KiB", "3.000 MiB"]
