"""Folders of vectors: the same bytes twice, nothing lost, nothing half written."""

import json
import shutil
import zlib

import numpy as np
import pytest

import refq
from refq.errors import GraphError, RangeError
from refq.graph import QParams
from refq.verify import (
    ArrayOrder,
    Golden,
    Layout,
    WordFormat,
    export_corners,
    export_vectors,
    random_codes,
    read_hex,
    verify_dumps,
)
from refq.verify.export import OccupiedError
from tests.unit.verify.graphs import convolution, one_node, quantized_residual


@pytest.fixture(scope="module")
def net():
    return quantized_residual()


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


LAYOUTS = [
    Layout(),
    Layout(lanes=4, order="big"),
    Layout(array=ArrayOrder(rows=3, cols=5)),
    Layout(array=ArrayOrder(rows=4, cols=2, dataflow="ws"), lanes=3),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_every_file_is_in_the_manifest_with_its_crc_and_reads_back(net, layout, tmp_path):
    graph, x = net
    export_vectors(graph, x, tmp_path / "v", layout=layout)
    manifest = manifest_of(tmp_path / "v")
    records = {record.node.name: record for record in Golden(graph).records(x)}
    assert [layer["name"] for layer in manifest["layers"]] == [node.name for node in graph.nodes]
    arrays = np.load(tmp_path / "v/vectors.npz")
    files = {"manifest.json", "vectors.npz"}
    for layer in manifest["layers"]:
        files |= {f"{layer['folder']}/parameters.vh", f"{layer['folder']}/parameters.svh"}
        for name, entry in layer["tensors"].items():
            files.add(entry["file"])
            path = tmp_path / "v" / entry["file"]
            assert zlib.crc32(path.read_bytes()) == entry["crc32"]
            words = read_hex(path).words
            assert len(words) == entry["words"]
            form = WordFormat(
                bits=entry["bits"], lanes=entry["lanes"], order=entry["lane_order"], signed=entry["signed"]
            )
            held = form.unpack(words, int(np.prod(entry["shape"]))).reshape(entry["shape"])
            np.testing.assert_array_equal(held, arrays[f"{layer['folder']}/{name}"])
            if not entry["stream"]:
                np.testing.assert_array_equal(held, records[layer["name"]].tensors[name].values)
    assert set(contents(tmp_path / "v")) == files
    shutil.copytree(tmp_path / "v", tmp_path / "d")
    assert verify_dumps(tmp_path / "v", tmp_path / "d").is_equal


def test_streams_are_what_the_array_reads_and_gives(net, tmp_path):
    graph, x = net
    order = ArrayOrder(rows=3, cols=5)
    export_vectors(graph, x, tmp_path / "v", layout=Layout(array=order))
    arrays = np.load(tmp_path / "v/vectors.npz")
    for number, record in enumerate(Golden(graph).records(x)):
        product = record.product()
        if product is None:
            continue
        (folder,) = {name.split("/")[0] for name in arrays if name.startswith(f"{number:02d}_")}
        for name, expected in zip(("a_stream", "b_stream"), order.operands(*product), strict=True):
            np.testing.assert_array_equal(arrays[f"{folder}/{name}"], expected)
        np.testing.assert_array_equal(arrays[f"{folder}/sums"], order.events(*product))


def test_the_same_run_gives_the_same_bytes(net, tmp_path):
    graph, x = net
    for name in ("one", "two"):
        export_vectors(graph, x, tmp_path / name, layout=LAYOUTS[2], corners=True, seed=5)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert manifest_of(tmp_path / "one")["seed"] == 5


def test_tile_crcs_are_those_of_the_lines_of_a_tile(tmp_path):
    graph = convolution()
    export_vectors(graph, random_codes(graph), tmp_path / "v", layout=Layout(array=ArrayOrder(rows=3, cols=2)))
    entry = manifest_of(tmp_path / "v")["layers"][0]["tensors"]["sums"]
    lines = (tmp_path / "v" / entry["file"]).read_text().splitlines(keepends=True)
    assert entry["tile_crc32"] == [zlib.crc32("".join(lines[i : i + 3]).encode()) for i in range(0, len(lines), 3)]
    assert len(entry["tile_crc32"]) == 6 * 3  # 16 pixels by 5 channels on 3 x 2


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_narrow_weights_lie_packed_in_rows_of_the_array(bits, dataflow, tmp_path):
    generator = np.random.default_rng(0)
    w = generator.choice([-1, 1], (5, 7)) if bits == 1 else generator.integers(-8, 8, (5, 7))
    graph = one_node(
        "Dense",
        {"x": ((1, 7), QParams(scale=0.1, zero_point=4)), "w": (w.astype(np.int8), QParams(scale=0.5, bits=bits))},
        {"y": ((1, 5), QParams(scale=0.7))},
    )
    order = ArrayOrder(rows=4, cols=3, dataflow=dataflow)
    export_vectors(graph, random_codes(graph, 3), tmp_path / "v", layout=Layout(array=order))
    (layer,) = manifest_of(tmp_path / "v")["layers"]
    entry = layer["tensors"]["b_stream"]
    assert (entry["bits"], entry["lanes"]) == (bits, 3)
    first = (tmp_path / "v" / entry["file"]).read_text().split()[0]
    codes = [(int(v) + 1) // 2 if bits == 1 else int(v) % 16 for v in w[:3, 0]]
    assert int(first, 16) == sum(code << (bits * lane) for lane, code in enumerate(codes))
    assert len(first) == -(-bits * 3 // 4)


def test_layers_can_be_chosen_and_unknown_ones_are_named(net, tmp_path):
    graph, x = net
    name = graph.nodes[1].name
    export_vectors(graph, x, tmp_path / "v", layers=(name,))
    assert [layer["name"] for layer in manifest_of(tmp_path / "v")["layers"]] == [name]
    with pytest.raises(GraphError, match="no node 'nowhere'"):
        export_vectors(graph, x, tmp_path / "w", layers=("nowhere",))
    assert not (tmp_path / "w").exists()


def test_reals_and_bools_are_held_as_bits(tmp_path):
    graph = one_node(
        "Less",
        {"x": ((1, 3), QParams(scale=0.1)), "t": ((1, 3), QParams(scale=0.1))},
        {"y": ((1, 3), None)},
    )
    codes = np.array([[1, 2, 3]], np.int8)
    export_vectors(graph, {"x": codes, "t": codes[:, ::-1]}, tmp_path / "v")
    assert (tmp_path / "v/00_layer/y.hex").read_text().split() == ["01", "00", "00"]


def test_a_taken_folder_is_refused_and_loses_nothing(net, tmp_path):
    graph, x = net
    target = tmp_path / "v"
    export_vectors(graph, x, target, layers=(graph.nodes[0].name,))
    before = contents(target)
    with pytest.raises(OccupiedError, match="holds vectors already"):
        export_vectors(graph, x, target)
    assert contents(target) == before
    export_vectors(graph, x, target, force=True)
    assert len(manifest_of(target)["layers"]) == len(graph.nodes)
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


@pytest.mark.parametrize("strange", ["notes.txt", "00_conv/own_bench.v", "other/file.hex"])
def test_what_is_not_of_the_vectors_is_never_replaced(net, strange, tmp_path):
    graph, x = net
    target = tmp_path / "v"
    export_vectors(graph, x, target)
    path = target / strange
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(OccupiedError, match="not of its vectors"):
        export_vectors(graph, x, target, force=True)
    assert path.read_text() == "mine"


def test_folders_without_vectors_and_files_are_refused_even_with_force(net, tmp_path):
    graph, x = net
    (tmp_path / "other").mkdir()
    (tmp_path / "other/manifest.json").write_text('{"name": "a web page"}')
    (tmp_path / "file").write_text("text")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("text")
    for name, message in (("other", "manifest.json"), ("file", "is a file"), ("notes", "a.txt")):
        with pytest.raises(OccupiedError, match=message):
            export_vectors(graph, x, tmp_path / name, force=True)
    assert len(contents(tmp_path)) == 3


def test_dumps_left_by_a_bench_do_not_stand_in_the_way(net, tmp_path):
    graph, x = net
    export_vectors(graph, x, tmp_path / "v")
    folder = manifest_of(tmp_path / "v")["layers"][0]["folder"]
    (tmp_path / "v" / folder / "dut_y.hex").write_text("00\n")
    export_vectors(graph, x, tmp_path / "v", force=True)
    assert not (tmp_path / "v" / folder / "dut_y.hex").exists()


def test_a_failure_half_way_leaves_what_was_there(net, tmp_path, monkeypatch):
    graph, x = net
    export_vectors(graph, x, tmp_path / "v")
    before = contents(tmp_path / "v")

    def full(path, arrays):
        raise OSError("no space left")

    monkeypatch.setattr("refq.verify.export._write_npz", full)
    for target, force in (("v", True), ("new", False)):
        with pytest.raises(OSError, match="no space"):
            export_vectors(graph, x, tmp_path / target, force=force)
    assert contents(tmp_path / "v") == before
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


def test_random_codes_are_those_of_the_grid_and_of_the_seed(net):
    graph, _ = net
    one, two = random_codes(graph, 20, 3), random_codes(graph, 20, 3)
    assert list(one) == list(graph.inputs)
    np.testing.assert_array_equal(one["x"], two["x"])
    assert (one["x"].min(), one["x"].max()) == (-128, 127)
    assert not np.array_equal(one["x"], random_codes(graph, 20, 4)["x"])
    with pytest.raises(RangeError, match="samples=0"):
        random_codes(graph, 0)
    with pytest.raises(GraphError, match="no grid"):
        random_codes(one_node("Relu", {"x": ((1, 3), None)}, {"y": ((1, 3), None)}))


def test_headers_hold_every_constant_of_the_layer(net, tmp_path):
    graph, x = net
    export_vectors(graph, x, tmp_path / "v", layout=Layout(array=ArrayOrder(rows=4, cols=4)))
    layer = manifest_of(tmp_path / "v")["layers"][0]
    for name in ("parameters.vh", "parameters.svh"):
        text = (tmp_path / "v" / layer["folder"] / name).read_text()
        for key, value in layer["parameters"].items():
            assert f" {key.upper()} = {value};" in text
        assert " ROUNDING = 0;" in text
        assert f" W_BITS = {layer['tensors']['w']['bits']};" in text
        assert " A_STREAM_LANES = 4;" in text


def test_corners_alone_run_under_any_profile(tmp_path):
    export_corners(tmp_path / "v", "cmsis-nn", layout=Layout(array=ArrayOrder(rows=2, cols=3)))
    manifest = manifest_of(tmp_path / "v")
    assert (manifest["arithmetic"], manifest["version"]) == ("cmsis-nn", refq.__version__)
    assert manifest["layout"]["array"]["cols"] == 3
    assert {layer["op"] for layer in manifest["layers"]} == {"Conv2D"}
