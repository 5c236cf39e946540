"""What the .tflite reader makes of a file, where the operators themselves are not the question."""

import struct
from dataclasses import replace

import numpy as np
import pytest

import refq
from refq.errors import UnsupportedError

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert")

from tests.peers.litert import Op, Tensor, build, single

X = Tensor("x", (1, 6, 4), "int8", scale=0.5, zero_point=3)


def ints(name, values):
    return Tensor(name, np.shape(values), "int32", data=values)


def loaded(tmp_path, data):
    path = tmp_path / "network.tflite"
    path.write_bytes(data)
    return refq.load(path)


def batch_of(count, shape=(6, 4)):
    return np.random.default_rng(count).integers(-128, 128, (count, *shape)).astype(np.int8)


def test_repeated_and_missing_names_are_made_unique_and_recorded(tmp_path):
    tensors = [X, replace(X, name="z"), replace(X, name="y")]
    data = build(tensors, [Op("RELU", ["x"], ["z"]), Op("RELU", ["z"], ["y"])], ["x"], ["y"])
    graph = loaded(tmp_path, data.replace(struct.pack("<I", 1) + b"z", struct.pack("<I", 1) + b"x"))
    assert list(graph.tensors) == ["x", "x#1", "y"]
    assert graph.meta["renamed"] == '{"1": "x#1"}'
    assert [node.name for node in graph.nodes] == ["RELU_0", "RELU_1"]
    assert graph.name == "network"


@pytest.mark.parametrize("written", ["only the old byte", "only the new field", "both"])
def test_operator_codes_of_old_and_new_files(tmp_path, written):
    """The code moved from a byte to a wider field; files carry one of them, or both."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(single("LOGISTIC", [X], [replace(X, name="y")]))
    (code,) = model.operatorCodes
    code.builtinCode = 0 if written == "only the old byte" else code.builtinCode
    code.deprecatedBuiltinCode = 0 if written == "only the new field" else code.deprecatedBuiltinCode
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    assert [node.op for node in loaded(tmp_path, bytes(builder.Output())).nodes] == ["Sigmoid"]


def test_operators_past_the_old_byte_are_read(tmp_path):
    model = single("GELU", [Tensor("x", (1, 4), "float32")], [Tensor("y", (1, 4), "float32")])
    assert [node.op for node in loaded(tmp_path, model).nodes] == ["Gelu"]


def test_a_slice_that_keeps_the_batch_keeps_any_batch(tmp_path):
    y = replace(X, name="y", shape=(1, 2, 4))
    operands = [ints("begin", [0, 1, 0]), ints("end", [1, 3, 4]), ints("strides", [1, 1, 1])]
    x = batch_of(3)
    graph = loaded(tmp_path, single("STRIDED_SLICE", [X, *operands], [y]))
    assert np.array_equal(refq.run(graph, x, path="integer"), x[:, 1:3])
    graph = loaded(tmp_path, single("SLICE", [X, ints("begin", [0, 1, 0]), ints("size", [1, 2, 4])], [y]))
    assert np.array_equal(refq.run(graph, x, path="integer"), x[:, 1:3])


def test_reshapes_that_split_the_batch_off_and_merge_it_back_keep_any_batch(tmp_path):
    """(1, 6, 4) -> (6, 4) -> (1, 24): rows of all images stand in one axis between."""
    rows, flat = replace(X, name="rows", shape=(6, 4)), replace(X, name="flat", shape=(1, 24))
    ops = [Op("RESHAPE", ["x", "a"], ["rows"]), Op("RESHAPE", ["rows", "b"], ["flat"])]
    graph = loaded(tmp_path, build([X, rows, flat, ints("a", [6, 4]), ints("b", [1, 24])], ops, ["x"], ["flat"]))
    x = batch_of(3)
    assert np.array_equal(refq.run(graph, x, path="integer"), x.reshape(3, 24))


def test_a_dense_layer_sees_rows_of_its_own_width(tmp_path):
    """A two-axis input whose rows are longer than the weights are is cut into more rows, as LiteRT does."""
    from tests.peers.litert import run

    x = replace(X, shape=(1, 24))
    w = Tensor("w", (5, 8), "int8", scale=0.1, data=np.random.default_rng(1).integers(-127, 128, (5, 8)))
    model = single("FULLY_CONNECTED", [x, w, None], [Tensor("y", (3, 5), "int8", scale=4.0)])
    codes = batch_of(1, (24,))
    assert np.array_equal(refq.run(loaded(tmp_path, model), codes, path="integer"), run(model, [codes])[0])


def test_shapes_the_file_states_wrongly_are_recomputed_and_noted(tmp_path):
    """LiteRT infers shapes again when it allocates; a stale one in the file is no error."""
    graph = loaded(tmp_path, single("RELU", [X], [replace(X, name="y", shape=(1, 9, 9))]))
    assert graph.tensors["y"].shape == (1, 6, 4)
    assert graph.meta["shapes_recomputed"] == "y"


def test_two_readers_of_a_real_input_on_different_grids_leave_it_real(tmp_path):
    real = Tensor("real", (1, 4), "float32")
    a, b = (Tensor(n, (1, 4), "int8", scale=s, zero_point=0) for n, s in (("a", 0.1), ("b", 0.2)))
    ops = [Op("QUANTIZE", ["real"], ["a"]), Op("QUANTIZE", ["real"], ["b"])]
    graph = loaded(tmp_path, build([real, a, b], ops, ["real"], ["a", "b"]))
    assert graph.tensors["real"].qparams is None


def test_several_subgraphs_are_named_with_the_unknown_operators(tmp_path):
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(single("WHILE", [X], [replace(X, name="y")]))
    model.subgraphs = model.subgraphs * 2
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(UnsupportedError, match=r"holds 2 subgraphs .*no converter for WHILE; supported are"):
        loaded(tmp_path, bytes(builder.Output()))


def test_an_integer_file_survives_saving(tmp_path):
    w = Tensor("w", (5, 4), "int4", scale=[0.1] * 5, data=np.random.default_rng(1).integers(-7, 8, (5, 4)))
    x = replace(X, shape=(2, 4), dtype="int16", zero_point=0)
    w16 = replace(w, dtype="int8")
    b = Tensor("b", (5,), "int64", scale=[0.05] * 5, data=[1, -2, 3, 1 << 40, 5])
    for held in ([X, w, None], [x, w16, b]):
        y = replace(held[0], name="y", shape=(*held[0].shape[:-1], 5))
        graph = loaded(tmp_path, single("FULLY_CONNECTED", held, [y], {"keep_num_dims": True}))
        refq.save(graph, tmp_path / "saved.h5")
        again = refq.load(tmp_path / "saved.h5")
        assert again.tensors == graph.tensors
        assert again.nodes == graph.nodes
        for name, array in graph.constants.items():
            assert again.constants[name].dtype == array.dtype
            assert np.array_equal(again.constants[name], array)
