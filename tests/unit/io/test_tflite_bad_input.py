"""Files the .tflite reader must refuse with one clear line."""

import struct
from dataclasses import replace

import numpy as np
import pytest

import refq
from refq.errors import LoadError, RangeError, RefqError, ShapeError, UnsupportedError

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert")

from tests.peers.litert import Op, Tensor, build

X = Tensor("x", (1, 4, 4, 2), "int8", scale=0.5, zero_point=3)
W = Tensor("w", (3, 2, 2, 2), "int8", scale=[0.1, 0.2, 0.3], data=np.arange(24).reshape(3, 2, 2, 2))
B = Tensor("b", (3,), "int32", scale=[0.05, 0.1, 0.15], data=[1, 2, 3])
Y = Tensor("y", (1, 3, 3, 3), "int8", scale=0.25, zero_point=-1)
CONV = Op("CONV_2D", ["x", "w", "b"], ["y"], {"padding": "VALID", "stride_w": 1, "stride_h": 1})


def network(tensors=(X, W, B, Y), ops=(CONV,), inputs=("x",), outputs=("y",)):
    return build(tensors, ops, list(inputs), list(outputs))


def refusal(tmp_path, data, error=RefqError):
    path = tmp_path / "bad.tflite"
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        refq.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_whole_network_loads(tmp_path):
    path = tmp_path / "good.tflite"
    path.write_bytes(network())
    assert [node.op for node in refq.load(path).nodes] == ["Conv2D"]


@pytest.mark.parametrize(
    "data", [b"", b"TFL3", b"\0" * 64, b"not a model at all", network()[:4] + b"TFL2" + network()[8:]]
)
def test_another_kind_of_file_is_refused(tmp_path, data):
    assert "not a TFLite file" in refusal(tmp_path, data, LoadError)


def test_every_truncation_is_refused(tmp_path):
    whole = network()
    for length in range(8, len(whole) - 8, 24):  # the last bytes are padding of a table
        refusal(tmp_path, whole[:length])


def test_an_offset_out_of_range_is_refused(tmp_path):
    for root in (len(network()), 1 << 31, (1 << 32) - 1):
        assert "outside" in refusal(tmp_path, struct.pack("<I", root) + network()[4:], LoadError)


def overwrite(data, old, new):
    assert data.count(old) == 1
    return data.replace(old, new)


def test_a_vector_longer_than_the_file_is_refused(tmp_path):
    codes = W.data.astype(np.int8).tobytes()
    data = overwrite(network(), struct.pack("<I", 24) + codes, struct.pack("<I", 0x7FFFFFFF) + codes)
    assert "2147483647 entries, the whole file has" in refusal(tmp_path, data, LoadError)


def test_tables_that_repeat_one_another_are_refused(tmp_path):
    """A small file may name one long vector many times; reading it must not take time or memory out of proportion."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [], [], [], []
    buffer = schema.BufferT()
    buffer.data = np.zeros(1 << 16, np.uint8)
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], [buffer], []
    builder = flatbuffers.Builder(0)
    shared = buffer.Pack(builder)
    buffer.Pack = lambda _: shared
    model.buffers = [buffer] * 20000
    builder.Finish(model.Pack(builder), b"TFL3")
    assert "repeat each other" in refusal(tmp_path, bytes(builder.Output()), LoadError)


def test_a_table_inside_itself_is_refused(tmp_path):
    """The first subgraph's offset is bent to the model table that holds it."""
    data = bytearray(network())
    root = struct.unpack_from("<I", data, 0)[0]
    vtable = root - struct.unpack_from("<i", data, root)[0]
    field = root + struct.unpack_from("<H", data, vtable + 8)[0]
    vector = field + struct.unpack_from("<I", data, field)[0]
    struct.pack_into("<I", data, vector + 4, (root - vector - 4) % (1 << 32))
    refusal(tmp_path, bytes(data))


@pytest.mark.parametrize(
    ("tensor", "error", "text"),
    [
        (replace(W, scale=[0.1, 0.0, 0.3]), RangeError, "scale=0.0 must be positive"),
        (replace(W, scale=[0.1, -1.0, 0.3]), RangeError, "scale=-1.0 must be positive"),
        (replace(W, scale=[0.1, np.nan, 0.3]), RangeError, "must be positive and finite"),
        (replace(W, scale=[0.1, np.inf, 0.3]), RangeError, "must be positive and finite"),
        (replace(W, scale=[0.1, 0.2]), ShapeError, "has 2 scales along axis 0"),
        (replace(W, axis=7), ShapeError, "3 scales along axis 7"),
        (replace(W, axis=-1), ShapeError, "3 scales along axis -1"),
        (replace(W, scale=[0.1, 0.2], axis=3), ShapeError, "scales along axis 3, output channels are axis 0"),
        (replace(X, zero_point=128), RangeError, "zero_point=128 is outside the codes of int8"),
        (replace(X, zero_point=1 << 40), RangeError, "zero_point=1099511627776 is outside"),
        (replace(X, shape=(1, 4, -4, 2)), ShapeError, "unusable shape"),
        (replace(X, shape=(1, 1 << 20, 1 << 20, 2)), ShapeError, "unusable shape"),
        (replace(X, shape=(1, 4, 4, 3)), ShapeError, "does not fit input shape"),
        (replace(X, dtype="complex64"), UnsupportedError, "complex64"),
        (replace(X, dtype="string"), UnsupportedError, "string"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_tensor_that_contradicts_itself_is_refused(tmp_path, tensor, error, text):
    tensors = [tensor if tensor.name == t.name else t for t in (X, W, B, Y)]
    message = refusal(tmp_path, network(tensors), error)
    assert text in message
    assert any(subject in message for subject in (f"'{tensor.name}'", "'CONV_2D_0'"))


def test_a_buffer_of_another_size_than_the_shape_is_refused(tmp_path):
    data = network()
    shape = struct.pack("<5I", 4, 3, 2, 2, 2)
    for other in ((4, 3, 2, 2, 4), (4, 3, 2, 2, 1)):
        assert "its buffer has 24" in refusal(tmp_path, overwrite(data, shape, struct.pack("<5I", *other)), ShapeError)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (replace(W, scale=None), "'w' holds int8 codes without a scale"),
        (replace(X, scale=None), "'x' holds int8 codes without a scale"),
        (replace(Y, scale=None), "'y' holds int8 codes without a scale"),
        (Tensor("b", (3,), "float32", data=[1, 2, 3]), "'x' holds codes, 'b' holds reals"),
    ],
)
def test_an_operator_of_codes_and_others_is_refused(tmp_path, tensor, text):
    tensors = [tensor if tensor.name == t.name else t for t in (X, W, B, Y)]
    assert text in refusal(tmp_path, network(tensors), LoadError)


@pytest.mark.parametrize("index", [-2, 4, 1 << 30])
def test_a_tensor_index_out_of_range_is_refused(tmp_path, index):
    text = f"names tensor {index}, the file has 4"
    for field, names in (("inputs", ["x", index, "b"]), ("outputs", [index]), ("intermediates", [index])):
        assert text in refusal(tmp_path, network(ops=[replace(CONV, **{field: names})]), LoadError)
    assert text in refusal(tmp_path, network(inputs=[index]), LoadError)
    assert text in refusal(tmp_path, network(outputs=[index]), LoadError)


@pytest.mark.parametrize("inputs", [["x"], ["x", "w", "b", "b"], []])
def test_a_wrong_number_of_operands_is_refused(tmp_path, inputs):
    assert "inputs, expected 2 or 3" in refusal(tmp_path, network(ops=[replace(CONV, inputs=inputs)]), LoadError)


def test_a_missing_required_operand_is_refused(tmp_path):
    assert "has no input 1" in refusal(tmp_path, network(ops=[replace(CONV, inputs=["x", "", "b"])]), LoadError)


RELU = Op("RELU", ["x"], ["y"])
SAME = replace(X, name="y")


def test_operators_in_a_cycle_are_refused(tmp_path):
    middle = replace(X, name="z")
    ops = [Op("ADD", ["x", "z"], ["y"]), Op("RELU", ["y"], ["z"])]
    text = refusal(tmp_path, network([X, SAME, middle], ops), LoadError)
    assert "reads 'z', which nothing before it produces" in text


def test_two_producers_of_a_tensor_are_refused(tmp_path):
    assert "has its value already" in refusal(tmp_path, network([X, SAME], [RELU, RELU]), LoadError)


def test_writing_an_input_or_a_constant_is_refused(tmp_path):
    assert "has its value already" in refusal(
        tmp_path, network([X], [Op("RELU", ["x"], ["x"])], outputs="x"), LoadError
    )
    held = replace(SAME, data=np.zeros(SAME.shape))
    assert "has its value already" in refusal(tmp_path, network([X, held], [RELU]), LoadError)


def test_an_output_nobody_writes_is_refused(tmp_path):
    other = replace(X, name="z")
    assert "'z' is written by no operator" in refusal(
        tmp_path, network([X, SAME, other], [RELU], outputs="z"), LoadError
    )


def test_all_unsupported_operators_are_named_at_once(tmp_path):
    middle = replace(X, name="z")
    ops = [Op("WHILE", ["x"], ["z"]), Op("CUSTOM", ["z"], ["y"], custom_code="MyKernel")]
    text = refusal(tmp_path, network([X, SAME, middle], ops), UnsupportedError)
    assert "no converter for CUSTOM MyKernel, WHILE; supported are" in text
    assert "CONV_2D" in text


def test_all_unsupported_variants_are_named_at_once(tmp_path):
    middle = replace(X, name="z")
    options = {"fused_activation_function": "TANH"}
    ops = [
        Op("ADD", ["x", "x"], ["z"], options),
        Op("MUL", ["z", "x"], ["y"], {"fused_activation_function": "SIGN_BIT"}),
    ]
    text = refusal(tmp_path, network([X, SAME, middle], ops), UnsupportedError)
    assert "ADD 'ADD_0' has the fused activation TANH" in text
    assert "MUL 'MUL_1' has the fused activation SIGN_BIT" in text


def test_a_missing_parser_is_named_with_its_remedy(tmp_path, monkeypatch):
    import sys

    from refq.io.tflite import flatbuffer

    flatbuffer._schema.cache_clear()
    monkeypatch.setitem(sys.modules, "tflite", None)
    try:
        assert "pip install 'refq[tflite]'" in refusal(tmp_path, network(), LoadError)
    finally:
        flatbuffer._schema.cache_clear()
