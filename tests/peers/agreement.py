"""refq and LiteRT on one model: every output element equal."""

import numpy as np

import refq
from tests.peers.litert import run


def agree(tmp_path, model, inputs, integer=False):
    """Compare outputs: equal where the model is quantized, reals within 2e-5 where it is not.

    tmp_path : folder for the file; model : its bytes; inputs : arrays in the model's order
    """
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    graph = refq.load(path)
    expected = run(model, inputs)
    on_codes = all(np.asarray(value).dtype.kind in "iub" for value in inputs)
    has_reals = any("float" in spec.dtype for spec in graph.activations())
    on_path = integer or (on_codes and (graph.is_quantized or not has_reals))
    ours = refq.run(graph, inputs if len(inputs) > 1 else inputs[0], path="integer" if on_path else "float")
    ours = ours if isinstance(ours, tuple) else (ours,)
    assert len(ours) == len(expected)
    for mine, theirs in zip(ours, expected, strict=True):
        assert mine.shape == theirs.shape
        if on_codes or integer:
            assert mine.dtype == theirs.dtype
            assert np.count_nonzero(mine != theirs) == 0
        else:
            np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5)
    return graph
