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


def a_graph(op: str, multiplier: str, table: list[int], shape: tuple[int, ...], x_shape: tuple[int, ...]) -> Graph:
    rng = np.random.default_rng(3)
    book = Codebook(
        codes=rng.integers(0, len(table), (*shape, 1)),
        tables=np.array(table).reshape(1, 1, -1, 1),
        sharing=(0,) * len(shape) if multiplier != "group_rescale" else (1,) + (0,) * (len(shape) - 2) + (2,),
        multiplier=multiplier,  # type: ignore[arg-type]
        scales=rng.integers(1, 8, shape[0] * -(-shape[-1] // 2)) if multiplier == "group_rescale" else None,
    )
    dtype = "int16" if max(table) > 127 else "int8"
    bits = 16 if dtype == "int16" else 8
    out = (*x_shape[:-1], shape[0])
    return Graph(
        name=op,
        nodes=(
            Node(
                op=op,
                name="n",
                inputs=("x", "w", "b"),
                outputs=("y",),
                attrs={"padding": "same"} if op == "Conv2D" else {},
            ),
        ),
        tensors={
            "x": TensorSpec(name="x", shape=x_shape, qparams=QParams(scale=0.1, zero_point=-7)),
            "w": TensorSpec(name="w", shape=shape, dtype=dtype, qparams=QParams(scale=0.01, bits=bits), codebook=book),
            "b": TensorSpec(name="b", shape=shape[:1], qparams=QParams(scale=0.001, bits=32 if bits == 8 else 64)),
            "y": TensorSpec(name="y", shape=out, qparams=QParams(scale=2.0, zero_point=3)),
        },
        constants={"w": book.decode().astype(dtype), "b": rng.normal(size=shape[0]).astype(np.float32)},
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


@pytest.mark.parametrize("op", ["Dense", "Conv2D"])
@pytest.mark.parametrize("multiplier", list(TABLES))
def test_coded_weights_run_as_their_integers_do_and_survive_a_file(op: str, multiplier: str, tmp_path: Path) -> None:
    shape, x_shape = ((5, 7), (2, 7)) if op == "Dense" else ((5, 3, 2, 3), (2, 6, 5, 3))
    graph = a_graph(op, multiplier, TABLES[multiplier], shape, x_shape)
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
    from refq.layers import conv2d, dense
    from refq.numerics.coded_products import coded_matmul

    seen: list[str] = []

    def watched(x: Any, weights: Codebook) -> Any:
        seen.append(weights.multiplier)
        return coded_matmul(x, weights)

    monkeypatch.setattr(conv2d, "coded_matmul", watched)
    monkeypatch.setattr(dense, "coded_matmul", watched)
    for op, shape, x_shape in (("Dense", (5, 7), (2, 7)), ("Conv2D", (5, 3, 2, 3), (2, 6, 5, 3))):
        graph = a_graph(op, "shift", [-2, 0, 1], shape, x_shape)
        _interpret(graph, {"x": np.ones(x_shape, np.int8)}, "integer", find_arithmetic("litert"), None)
    assert seen == ["shift"] * 3  # one product of the dense layer, one an image
