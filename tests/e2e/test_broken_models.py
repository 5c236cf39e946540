"""Both commands on damaged model files of every format: one line on standard error, exit code 2."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

import hwsim.cli
import refq
import refq.cli
from models.keras_writer import Network
from tests.unit.small_graphs import residual


def keras_h5(path):
    net = Network("tiny")
    net.output(net.dense(net.input((3,)), 2, name="head"))
    net.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["units"] = {"a\nb": 1e999}
        file.attrs["model_config"] = json.dumps(config)


def native_h5(path):
    refq.save(residual(), path)
    with h5py.File(path, "r+") as file:
        text = json.loads(file["graph"][()].tobytes())
        text["nodes"][0]["attrs"]["strides"] = ["\x1b[31m", None]
        del file["graph"]
        file["graph"] = np.frombuffer(json.dumps(text).encode(), np.uint8)


def archive(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Sequential", "config": ' + "[" * 100_000)
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", io.BytesIO().getvalue())


def onnx(path):
    module = pytest.importorskip("onnx")
    helper, kinds = module.helper, module.TensorProto
    values = [helper.make_tensor_value_info(name, kinds.FLOAT, [1, 2]) for name in "xy"]
    node = helper.make_node("Relu", ["y"], ["y"], name="a\nb")
    path.write_bytes(helper.make_model(helper.make_graph([node], "g", values[:1], values[1:])).SerializeToString())


def tflite(path):
    pytest.importorskip("tflite")
    path.write_bytes(b"\xff\xff\xff\x7fTFL3" + bytes(100))


COMMANDS = {
    "refq": lambda path: refq.cli.main(["info", path]),
    "hwsim": lambda path: hwsim.cli.main(["estimate", path, "--arch", "edgetpu"]),
}
CASES = [
    (keras_h5, "broken.h5"),
    (native_h5, "native.h5"),
    (archive, "broken.keras"),
    (onnx, "broken.onnx"),
    (tflite, "broken.tflite"),
    (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500)), "empty.h5"),
    (lambda path: path.write_bytes(b""), "empty.onnx"),
]


@pytest.mark.parametrize(("damage", "name"), CASES, ids=[name for _, name in CASES])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_broken_model_gives_one_line_and_exit_code_2(tmp_path, capsys, damage, name, command):
    path = tmp_path / name
    damage(path)
    with pytest.raises(SystemExit) as ended:
        COMMANDS[command](str(path))
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert err.startswith(f"{command}: {path}: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
