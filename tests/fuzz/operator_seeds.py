"""Seed files that hold one of every operator of a format, side by side, so that damage reaches every converter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import refq
from models.keras_writer import Network, Symbol
from refq.errors import RefqError
from refq.graph import Graph, Node, TensorSpec
from refq.interpret import infer_shapes
from refq.layers import layer_class, layer_for, layer_ops
from tests.naive import twin
from tests.peers.litert import Op, Tensor, build
from tests.peers.test_litert_converters import OWN_GRID, SAME_GRID, tensor
from tests.peers.test_litert_recurrent import lstm_model, svdf_model

_IN_A_FILE = 12


def native(folder: Path) -> dict[str, bytes]:
    """Every registered layer, weights as constants, by `refq.save`."""
    ops, found = layer_ops(), {}
    for start in range(0, len(ops), _IN_A_FILE):
        path = folder / f"layers_{start}.h5"
        refq.save(_side_by_side(ops[start : start + _IN_A_FILE]), path)
        found[path.name] = path.read_bytes()
    return found


def _side_by_side(ops: tuple[str, ...]) -> Graph:
    specs: dict[str, TensorSpec] = {}
    nodes, inputs, constants = [], [], {}
    for op in ops:
        case, roles = twin(op).CASES[-1], layer_class(op).operands
        names = ["" if shape is None else f"{op}/{i}" for i, shape in enumerate(case.shapes)]
        for i, (name, shape) in enumerate(zip(names, case.shapes, strict=True)):
            if shape is None:
                continue
            dtype = case.types.get(i, "int32" if i in case.indices else "float32")
            specs[name] = TensorSpec(name=name, shape=shape, dtype=dtype)
            if roles[min(i, len(roles) - 1)].rstrip("?") in layer_class(op).parameters:
                constants[name] = np.ones(shape, dtype)
            else:
                inputs.append(name)
        layer = layer_for(Node(op=op, name=op, inputs=(), outputs=(), attrs=case.attrs))
        shapes: Any = layer.infer_shape(*case.shapes)
        shapes = shapes if shapes and isinstance(shapes[0], tuple) else (shapes,)
        outputs = tuple(f"{op}/y{i}" for i in range(len(shapes)))
        specs |= {name: TensorSpec(name=name, shape=shape) for name, shape in zip(outputs, shapes, strict=True)}
        nodes.append(Node(op=op, name=op, inputs=tuple(names), outputs=outputs, attrs=case.attrs))
    return Graph(
        name="layers",
        nodes=tuple(nodes),
        tensors=specs,
        constants=constants,
        inputs=tuple(inputs),
        outputs=tuple(name for node in nodes for name in node.outputs),
    )


def tflite() -> dict[str, bytes]:
    """Operators of int8, and the two that keep a state."""
    rows = [([shape], constants, outputs, code, options) for code, shape, constants, outputs, options in SAME_GRID]
    rows += [(shapes, [], [out], code, options) for code, shapes, out, options in OWN_GRID]
    found = {f"operators_{i}.tflite": _operators(rows[i : i + _IN_A_FILE]) for i in range(0, len(rows), _IN_A_FILE)}
    rng = np.random.default_rng(1)
    found["lstm.tflite"] = lstm_model(rng, 1, 3, 4, 5, False)[0]
    found["svdf.tflite"] = svdf_model(rng, 2, 4, 3, 6, 1, True)
    return found


def _operators(rows: list[tuple[Any, ...]]) -> bytes:
    tensors, ops, fed, made = [], [], [], []
    for k, (shapes, constants, outputs, code, options) in enumerate(rows):
        xs = [tensor(f"x{k}_{i}", shape, "int8") for i, shape in enumerate(shapes)]
        arrays = [np.asarray(values, np.int32) for values in constants]
        cs = [Tensor(f"c{k}_{i}", array.shape, "int32", data=array) for i, array in enumerate(arrays)]
        ys = [tensor(f"y{k}_{i}", shape, "int8") for i, shape in enumerate(outputs)]
        if code.endswith("POOL_2D"):
            options = {**options, "filter_width": 3, "filter_height": 2}
        tensors += [*xs, *cs, *ys]
        ops.append(Op(code, [t.name for t in (*xs, *cs)], [y.name for y in ys], options))
        fed += [x.name for x in xs]
        made += [y.name for y in ys]
    return build(tensors, ops, fed, made)


_KERAS: tuple[tuple[str, tuple[int, ...], dict[str, Any], list[tuple[str, tuple[int, ...]]]], ...] = (
    ("ZeroPadding2D", (8, 8, 3), {"padding": [[1, 0], [2, 1]]}, []),
    ("Cropping2D", (8, 8, 3), {"cropping": [[1, 0], [2, 1]]}, []),
    ("UpSampling2D", (8, 8, 3), {"size": [2, 3], "interpolation": "bilinear"}, []),
    ("Permute", (8, 8, 3), {"dims": [3, 1, 2]}, []),
    ("Reshape", (8, 8, 3), {"target_shape": [-1, 6]}, []),
    ("MaxPooling2D", (8, 8, 3), {"pool_size": [3, 2], "strides": [2, 1], "padding": "same"}, []),
    ("GlobalMaxPooling2D", (8, 8, 3), {"keepdims": True}, []),
    ("LayerNormalization", (8, 8, 3), {"axis": -1, "epsilon": 1e-3}, [("gamma", (3,)), ("beta", (3,))]),
    ("Rescaling", (8, 8, 3), {"scale": 0.1, "offset": -1.0}, []),
    ("LeakyReLU", (8, 8, 3), {"negative_slope": 0.2}, []),
    ("Softmax", (8, 8, 3), {"axis": -1}, []),
    ("RepeatVector", (5,), {"n": 3}, []),
    ("PReLU", (8, 8, 3), {"shared_axes": [1, 2]}, [("alpha", (1, 1, 3))]),
    (
        "Conv2DTranspose",
        (8, 8, 3),
        {"filters": 4, "kernel_size": [3, 2], "strides": [2, 1], "padding": "same", "activation": "relu"},
        [("kernel", (3, 2, 4, 3)), ("bias", (4,))],
    ),
    ("Embedding", (5,), {"input_dim": 20, "output_dim": 4}, [("embeddings", (20, 4))]),
    (
        "GRU",
        (5, 3),
        {"units": 4, "reset_after": True, "return_sequences": True, "activation": "tanh"},
        [("kernel", (3, 12)), ("recurrent_kernel", (4, 12)), ("bias", (2, 12))],
    ),
)


def keras(folder: Path) -> dict[str, bytes]:
    """Layers of Keras that the shipped models do not use."""
    net, last = Network("kinds"), []
    for kind, shape, config, weights in _KERAS:
        x = net.input(shape, f"in_{kind}")
        last.append(Symbol(net._add(kind, [x], shape, config, None, weights).layer, shape))
    net.output(*last)
    net.save(folder / "kinds.h5")
    return {"kinds.h5": (folder / "kinds.h5").read_bytes()}


def onnx(folder: Path) -> dict[str, bytes]:
    """Of ONNX' own node tests, one of every operator that is read."""
    from tests.peers.test_onnx_node_tests import node_cases, with_constants

    found: dict[str, bytes] = {}
    for op, _, model, inputs, _ in node_cases():
        name, path = f"node_{op}.onnx", folder / "node.onnx"
        if name in found:
            continue
        for made in (with_constants(model, inputs)[0], model):
            path.write_bytes(made.SerializeToString())
            try:
                infer_shapes(refq.load(path))
            except RefqError:
                continue
            found[name] = path.read_bytes()
            break
    return found
