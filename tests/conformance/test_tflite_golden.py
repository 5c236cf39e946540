"""Every LiteRT vector of the golden folder: constants, all activations and outputs, 0 differing elements."""

from collections import Counter

import numpy as np
import pytest

import refq
from refq.io.tflite.flatbuffer import parse
from refq.io.tflite.reader import tensors
from refq.quantizers.apply import dequantize_array
from tests.conformance.tflite_vectors import NotUnderstoodError, golden_root, read_vectors, vector_names

NAMES = vector_names()
pytestmark = pytest.mark.skipif(not NAMES, reason=f"no vectors at {golden_root()}; set REFQ_GOLDEN or REFQ_SHARED")
if NAMES:
    pytest.importorskip("tflite")


class Model:
    """A vector's model as refq reads it, with the names of its tensors by index."""

    def __init__(self, vectors):
        self.vectors = vectors
        self.graph = refq.load(vectors.model)
        self.operands = tensors(parse(vectors.model.read_bytes()))
        self.names = [operand.name for operand in self.operands]
        self.rows = len(next(iter(vectors.inputs.values())))

    def feed(self, rows):
        """The inputs of some rows, as the graph takes them."""
        return {self.names[index]: array[rows] for index, array in self.vectors.inputs.items()}

    def value(self, traced, index):
        """What refq has for a tensor of the file, as the file types it; None where it has nothing."""
        name = self.names[index]
        found = traced.get(name, self.graph.constants.get(name))
        if found is None:
            return None
        grid = self.graph.tensors[name].qparams
        is_real = self.vectors.graph["tensors"][index]["type"].startswith("FLOAT")
        return dequantize_array(found, grid) if is_real and grid is not None and found.dtype.kind in "iu" else found

    @property
    def is_batched(self):
        """Whether the rows of the vectors are the batch axis of the file, which is 1 there."""
        return {self.operands[index].shape[:1] for index in self.vectors.inputs} == {(1,)}

    def outputs(self):
        """Every output tensor for all rows: in one batch, or row by row where the file fixes the batch."""
        if self.is_batched:
            traced = refq.trace(self.graph, self.feed(slice(None)), path="integer")
            return {index: self.value(traced, index) for index in self.vectors.outputs}
        parts = [refq.trace(self.graph, self.feed(row), path="integer") for row in range(self.rows)]
        return {index: np.stack([self.value(part, index) for part in parts]) for index in self.vectors.outputs}


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    return Model(read_vectors(request.param))


def differing(found, expected, what):
    assert found is not None, f"{what}: refq has no such tensor"
    assert found.size == expected.size, f"{what}: shape {found.shape}, expected {expected.shape}"
    return int(np.count_nonzero(found.reshape(expected.shape) != expected))


def test_the_file_is_the_one_described(model):
    parsed = parse(model.vectors.model.read_bytes())
    described = [(op["op"], tuple(op["inputs"]), tuple(op["outputs"])) for op in model.vectors.graph["ops"]]
    assert [(op.kind, op.inputs, op.outputs) for op in parsed.operators] == described


def test_no_output_element_differs_from_the_reference_kernels(model):
    found = model.outputs()
    wrong = {i: differing(found[i], expected, f"output {i}") for i, expected in model.vectors.outputs.items()}
    assert not any(wrong.values()), f"differing elements by output tensor: {wrong}"


def test_no_constant_differs_from_the_file(model):
    for index, expected in model.vectors.constants.items():
        operand = model.operands[index]
        held = model.graph.constants.get(operand.name, operand.data)
        assert held is not None, f"constant {index} {operand.name!r} is not read"
        bits = 8 if operand.qparams is None else operand.qparams.bits
        if bits < 8 and expected.size != held.size:  # LiteRT hands sub-byte codes out packed
            places = np.arange(0, 8, bits, dtype=np.uint8)
            unpacked = (expected.view(np.uint8).reshape(-1, 1) >> places).ravel()[: held.size]
            expected, held = unpacked & ((1 << bits) - 1), held.view(np.uint8) & ((1 << bits) - 1)
        assert differing(held, expected, f"constant {index} {operand.name!r}") == 0


def test_no_activation_differs_from_the_reference_kernels(model, capsys):
    writer = {index: op["op"] for op in model.vectors.graph["ops"] for index in op["outputs"]}
    elements, wrong, inside, missing = Counter(), Counter(), set(), set()
    for sample, row in enumerate(model.vectors.samples.tolist()):
        traced = refq.trace(model.graph, model.feed(slice(row, row + 1) if model.is_batched else row), path="integer")
        assert not [
            name for name, codes in traced.items() if codes.dtype.kind == "f" and name not in model.graph.inputs
        ]
        for (index, of_sample), expected in model.vectors.activations.items():
            if of_sample != sample:
                continue
            kind = writer.get(index, "input" if index in model.vectors.inputs else None)
            if kind is None:
                inside.add(model.names[index])  # state and scratch tensors: no operator's output, no name outside it
                continue
            found = model.value(traced, index)
            if found is None:
                missing.add(model.names[index])
                continue
            elements[kind] += expected.size
            wrong[kind] += differing(found, expected, f"activation {index} {model.names[index]!r}")
    operators = Counter(op["op"] for op in model.vectors.graph["ops"])
    with capsys.disabled():
        print(
            f"\n  {model.vectors.name}: {model.rows} outputs, {len(model.vectors.samples)} samples of all activations"
        )
        for kind in sorted(elements):
            count = f"{operators[kind]:4d} operators" if kind in operators else " " * 14
            print(f"    {kind:24s} {count} {elements[kind]:9d} elements {wrong[kind]:6d} differ")
        if inside:
            print(f"    not compared, inside an operator: {', '.join(sorted(inside))}")
    assert not missing, f"tensors of the file that refq does not compute: {sorted(missing)}"
    assert not any(wrong.values()), f"differing elements by operator: {dict(wrong)}"


def test_a_key_without_a_meaning_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "golden" / "tflite"
    folder.mkdir(parents=True)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.tflite").write_bytes(b"model")
    about = '{"sha256": "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"}'
    (folder / "m.json").write_text(about)
    np.savez(folder / "m.npz", activations=np.zeros(1))
    monkeypatch.setenv("REFQ_GOLDEN", str(tmp_path / "golden"))
    with pytest.raises(NotUnderstoodError, match="key 'activations'"):
        read_vectors("m")
    (folder / "m.json").write_text('{"sha256": "0"}')
    with pytest.raises(NotUnderstoodError, match="no file below"):
        read_vectors("m")
