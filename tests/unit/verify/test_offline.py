"""Dumped memories against vectors: what is equal, what differs and why, and what cannot be compared."""

import json
import shutil

import numpy as np
import pytest

from refq.errors import LoadError
from refq.verify import ArrayOrder, Layout, WordFormat, export_vectors, random_codes, vector_coverage, verify_dumps
from tests.unit.verify.graphs import convolution

FOLDER = "00_layer"
FORM = WordFormat(bits=8)


@pytest.fixture
def vectors(tmp_path):
    graph = convolution()
    export_vectors(graph, random_codes(graph), tmp_path / "v", layout=Layout(array=ArrayOrder(rows=4, cols=2)))
    (tmp_path / "d").mkdir()
    return tmp_path / "v"


@pytest.fixture
def dumps(vectors):
    return vectors.parent / "d"


def golden(vectors, name="y"):
    return np.load(vectors / "vectors.npz")[f"{FOLDER}/{name}"]


@pytest.mark.parametrize("name", [f"{FOLDER}/y", f"{FOLDER}/dut_y", f"{FOLDER}_y"])
@pytest.mark.parametrize("suffix", [".hex", ".mem", ".bin", ".npy"])
def test_a_right_dump_is_equal_in_every_format_and_place(vectors, dumps, name, suffix):
    path, y = dumps / f"{name}{suffix}", golden(vectors)
    path.parent.mkdir(exist_ok=True)
    if suffix == ".npy":
        np.save(path, y)
    elif suffix == ".bin":
        path.write_bytes(y.astype(np.int8).tobytes())
    else:
        path.write_text("// a simulator's header\r\n" + FORM.text(y).replace("\n", "\r\n"), newline="")
    verdict = verify_dumps(vectors, dumps)
    assert verdict.is_equal
    assert [(each.tensor, each.values) for each in verdict.tensors] == [("y", y.size)]
    assert str(verdict).endswith("1 tensors equal")


def test_the_first_difference_is_reported_with_what_stands_behind_it(vectors, dumps):
    y = golden(vectors).astype(np.int64)
    y[0, 1, 2, 3] += -1 if y[0, 1, 2, 3] > 0 else 1
    y[0, 3, 3, 4] += -3 if y[0, 3, 3, 4] > 0 else 3
    np.save(dumps / f"{FOLDER}_y.npy", y)
    verdict = verify_dumps(vectors, dumps)
    assert not verdict.is_equal
    text, expected = str(verdict), int(golden(vectors)[0, 1, 2, 3])
    index = int(np.ravel_multi_index((0, 1, 2, 3), y.shape))
    assert f"first at (0, 1, 2, 3), index {index}: expected {expected} (0x{expected & 255:02x}" in text
    assert f"accumulator {golden(vectors, 'acc')[0, 1, 2, 3]}" in text
    assert "operands " in text
    assert f"layer/y: 2 wrong, 0 unknown of {y.size} values" in text
    assert verdict.tensors[0].first[2] == expected
    assert sum(count for _, count in verdict.tensors[0].differences) == 2


def test_a_systematic_fault_is_named_from_codes_and_from_sums(vectors, dumps):
    acc, bias = golden(vectors, "acc"), golden(vectors, "bias")
    (dumps / f"{FOLDER}_acc.hex").write_text(WordFormat(bits=32).text(acc - bias))
    sums = golden(vectors, "sums")
    kept = np.cumsum(sums.reshape(-1, 4, 2), axis=0).reshape(sums.shape)
    (dumps / f"{FOLDER}_sums.hex").write_text(WordFormat(bits=32, lanes=2).text(kept))
    by_name = {each.tensor: each for each in verify_dumps(vectors, dumps).tensors}
    assert str(by_name["acc"].diagnosis).startswith("bias: bias left out")
    assert str(by_name["sums"].diagnosis).startswith("stale accumulator: sums are never cleared")
    assert by_name["sums"].bad_tiles[0] == 1  # the first tile has nothing before it
    assert by_name["sums"].behind.startswith("operands ")


def test_vectors_are_no_dumps_of_themselves(vectors):
    with pytest.raises(LoadError, match="holds no dump"):
        verify_dumps(vectors, vectors)
    (vectors / FOLDER / "dut_y.hex").write_text(FORM.text(golden(vectors) ^ 1))
    assert not verify_dumps(vectors, vectors).is_equal


def test_x_is_unknown_and_never_equal(vectors, dumps):
    lines = FORM.text(golden(vectors)).splitlines()
    lines[5] = "xx"
    (dumps / f"{FOLDER}_y.hex").write_text("\n".join(lines))
    (each,) = verify_dumps(vectors, dumps).tensors
    assert (each.wrong, each.unknown, each.is_equal) == (0, 1, False)
    assert each.diagnosis.cause == "unknown value"
    assert "x (unknown)" in str(verify_dumps(vectors, dumps))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("y.hex", "00\n01\n", "holds 2 words, expected 80 of 2"),
        ("y.hex", "00\n" * 81, "holds 81 words, expected 80"),
        ("y.hex", "", "holds 0 words"),
        ("y.hex", "-12\n" * 80, "not hexadecimal; a decimal or binary dump needs converting"),
        ("y.hex", "01010101\n" * 80, "more than 2 hexadecimal digits"),
        ("y.hex", b"\xff\xfe\x00", "cannot be read as hexadecimal text"),
        ("y.bin", b"12", "holds 2 words"),
        ("acc.bin", b"123", "3 bytes are no whole number of words of 4 bytes"),
        ("y.npy", b"no array", "no .npy file"),
        ("a_stream.hex", "fffffffff\n" * 54, "a_stream.hex"),
    ],
)
def test_dumps_that_cannot_be_compared_say_why(vectors, dumps, name, content, message):
    path = dumps / f"{FOLDER}_{name}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LoadError, match=message) as caught:
        verify_dumps(vectors, dumps)
    assert path.name in str(caught.value)


def test_arrays_of_another_type_or_size_are_refused(vectors, dumps):
    for array in (golden(vectors).astype(np.float32), golden(vectors)[:, 1:]):
        np.save(dumps / f"{FOLDER}_y.npy", array)
        with pytest.raises(LoadError, match="expected 80 integers"):
            verify_dumps(vectors, dumps)


def test_no_dump_no_manifest_or_foreign_vectors_are_refused(vectors, dumps):
    with pytest.raises(LoadError, match=r"holds no dump; expected files such as 00_layer/dut_y\.hex"):
        verify_dumps(vectors, dumps)
    with pytest.raises(LoadError, match="no dump"):
        verify_dumps(vectors, dumps / "nowhere")
    with pytest.raises(LoadError, match="no manifest"):
        verify_dumps(dumps, vectors)
    manifest = json.loads((vectors / "manifest.json").read_text())
    for change, message in (
        ({"format": 99}, "format 99, this version reads format"),
        ({"version": "0.0.1"}, r"vectors of refq 0\.0\.1"),
    ):
        (vectors / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(LoadError, match=message):
            verify_dumps(vectors, vectors)
    for text in ("{", "[]", "{}", '"text"'):
        (vectors / "manifest.json").write_text(text)
        with pytest.raises(LoadError, match="no manifest"):
            verify_dumps(vectors, vectors)


def test_vectors_changed_after_export_are_refused(vectors, dumps):
    shutil.copy(vectors / FOLDER / "y.hex", dumps / f"{FOLDER}_y.hex")
    lines = (vectors / FOLDER / "y.hex").read_text()
    (vectors / FOLDER / "y.hex").write_text(lines.replace(lines[:2], "7b", 1))
    with pytest.raises(LoadError, match="does not have the CRC"):
        verify_dumps(vectors, dumps)
    (vectors / FOLDER / "y.hex").unlink()
    with pytest.raises(LoadError, match="cannot be read"):
        verify_dumps(vectors, dumps)


def test_coverage_of_a_folder_is_that_of_its_layers(vectors):
    counts = vector_coverage(vectors).counts
    assert counts["padding"] == 1
    assert counts["ragged_columns"] == 1
    assert counts["ragged_rows"] == 0
