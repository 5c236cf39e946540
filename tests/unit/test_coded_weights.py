"""Layers, plans and files with weights that are codes into tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refq
from refq.errors import RefqError
from refq.execute import _interpret
from refq.graph import Codebook, Graph, Node, QParams, TensorSpec
from refq.numerics import find_arithmetic


def a_graph(
    op: str, multiplier: str, table: list[int], shape: tuple[int, ...], x_shape: tuple[int, ...], groups: int = 1
) -> Graph:
    rng = np.random.default_rng(3)
    sharing = (0,) * len(shape) if multiplier != "group_rescale" else (1,) + (0,) * (len(shape) - 2) + (2,)
    books = int(np.prod([-(-n // s) if s else 1 for n, s in zip(shape, sharing, strict=True)]))
    book = Codebook(
        codes=rng.integers(0, len(table), (*shape, 1)),
        tables=np.array(table).reshape(1, 1, -1, 1),
        sharing=sharing,
        multiplier=multiplier,  # type: ignore[arg-type]
        scales=rng.integers(1, 8, books) if multiplier == "group_rescale" else None,
    )
    outputs = shape[-1] if op == "DepthwiseConv2D" else shape[0]
    attrs = {} if op == "Dense" else {"padding": "same", **({"groups": groups} if op == "Conv2D" else {})}
    dtype = "int16" if max(table) > 127 else "int8"
    bits = 16 if dtype == "int16" else 8
    out = (*x_shape[:-1], outputs)
    return Graph(
        name=op,
        nodes=(
            Node(
                op=op,
                name="n",
                inputs=("x", "w", "b"),
                outputs=("y",),
                attrs=attrs,
            ),
        ),
        tensors={
            "x": TensorSpec(name="x", shape=x_shape, qparams=QParams(scale=0.1, zero_point=-7)),
            "w": TensorSpec(name="w", shape=shape, dtype=dtype, qparams=QParams(scale=0.01, bits=bits), codebook=book),
            "b": TensorSpec(name="b", shape=(outputs,), qparams=QParams(scale=0.001, bits=32 if bits == 8 else 64)),
            "y": TensorSpec(name="y", shape=out, qparams=QParams(scale=2.0, zero_point=3)),
        },
        constants={"w": book.decode().astype(dtype), "b": rng.normal(size=outputs).astype(np.float32)},
        inputs=("x",),
        outputs=("y",),
    )


TABLES = {
    "shift": [-64, -2, 0, 1, 16],
    "shift_add": [-10, -3, 0, 5, 127],
    "sign": [-90, 0, 70],
    "bit_planes": [-9, 11],
    "lookup": [-100, -7, 3, 81],
    "group_rescale": [-8, -1, 0, 7],
    "multiply": [-1000, 5, 30000],
}


LAYERS: dict[str, tuple[str, tuple[int, ...], tuple[int, ...], int]] = {
    "dense": ("Dense", (5, 7), (2, 7), 1),
    "convolution": ("Conv2D", (5, 3, 2, 3), (2, 6, 5, 3), 1),
    "grouped": ("Conv2D", (6, 3, 2, 3), (2, 6, 5, 9), 3),
    "depthwise": ("DepthwiseConv2D", (1, 3, 2, 6), (2, 6, 5, 3), 1),
}


@pytest.mark.parametrize("layer", list(LAYERS))
@pytest.mark.parametrize("multiplier", list(TABLES))
def test_coded_weights_run_as_their_integers_do_and_survive_a_file(layer: str, multiplier: str, tmp_path: Path) -> None:
    op, shape, x_shape, groups = LAYERS[layer]
    graph = a_graph(op, multiplier, TABLES[multiplier], shape, x_shape, groups)
    codes = np.random.default_rng(0).integers(-128, 128, x_shape).astype(np.int8)
    profile = find_arithmetic("litert")
    coded = _interpret(graph, {"x": codes}, "integer", profile, None)["y"]
    assert np.array_equal(refq.run(graph, codes, path="integer"), coded)
    x = (codes.astype(np.float32) + 7) * np.float32(0.1)
    fake, y = refq.run(graph, x, path="fake"), refq.run(graph, x, path="integer")
    assert np.max(np.abs(fake - y)) <= 2.0  # one step
    assert len(np.unique(coded)) > 3

    refq.save(graph, tmp_path / "g.h5")
    back: Any = refq.load(tmp_path / "g.h5")
    assert back.tensors["w"].codebook == graph.tensors["w"].codebook
    assert np.array_equal(back.constants["w"], graph.constants["w"])


def test_four_bit_codes_take_half_a_byte_in_a_file_and_damage_is_refused(tmp_path: Path) -> None:
    import h5py

    graph = a_graph("Dense", "lookup", list(range(-8, 8)), (64, 128), (1, 128))
    refq.save(graph, tmp_path / "g.h5")
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        place = next(p for p in file["constants"].values() if hasattr(p, "keys"))
        assert place["codes"].nbytes == 64 * 128 // 2
        place.attrs["shape"] = np.array([1 << 20, 1 << 20, 1])
    with pytest.raises(RefqError):
        refq.load(tmp_path / "g.h5")


def test_an_accelerator_model_counts_codes_tables_and_the_multiplier() -> None:
    from hwsim.workload import from_graph

    (layer,) = from_graph(a_graph("Dense", "lookup", [-100, -7, 3, 81], (5, 7), (1, 7))).layers
    assert (layer.nest.weight_bits, layer.nest.weight_metadata_bytes, layer.nest.multiplier) == (2.0, 4, "lookup")
    assert layer.weight_bytes == 9 + 4 + 5 * 4  # 70 bits, 4 levels of a byte, biases
    (layer,) = from_graph(a_graph("Dense", "shift", [-2, 0, 1], (5, 7), (1, 7))).layers
    assert layer.nest.weight_metadata_bytes == 0


def test_sums_of_coded_weights_are_formed_by_the_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    from refq.layers import conv2d, dense, depthwise_conv2d
    from refq.numerics.coded_products import CodedRows, coded_matmul

    seen: list[str] = []

    def watched(x: Any, weights: Codebook | CodedRows) -> Any:
        seen.append(weights.multiplier)
        return coded_matmul(x, weights)

    for module in (conv2d, dense, depthwise_conv2d):
        monkeypatch.setattr(module, "coded_matmul", watched)
    for op, shape, x_shape, groups in LAYERS.values():
        graph = a_graph(op, "shift", [-2, 0, 1], shape, x_shape, groups)
        _interpret(graph, {"x": np.ones(x_shape, np.int8)}, "integer", find_arithmetic("litert"), None)
    assert seen == ["shift"] * (1 + 2 + 2 * 3 + 2)  # one product of the dense layer, one an image and group


def test_a_graph_of_shapes_keeps_its_codebook_for_accelerator_models() -> None:
    from dataclasses import replace

    from hwsim.workload import from_graph

    graph = a_graph("Dense", "lookup", [-100, -7, 3, 81], (5, 7), (1, 7))
    bare = replace(graph, shape_only=frozenset({"w"}))
    (layer,) = from_graph(bare).layers
    assert bare.tensors["w"].codebook == graph.tensors["w"].codebook
    assert (layer.nest.weight_bits, layer.nest.multiplier) == (2.0, "lookup")
    with pytest.raises(RefqError):
        refq.run(bare, np.zeros((1, 7), np.float32), path="integer")


@pytest.mark.parametrize("bias_bits", [32, 64])
def test_levels_of_16_bits_sum_beside_a_bias_of_either_width(bias_bits: int) -> None:
    from dataclasses import replace

    graph = a_graph("Dense", "multiply", [-1000, 5, 30000], (5, 7), (2, 7))
    bias = replace(graph.tensors["b"], qparams=QParams(scale=0.001, bits=bias_bits))
    graph = replace(graph, tensors={**graph.tensors, "b": bias})
    codes = np.random.default_rng(0).integers(-128, 128, (2, 7)).astype(np.int8)
    x = (codes.astype(np.float64) + 7) * np.float64(np.float32(0.1))
    b = np.rint(graph.constants["b"].astype(np.float64) / np.float64(np.float32(0.001))) * 0.001
    want = x @ (graph.constants["w"].astype(np.float64) * 0.01).T + b
    steps = np.clip(want / 2.0 + 3, -128, 127)
    assert np.abs(refq.run(graph, codes, path="integer") - steps).max() <= 0.51
