"""The convolution layers of ResNet-8 on the accelerator, from exported vectors, bit for bit and clock for clock."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import refq
from hwsim import systolic_cycles
from refq.verify.export import export_vectors
from refq.verify.layout import Layout
from refq.verify.streams import ArrayOrder
from tests.rtl.icarus import needs_icarus, run_bench

pytestmark = needs_icarus

ROWS, COLS = 16, 16


def export(graph: refq.Graph, x: np.ndarray, folder: Path) -> Path:
    export_vectors(graph, x, folder, layout=Layout(array=ArrayOrder(rows=ROWS, cols=COLS)))
    return folder


@pytest.fixture(scope="module")
def vectors(tmp_path_factory) -> Path:
    x = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    graph = refq.quantize(refq.load("models/resnet8.h5"), x)
    return export(graph, x[:1], tmp_path_factory.mktemp("vectors") / "resnet8")


@pytest.fixture(scope="module")
def trained_vectors(tmp_path_factory, shared) -> Path:
    """The trained network of MLPerf Tiny on an image of CIFAR-10."""
    graph = refq.load(shared / "models" / "mlperf_tiny" / "pretrainedResnet_quant.tflite")
    image = np.load(shared / "data" / "cifar10_small.npz")["x_test"][:1]
    (name,) = graph.inputs
    grid = graph.tensors[name].qparams
    assert grid is not None
    codes = (image.astype(np.int64) + grid.qmin).astype(grid.dtype)  # scale 1: pixels 0..255
    return export(graph, codes, tmp_path_factory.mktemp("vectors") / "trained")


def convolutions(vectors: Path) -> list[dict]:
    layers = json.loads((vectors / "manifest.json").read_text())["layers"]
    return [layer for layer in layers if layer["op"] == "Conv2D"]


def array_clocks(parameters: dict[str, int]) -> int:
    pixels = parameters["out_height"] * parameters["out_width"]
    k = parameters["kernel_height"] * parameters["kernel_width"] * parameters["in_channels"]
    return systolic_cycles(pixels, parameters["out_channels"], k, ROWS, COLS, "os", convention="rtl")


@pytest.mark.parametrize("number", range(9))
def test_every_convolution_of_resnet8_equals_the_golden_model(number, vectors):
    layer = convolutions(vectors)[number]
    output = run_bench("tb_conv_accelerator", vectors / layer["folder"], {"ROWS": ROWS, "COLS": COLS})
    assert output.splitlines()[-1] == "PASS", output
    assert f"clocks {array_clocks(layer['parameters']) + 4}" in output


@pytest.mark.slow
@pytest.mark.parametrize("number", range(9))
def test_every_convolution_of_the_trained_network_equals_the_golden_model(number, trained_vectors):
    layer = convolutions(trained_vectors)[number]
    output = run_bench("tb_conv_accelerator", trained_vectors / layer["folder"], {"ROWS": ROWS, "COLS": COLS})
    assert output.splitlines()[-1] == "PASS", output
    assert f"clocks {array_clocks(layer['parameters']) + 4}" in output


def test_resnet8_has_nine_convolutions(vectors):
    assert len(convolutions(vectors)) == 9


def test_one_corrupted_code_fails_the_bench(vectors, tmp_path):
    source = vectors / convolutions(vectors)[8]["folder"]
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    lines = (tmp_path / "y.hex").read_text().splitlines()
    lines[100] = f"{int(lines[100], 16) ^ 1:02x}"
    (tmp_path / "y.hex").write_text("\n".join(lines) + "\n")
    output = run_bench("tb_conv_accelerator", tmp_path, {"ROWS": ROWS, "COLS": COLS})
    assert output.splitlines()[-1].startswith("FAIL: 0 wrong words of sums, 1 wrong codes"), output
