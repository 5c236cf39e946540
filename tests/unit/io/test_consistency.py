"""One check of every graph that was read, shown on edited files of `refq.save`."""

import json

import h5py
import numpy as np
import pytest

import refq
from refq.errors import GraphError, RangeError, ShapeError
from tests.unit.small_graphs import images, residual


def edited(path, change):
    refq.save(refq.quantize(residual(), images(8)), path)
    with h5py.File(path, "r+") as file:
        text = json.loads(file["graph"][()].tobytes())
        nodes = {node["name"]: node for node in text["nodes"]}
        tensors = {spec["name"]: spec for spec in text["tensors"]}
        change(text, nodes, tensors)
        del file["graph"]
        file["graph"] = np.frombuffer(json.dumps(text).encode(), np.uint8)
    return path


def test_the_unchanged_file_loads(tmp_path):
    refq.load(edited(tmp_path / "m.h5", lambda *_: None))


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda g, n, t: n["conv"]["inputs"].pop(1), ShapeError, "must be"),
        (lambda g, n, t: n["conv"].update(inputs=["x"]), GraphError, "Conv2D 'conv': operand w is missing"),
        (lambda g, n, t: n["conv"].update(inputs=["x", ""]), GraphError, "Conv2D 'conv': operand w is missing"),
        (lambda g, n, t: n["conv"]["inputs"].append("x"), GraphError, "Conv2D 'conv': 4 inputs, the operands are"),
        (lambda g, n, t: n["conv"]["inputs"].__setitem__(2, None), GraphError, "reads None|the name None"),
        (lambda g, n, t: n["conv"].update(op=7), GraphError, "the name 7 is not a text"),
        (lambda g, n, t: n["conv"].update(name="\ud800"), GraphError, "cannot be written as UTF-8"),
        (lambda g, n, t: g.update(name=None), GraphError, "the name None is not a text"),
        (lambda g, n, t: n["conv"]["attrs"].update(padding="sane"), GraphError, "padding='sane' does not fit"),
        (lambda g, n, t: n["conv"]["attrs"].update(strides=[1, "1"]), GraphError, "strides=.* does not fit"),
        (lambda g, n, t: n["conv"]["attrs"].update(groups=None), GraphError, "groups=None does not fit"),
        (lambda g, n, t: t["conv/bias"].update(dtype="int32"), GraphError, "constant 'conv/bias' is float32"),
        (lambda g, n, t: t["conv_1"].update(shape=[1, 6, 6, 5]), ShapeError, "the graph says"),
        (lambda g, n, t: t["x"].update(shape=[1, 6.0, 6, 3]), ShapeError, "tensor 'x' has the unusable shape"),
        (
            lambda g, n, t: t["x"].update(shape=[1, 1 << 30, 1 << 30, 3]),
            ShapeError,
            "tensor 'x' has the unusable shape",
        ),
        (lambda g, n, t: t["conv_1/kernel"]["qparams"].update(axis=4), RangeError, "scales along axis 4"),
        (lambda g, n, t: t["conv_1/kernel"]["qparams"].update(axis=1), RangeError, "scales along axis 1"),
    ],
)
def test_a_graph_that_contradicts_itself_is_refused(tmp_path, change, error, text):
    path = edited(tmp_path / "m.h5", change)
    with pytest.raises(error, match=text) as caught:
        refq.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_constants_of_numbers_that_are_not_real_are_refused(tmp_path):
    path = tmp_path / "m.h5"
    refq.save(residual(), path)
    with h5py.File(path, "r+") as file:
        place = next(name for name in file["constants"] if name.endswith("bn.gamma"))
        del file["constants"][place]
        file["constants"][place] = np.ones(4, np.complex64)
    with pytest.raises(GraphError, match="constant 'bn/gamma' is complex64"):
        refq.load(path)
