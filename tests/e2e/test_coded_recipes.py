"""Whole models with weights as codes into tables, on the fake and the integer path."""

from pathlib import Path

import numpy as np
import pytest

import refq

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("recipe", ["pot4", "apot4", "kmeans4", "binary-code2", "binary-code3", "lq-nets3", "ttq"])
@pytest.mark.parametrize("model", [MODELS / "resnet8.h5", MODELS / "ds_cnn.h5"])
def test_fake_and_integer_path_agree_and_a_file_keeps_the_codes(recipe: str, model: Path, tmp_path: Path) -> None:
    graph = refq.load(model)
    x = np.random.default_rng(0).normal(size=(4, *graph.tensors[graph.inputs[0]].shape[1:])).astype(np.float32)
    quantized = refq.quantize(graph, x, recipe)
    coded = [s for s in quantized.tensors.values() if s.codebook is not None]
    assert len(coded) > 5
    result = refq.compare(quantized, x)
    assert max(row.max_step or 0 for row in result.rows) <= 1, result
    refq.save(quantized, tmp_path / "m.h5")
    back = refq.load(tmp_path / "m.h5")
    assert all(back.tensors[s.name].codebook == s.codebook for s in coded)
