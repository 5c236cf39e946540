"""ONNX files the reader must refuse with one clear line, whatever is wrong with them."""

import time
import tracemalloc

import numpy as np
import pytest

import refq
from refq.errors import LoadError, RangeError, RefqError, ShapeError, UnsupportedError

onnx = pytest.importorskip("onnx")
helper, numpy_helper, TensorProto = onnx.helper, onnx.numpy_helper, onnx.TensorProto
node = helper.make_node


def tensor(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def value(name, *shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def net(nodes=None, inputs=None, outputs=None, held=None, opset=17):
    """A model; the default is one convolution."""
    nodes = [node("Conv", ["x", "w", "b"], ["y"], name="conv")] if nodes is None else nodes
    held = (
        [tensor("w", np.ones((4, 3, 3, 3), np.float32)), tensor("b", np.ones(4, np.float32))] if held is None else held
    )
    graph = helper.make_graph(nodes, "net", inputs or [value("x", 1, 3, 8, 8)], outputs or [value("y")], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def with_weight(**fields):
    """The default model, its weight's fields changed."""
    made = net()
    weight = made.graph.initializer[0]
    for name, content in fields.items():
        if name == "dims":
            del weight.dims[:]
            weight.dims.extend(content)
        else:
            setattr(weight, name, content)
    return made


def external(location, **more):
    made = with_weight(data_location=TensorProto.EXTERNAL)
    made.graph.initializer[0].ClearField("raw_data")
    for key, content in {"location": location, **more}.items():
        made.graph.initializer[0].external_data.add(key=key, value=str(content))
    return made


def qdq(scale=0.5, zero=None, axis=1):
    zero = np.int8(0) if zero is None else zero
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], name="quantize"),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w", "ws"], ["wd"], name="weights", axis=axis),
        node("Conv", ["d", "wd"], ["y"]),
    ]
    held = [tensor("s", np.float32(scale)), tensor("z", zero), tensor("w", np.ones((4, 3, 3, 3), np.int8))]
    return net(nodes, held=[*held, tensor("ws", np.ones(3, np.float32))])


def nested(depth):
    """An If whose branch holds an If whose branch ..."""
    graph = helper.make_graph([node("Identity", ["x"], ["z"])], "leaf", [], [value("z")])
    for level in range(depth):
        inner = node(
            "If", ["c"], ["z"], name=f"if{level}", then_branch=graph, else_branch=graph if level == 0 else None
        )
        graph = helper.make_graph([inner], f"g{level}", [], [value("z")])
    return graph


def dense(*shape):
    return [tensor("w", np.ones(shape, np.float32)), tensor("b", np.ones(4, np.float32))]


def one(op, *inputs, held=(), opset=17, **attrs):
    return net([node(op, ["x", *inputs], ["y"], name="it", **attrs)], held=list(held), opset=opset)


I64, F32 = np.int64, np.float32

CASES = {
    "no graph": (onnx.ModelProto(), LoadError, "holds no ONNX graph"),
    "no opset": (helper.make_model(net().graph, opset_imports=[]), None, None),
    "opset of the future": (net(opset=999), UnsupportedError, "operator set 999 is outside"),
    "opset of the past": (net(opset=1), UnsupportedError, "operator set 1 is outside"),
    "missing initializer": (net(held=[]), LoadError, "Conv 'conv' reads 'w', which nothing produces"),
    "no producer of the output": (net(outputs=[value("nowhere")]), LoadError, "graph output 'nowhere' has no producer"),
    "unknown operators": (
        net([node("Foo", ["x"], ["a"], name="f"), node("Bar", ["a"], ["y"], name="b", domain="acme")]),
        UnsupportedError,
        "no converter for Foo 'f', acme.Bar 'b'; supported are .*Conv",
    ),
    "control flow": (
        net([node("If", ["x"], ["y"], name="choice", then_branch=nested(3), else_branch=nested(3))]),
        UnsupportedError,
        "no converter for If 'choice'",
    ),
    "a graph as attribute": (one("Relu", body=nested(1)), UnsupportedError, "attribute 'body' holds a graph"),
    "cycle": (
        net([node("Add", ["x", "y"], ["a"], name="first"), node("Relu", ["a"], ["y"])]),
        LoadError,
        "Add 'first' stands in a cycle",
    ),
    "two producers": (net([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])]), LoadError, "'y' is written twice"),
    "an input is written": (net([node("Relu", ["x"], ["x"])], outputs=[value("x")]), LoadError, "'x' is written twice"),
    "two initializers": (net(held=[*dense(4, 3, 3, 3), *dense(4)]), LoadError, "two initializers are called 'w'"),
    "two inputs": (net(inputs=[value("x", 1, 3, 8, 8)] * 2), LoadError, "two inputs are called 'x'"),
    "raw data too short": (with_weight(raw_data=b"\0" * 12), LoadError, "needs 432 bytes, the file holds 12"),
    "raw data too long": (with_weight(raw_data=b"\0" * 999), LoadError, "needs 432 bytes, the file holds 999"),
    "negative size": (with_weight(dims=(-4, 3, 3, 3)), LoadError, "negative size"),
    "sizes beyond the file": (with_weight(dims=(1 << 40, 1 << 40, 3, 3)), LoadError, "the file holds 432"),
    "no data": (with_weight(raw_data=b""), LoadError, "needs 432 bytes, the file holds 0"),
    "unknown type": (with_weight(data_type=77), LoadError, "element type 77 is unknown"),
    "strings": (with_weight(data_type=TensorProto.STRING), UnsupportedError, "holds strings"),
    "input without shape": (
        net(inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, None)]), LoadError, "'x' has no shape"
    ),
    "open sizes": (net(inputs=[value("x", "N", 3, "H", "W")]), ShapeError, "--input-shape C,H,W"),
    "huge input": (net(inputs=[value("x", 1, 3, 1 << 30, 1 << 30)]), ShapeError, "unusable shape"),
    "negative input": (net(inputs=[value("x", 1, 3, -8, 8)]), ShapeError, "unusable shape"),
    "sequence input": (
        net(inputs=[helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)]),
        UnsupportedError,
        "'x' is a sequence_type",
    ),
    "weight of the wrong rank": (net(held=dense(4, 3)), UnsupportedError, r"weight shape \(4, 3\)"),
    "weight of other channels": (net(held=dense(4, 5, 3, 3)), ShapeError, r"'conv': weight shape \(4, 5, 3, 3\) in"),
    "kernel larger than input": (net(held=dense(4, 3, 99, 3)), ShapeError, "does not fit"),
    "external, absolute": (external("/etc/passwd"), LoadError, "outside the folder of the model; refused"),
    "external, climbing": (external("../../etc/passwd"), LoadError, "outside the folder of the model; refused"),
    "external, absent": (external("weights.bin"), LoadError, "no file beside the model"),
    "external, no place": (external(""), LoadError, "without a location"),
    "external, length": (external("model.onnx", length=1 << 50), LoadError, "needs 432 bytes"),
    "external, offset": (external("model.onnx", offset=-5, length=432), LoadError, "needs 432 bytes"),
    "external, no number": (external("model.onnx", offset="x"), LoadError, "are no numbers"),
    "scale zero": (qdq(scale=0.0), RangeError, "quantize: scale=0.0 must be positive"),
    "scale negative": (qdq(scale=-1.0), RangeError, "scale=-1.0 must be positive"),
    "scale NaN": (qdq(scale=np.nan), RangeError, "scale=nan must be positive"),
    "zero point of floats": (qdq(zero=np.float32(0)), UnsupportedError, "QuantizeLinear 'quantize'"),
    "axis out of range": (qdq(axis=7), LoadError, "does not fit axis 7"),
    "axis of other size": (qdq(axis=0), LoadError, "does not fit axis 0"),
    "softmax axis": (one("Concat", "x", axis=9), ShapeError, "axis=9 does not exist"),
    "permutation": (one("Transpose", perm=[0, 1, 1, 2]), ShapeError, "perm"),
    "reshape": (one("Reshape", "s", held=[tensor("s", I64([7, 7]))]), ShapeError, "cannot take the shape"),
    "reshape by two unknowns": (one("Reshape", "s", held=[tensor("s", I64([-1, -1]))]), ShapeError, "cannot take"),
    "split": (one("Split", "s", held=[tensor("s", I64([1, 9]))]), ShapeError, "split"),
    "attribute of another kind": (one("Flatten", axis="two"), LoadError, "is malformed"),
    "strides of zero": (net([node("Conv", ["x", "w"], ["y"], strides=[0, 1])]), ShapeError, "at least 1"),
    "pads of three": (net([node("Conv", ["x", "w"], ["y"], pads=[0, 1, 1])]), ShapeError, "pads"),
    "expansion": (
        one("Expand", "s", held=[tensor("s", I64([1 << 30, 1 << 30, 1, 1, 1, 1]))]), ShapeError, "does not expand"
    ),
    "a constant of every byte": (
        net([node("ConstantOfShape", ["s"], ["y"], name="fill")], held=[tensor("s", I64([1 << 40, 9]))]),
        ShapeError,
        "a constant of shape",
    ),
    "a range without end": (
        net(
            [node("Range", ["a", "l", "d"], ["y"], name="range")],
            held=[tensor("a", F32(0)), tensor("l", F32(1e30)), tensor("d", F32(1e-3))],
        ),
        ShapeError,
        "a constant of shape",
    ),
    "vectors as long as a huge line": (
        net(
            [node("InstanceNormalization", ["x", "g", "g"], ["y"], name="norm")],
            [value("x", 1, 3, 1 << 30)],
            held=[tensor("g", np.ones(3, np.float32))],
        ),
        ShapeError,
        r"'norm': a constant of shape \(1073741824,\)",
    ),
    "a scale spread over a huge line": (
        net(
            [node("LayerNormalization", ["x", "g"], ["y"], name="norm")],
            [value("x", 1, 3, 1 << 30)],
            held=[tensor("g", np.ones(1, np.float32))],
        ),
        ShapeError,
        r"'norm': a constant of shape \(1073741824,\)",
    ),
    "a step of zero": (
        net([node("Range", ["a", "a", "a"], ["y"], name="range")], held=[tensor("a", F32(0))]), LoadError, "range"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_line_names_the_file_and_the_cause(name, tmp_path):
    made, kind, text = CASES[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    if kind is None:
        kind, text = UnsupportedError, "operator set 0 is outside"
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(kind, match=text) as error:
        refq.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert peak < 64 << 20
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x89HDF\r\n", b"\xff" * 1000, b"\x08\x96\x01" * 50])
def test_other_content_is_refused(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(RefqError, match=r"model\.onnx"):
        refq.load(path)


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    whole, path = qdq().SerializeToString(), tmp_path / "model.onnx"
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(RefqError) as error:
            refq.load(path)
        assert "\n" not in str(error.value)


def test_flipped_bytes_never_escape_as_another_error(tmp_path):
    path, rng = tmp_path / "model.onnx", np.random.default_rng(0)
    wholes = [net().SerializeToString(), qdq().SerializeToString()]
    for i in range(400):
        damaged = bytearray(wholes[i % 2])
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            refq.load(path)
        except RefqError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_external_data_beside_the_model_is_read(tmp_path):
    made, path = external("weights.bin", offset=4, length=432), tmp_path / "model.onnx"
    weights = np.arange(108, dtype=np.float32)
    (tmp_path / "weights.bin").write_bytes(b"head" + weights.tobytes())
    path.write_bytes(made.SerializeToString())
    held = refq.load(path).constants["w"]
    np.testing.assert_array_equal(held, weights.reshape(4, 3, 3, 3).transpose(0, 2, 3, 1))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\0" * 432)
    (inside / "weights.bin").symlink_to(tmp_path / "secret.bin")
    path = inside / "model.onnx"
    path.write_bytes(external("weights.bin").SerializeToString())
    with pytest.raises(LoadError, match="outside the folder"):
        refq.load(path)


def test_input_shape_fills_open_sizes(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(net(inputs=[value("x", "N", 3, "H", "W")]).SerializeToString())
    assert refq.load(path, input_shape=(3, 10, 12)).tensors["y"].shape == (1, 4, 8, 10)
    with pytest.raises(ShapeError, match=r"input_shape=\(10, 12\) does not fit"):
        refq.load(path, input_shape=(10, 12))


def test_without_the_onnx_package_the_remedy_is_named(tmp_path, monkeypatch):
    import sys

    path = tmp_path / "model.onnx"
    path.write_bytes(net().SerializeToString())
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'refq\[onnx\]'"):
        refq.load(path)
